//! The container of one iteration, by the command line that OCI runtimes share (`create`, `start`).
//!
//! Between the two calls the container exists and its process waits: that is when it is put into its cgroup and its
//! view of the files is taken. The process becomes our child when `create` ends, because we are a subreaper, so its
//! exit status is the kernel's word and not what the runtime made of it.

use std::{
    fs,
    io::PipeWriter,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::Deserialize;

use super::{HOST_PATH, program};
use crate::{
    limits,
    sandbox::{Exit, ImageError, InfrastructureError, SandboxError, process::WatchedProcess},
};

/// What the runtime says when the kernel refuses to execute the command.
const EXEC_FAILED: &str = "exec container process";

/// The runtime's own folder in the iteration's.
pub(super) const RUNTIME: &str = "runtime";

/// Which runtime, and where the container's files are.
#[derive(Clone, Debug)]
pub(super) struct Runtime {
    pub(super) program: PathBuf,
    /// The iteration's folder, which is also the bundle and the runtime's state folder.
    pub(super) dir: PathBuf,
    pub(super) id: String,
}

/// The process of a created container.
#[derive(Debug)]
pub(super) struct Init {
    pub(super) pid: i32,
    handle: OwnedFd,
}

/// The same, started.
#[derive(Debug)]
pub(super) struct Running(WatchedProcess);

/// A line of the runtime's log.
#[derive(Deserialize)]
struct LogLine {
    msg: String,
}

impl Runtime {
    /// Creates the container with the given streams. Blocking; to be called where the image is mounted.
    pub(super) fn create(&self, stdout: PipeWriter, stderr: PipeWriter) -> Result<Init, InfrastructureError> {
        let (log, pid_file) = (self.dir.join("runtime.log"), self.dir.join("pid"));
        let mut command = Command::new(&self.program);
        command.arg("--root").arg(self.dir.join(RUNTIME)).arg("--log").arg(&log).args(["--log-format", "json"]);
        command.args(["--cgroup-manager", "disabled", "create", "--bundle"]).arg(&self.dir);
        command.arg("--pid-file").arg(&pid_file).arg(&self.id);
        command.stdin(Stdio::null()).stdout(Stdio::from(stdout)).stderr(Stdio::from(stderr));
        let status = program::run_to_end(&mut command, "create")?;
        if !status.success() {
            let message = last_message(&log).unwrap_or_else(|| status.to_string());
            return Err(InfrastructureError::Program { program: self.program.clone(), step: "create", message });
        }
        let text = fs::read_to_string(&pid_file).map_err(InfrastructureError::io("read", &pid_file))?;
        let pid = text.trim().parse().ok().and_then(Pid::from_raw).ok_or(InfrastructureError::SetUpLost)?;
        let handle = pidfd_open(pid, PidfdFlags::NONBLOCK)
            .map_err(|errno| InfrastructureError::kernel("open the container's process")(errno.into()))?;
        Ok(Init { pid: pid.as_raw_nonzero().get(), handle })
    }

    /// Lets the container's process become the benchmark.
    pub(super) async fn start(&self) -> Result<(), InfrastructureError> {
        let mut command = tokio::process::Command::new(&self.program);
        command.arg("--root").arg(self.dir.join(RUNTIME)).args(["start", &self.id]);
        command.env_clear().env("PATH", HOST_PATH).stdin(Stdio::null()).kill_on_drop(true);
        let missing = |source| InfrastructureError::ProgramMissing { program: self.program.clone(), source };
        let bound = limits::RUNTIME_STEP_TIMEOUT;
        let output = tokio::time::timeout(bound, command.output()).await;
        let output = output.map_err(|_| InfrastructureError::TimedOut { step: "start", after: bound })?.map_err(missing)?;
        if output.status.success() {
            return Ok(());
        }
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(InfrastructureError::Program { program: self.program.clone(), step: "start", message })
    }
}

impl Init {
    /// Watches the process's end. Needs the asynchronous runtime.
    pub(super) fn watch(self) -> Result<Running, InfrastructureError> {
        WatchedProcess::new(self.handle).map(Running).map_err(InfrastructureError::kernel("watch the container's process"))
    }
}

impl Running {
    /// Waits for the process's end and reaps it. May be called again after it was dropped half-way, not after it ended.
    pub(super) async fn wait(&self) -> Result<Exit, InfrastructureError> {
        let status = self.0.reaped().await.map_err(InfrastructureError::kernel("wait for the benchmark"))?;
        let signal = status.terminating_signal();
        Ok(signal.map_or_else(|| Exit::Code(status.exit_status().unwrap_or(-1)), Exit::Signal))
    }
}

/// Tells a command that the kernel would not execute from one that ran and failed.
///
/// The runtime has by then nowhere else to say it than the benchmark's own stderr.
pub(super) fn exec_failure(command: &str, exit: Exit, stderr: &[u8]) -> Option<SandboxError> {
    let text = std::str::from_utf8(stderr).ok()?.trim();
    if exit != Exit::Code(1) || text.lines().count() != 1 {
        return None;
    }
    let message = serde_json::from_str::<LogLine>(text).map_or_else(|_| text.to_owned(), |line| line.msg);
    let reason = message.strip_prefix(EXEC_FAILED)?;
    let reason = reason.rsplit_once("`: ").map_or(reason, |(_, reason)| reason).trim().to_owned();
    Some(ImageError::ExecFailed { command: command.to_owned(), reason }.into())
}

fn last_message(log: &Path) -> Option<String> {
    let text = fs::read_to_string(log).ok()?;
    text.lines().rev().find_map(|line| serde_json::from_str::<LogLine>(line).ok()).map(|line| line.msg)
}

#[cfg(test)]
mod tests;
