//! Calling a program of the host: with nothing of our environment, within a bound, and with its message kept.

use std::{
    io::{self, PipeReader, Read},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};

use super::HOST_PATH;
use crate::{limits, sandbox::InfrastructureError};

/// Runs a program to its end. What it says on stderr is the message of its failure. Blocking.
pub(super) fn run(mut command: Command, step: &'static str) -> Result<(), InfrastructureError> {
    let program = PathBuf::from(command.get_program());
    let (message, writer) = io::pipe().map_err(InfrastructureError::kernel("make a pipe"))?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::from(writer));
    let status = run_to_end(&mut command, step)?;
    // The command holds the pipe's other end until it is dropped.
    drop(command);
    if status.success() {
        return Ok(());
    }
    Err(InfrastructureError::Program { program, step, message: first_line(message, status) })
}

/// Runs a program whose streams the caller has set. Blocking.
pub(in crate::sandbox) fn run_to_end(command: &mut Command, step: &'static str) -> Result<ExitStatus, InfrastructureError> {
    let program = PathBuf::from(command.get_program());
    let spawned = command.env_clear().env("PATH", HOST_PATH).spawn();
    let child = spawned.map_err(|source| InfrastructureError::ProgramMissing { program, source })?;
    wait(child, step)
}

fn wait(mut child: Child, step: &'static str) -> Result<ExitStatus, InfrastructureError> {
    let handle = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())
        .map_err(|errno| InfrastructureError::kernel("open a process handle")(errno.into()))?;
    let bound = limits::RUNTIME_STEP_TIMEOUT;
    let bound_spec = Timespec { tv_sec: i64::try_from(bound.as_secs()).unwrap_or(i64::MAX), tv_nsec: 0 };
    let ready = poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&bound_spec));
    let waited = |error| InfrastructureError::kernel("wait for a program")(error);
    if !matches!(ready, Ok(count) if count > 0) {
        child.kill().and_then(|()| child.wait()).map_err(waited)?;
        return Err(InfrastructureError::TimedOut { step, after: bound });
    }
    child.wait().map_err(waited)
}

fn first_line(message: PipeReader, status: ExitStatus) -> String {
    let mut text = Vec::new();
    let _ = message.take(limits::MAX_RUNTIME_LOG_SIZE).read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    line.map_or_else(|| status.to_string(), str::to_owned)
}
