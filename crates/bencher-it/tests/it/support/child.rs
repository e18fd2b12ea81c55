//! A program that runs beside the test, with its log in a file. It ends with the test, however that ends.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
};

use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::Pid,
};
use tokio::process::Command;

use super::PATIENCE;

pub(crate) struct Child {
    process: tokio::process::Child,
    pid: Pid,
    log: PathBuf,
}

/// A command that ends when the test does, and that knows nothing of a person's own settings.
pub(crate) fn owned(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program).kill_on_drop(true).env("NO_COLOR", "1");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BENCHER_")) {
        command.env_remove(name);
    }
    // Nor does it know what a runner of this machine's own is told.
    command.env("BENCHER_RUNNER_CONFIG", "/dev/null");
    command
}

impl Child {
    /// Starts a program; its log goes on where an earlier one of the same name ended.
    pub(crate) fn spawn(program: &Path, log: &Path, configure: impl FnOnce(&mut Command)) -> Self {
        let file = File::options().create(true).append(true).open(log).expect("the log opens");
        let mut command = owned(program);
        configure(&mut command);
        command.stdin(Stdio::null()).stdout(file.try_clone().expect("a file can be shared")).stderr(file);
        let process = command.spawn().expect("the program starts");
        let pid = process.id().and_then(|pid| i32::try_from(pid).ok()).expect("a started program has a number");
        Self { process, pid: Pid::from_raw(pid), log: log.to_owned() }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).expect("the log is there")).into_owned()
    }

    /// Only looks: the program can still be waited for.
    pub(crate) fn has_ended(&self) -> bool {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
        waitid(Id::Pid(self.pid), flags).is_ok_and(|status| status != WaitStatus::StillAlive)
    }

    /// Asks the program to end, and waits until it has.
    pub(crate) async fn terminate(self) {
        self.end(Signal::SIGTERM).await;
    }

    /// Ends the program, as the kernel does when memory is short.
    pub(crate) async fn kill(self) {
        self.end(Signal::SIGKILL).await;
    }

    async fn end(mut self, signal: Signal) {
        // Not waited for yet, so the number is still its own.
        kill(self.pid, signal).expect("a child can be signalled");
        let ended = tokio::time::timeout(PATIENCE, self.process.wait()).await;
        let ended = ended.unwrap_or_else(|_| panic!("the program does not end on {signal}:\n{}", self.log()));
        ended.expect("a child can be waited for");
    }
}
