//! Running other programs: found, shown, waited for, and their exit code kept. Knows nothing of what they do.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, ExitCode, ExitStatus, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::signals;

/// A program that ended with anything but success. The whole command ends with the same code.
#[derive(Debug)]
pub(crate) struct ProgramFailed {
    shown: String,
    status: ExitStatus,
}

impl std::fmt::Display for ProgramFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` failed ({})", self.shown, self.status)
    }
}

impl std::error::Error for ProgramFailed {}

/// The exit code for an error: the failed program's own one, else 1.
pub(crate) fn exit_code_of(error: &anyhow::Error) -> ExitCode {
    code_of(error).and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// The code with which the program ended that an error is about.
pub(crate) fn code_of(error: &anyhow::Error) -> Option<i32> {
    error.downcast_ref::<ProgramFailed>()?.status.code()
}

/// Shows the command line, runs it in front with this terminal, and fails if it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    if signals::stop_requested() {
        bail!("stopped before `{}`", shown(command));
    }
    eprintln!("$ {}", shown(command));
    let mut child = command.spawn().with_context(|| format!("could not start `{}`", shown(command)))?;
    let front = signals::in_front(child.id());
    let status = child.wait().with_context(|| format!("could not wait for `{}`", shown(command)))?;
    drop(front);
    if status.success() { Ok(()) } else { Err(ProgramFailed { shown: shown(command), status }.into()) }
}

/// Runs a command quietly and returns what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("could not start `{}`", shown(command)))?;
    if !output.status.success() {
        let failed = ProgramFailed { shown: shown(command), status: output.status };
        return Err(anyhow::Error::from(failed).context(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` printed something that is not UTF-8", shown(command)))
}

/// The cargo that runs this command, so that its toolchain is used throughout.
///
/// What `cargo run` says of this package is not passed on: build scripts that look at such variables would run again, and
/// everything above them be built again, whenever a build follows one from a shell.
pub(crate) fn cargo() -> Command {
    const OF_THIS_PACKAGE: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];

    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| OF_THIS_PACKAGE.iter().any(|prefix| name.starts_with(prefix))) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// A program on the path, or where administrators' programs are even if the path does not name them.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let fixed = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(fixed).map(|dir| dir.join(name)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// A command line as a person would type it, without the environment.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    let args = command.get_args().map(|arg| arg.to_string_lossy().into_owned());
    std::iter::once(name).chain(args).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
