//! The programs that change the kernel's network: `ip` and `nft`. Blocking; they act on the calling thread's namespace.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    process::{Command, Stdio},
};

use serde::de::DeserializeOwned;

use super::{error::NetworkError, limits};
use crate::sandbox::{InfrastructureError, host::program};

/// Runs lines of `ip` commands. Stops at the first that fails.
pub(super) fn ip(lines: &[String], step: &'static str) -> Result<(), InfrastructureError> {
    run("ip", &["-batch", "-"], &format!("{}\n", lines.join("\n")), step).map(drop)
}

/// Loads a script in one transaction: all of it or nothing.
pub(super) fn nft(script: &str, step: &'static str) -> Result<(), InfrastructureError> {
    run("nft", &["-f", "-"], script, step).map(drop)
}

/// Asks `ip` or `nft` for something it answers as JSON.
pub(super) fn ask<T: DeserializeOwned>(
    program: &'static str,
    arguments: &[&str],
    step: &'static str,
) -> Result<T, InfrastructureError> {
    let answer = run(program, arguments, "", step)?;
    serde_json::from_slice(&answer).map_err(|source| NetworkError::Answer { program, step, source }.into())
}

fn run(program: &'static str, arguments: &[&str], input: &str, step: &'static str) -> Result<Vec<u8>, InfrastructureError> {
    let streams = || -> std::io::Result<(File, File, File)> {
        // Files, not pipes: nothing has to be drained while the program runs.
        let mut stdin = tempfile::tempfile()?;
        stdin.write_all(input.as_bytes())?;
        stdin.seek(SeekFrom::Start(0))?;
        Ok((stdin, tempfile::tempfile()?, tempfile::tempfile()?))
    };
    let (stdin, mut stdout, mut stderr) = streams().map_err(InfrastructureError::kernel("make a temporary file"))?;
    let clone = |file: &File| file.try_clone().map(Stdio::from).map_err(InfrastructureError::kernel("copy a descriptor"));
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::from(stdin)).stdout(clone(&stdout)?).stderr(clone(&stderr)?);
    let status = program::run_to_end(&mut command, step).map_err(|error| match error {
        InfrastructureError::ProgramMissing { source, .. } => missing(program, source),
        other => other,
    })?;
    let read = InfrastructureError::kernel("read a program's answer");
    if status.success() {
        return content(&mut stdout).map_err(read);
    }
    let message = content(&mut stderr).map_err(read)?;
    let message = String::from_utf8_lossy(&message);
    let line = message.lines().map(str::trim).find(|line| !line.is_empty());
    let message = line.map_or_else(|| status.to_string(), str::to_owned);
    Err(InfrastructureError::Program { program: program.into(), step, message })
}

fn missing(program: &'static str, source: std::io::Error) -> InfrastructureError {
    let package = if program == "nft" { "nftables" } else { "iproute2" };
    NetworkError::ToolMissing { program, package, source }.into()
}

fn content(file: &mut File) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.take(limits::MAX_ANSWER).read_to_end(&mut bytes)?;
    Ok(bytes)
}
