//! A program that runs beside this one for as long as it is wanted: its log in a file, ended with this process, however
//! that happens, and never left behind. Knows nothing of what the program does.

use std::{
    fs::{self, File},
    io::ErrorKind,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::Pid,
};

use crate::signals;

/// A start takes a moment; a machine that is busy with a build needs longer.
const START_BOUND: Duration = Duration::from_secs(60);
/// Longer than the server gives its open requests and the runner its last messages.
const STOP_BOUND: Duration = Duration::from_secs(45);
/// How often a log is looked at while something in it is awaited.
const LOOK: Duration = Duration::from_millis(50);
/// How much of a log is shown where a program fails.
const TAIL_LINES: usize = 20;

/// A running program. [`Service::stop`] says what went wrong; dropping stops it too.
#[must_use = "dropping it stops the program"]
pub(crate) struct Service {
    name: &'static str,
    child: Child,
    pid: Pid,
    /// Told once the program has ended.
    ended: Receiver<()>,
    log: PathBuf,
}

impl Service {
    /// Starts `program`; what it prints goes to `log`, and the log of the time before beside it.
    ///
    /// `configure` sets arguments and environment.
    pub(crate) fn start(name: &'static str, program: &Path, log: &Path, configure: impl FnOnce(&mut Command)) -> Result<Self> {
        keep_previous(log)?;
        let file = File::create(log).with_context(|| format!("could not create {}", log.display()))?;
        let errors = file.try_clone().context("could not open the log twice")?;
        // The kernel asks it to end when this process dies without doing so.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM"]).arg(program);
        configure(&mut command);
        // A group of its own: Ctrl-C is for this process, which then stops what it started in the right order.
        command.process_group(0).stdin(Stdio::null()).stdout(file).stderr(errors).env("NO_COLOR", "1");
        let child = command.spawn().with_context(|| format!("could not start {}", program.display()))?;
        let pid = Pid::from_raw(i32::try_from(child.id()).context("a process id is out of range")?);
        let (tell, ended) = mpsc::channel();
        thread::spawn(move || {
            // Only looks: the id stays taken until the child is waited for, so that no other process is ever signalled.
            let _ = waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
            let _ = tell.send(());
        });
        Ok(Self { name, child, pid, ended, log: log.to_owned() })
    }

    /// Waits until a line of the log has `text` in it, and returns that line.
    pub(crate) fn wait_for(&mut self, text: &str) -> Result<String> {
        let start = Instant::now();
        loop {
            if let Some(line) = self.line_with(text)? {
                return Ok(line);
            }
            if signals::stop_requested() {
                bail!("stopped while waiting for the {}", self.name);
            }
            if self.wait(LOOK) {
                self.check()?;
            }
            if start.elapsed() > START_BOUND {
                bail!("the {} did not say `{text}` within {START_BOUND:?}\n{}", self.name, self.tail());
            }
        }
    }

    /// The last line of the log that has `text` in it.
    pub(crate) fn line_with(&self, text: &str) -> Result<Option<String>> {
        let log = fs::read(&self.log).with_context(|| format!("could not read {}", self.log.display()))?;
        let log = String::from_utf8_lossy(&log);
        Ok(log.lines().rfind(|line| line.contains(text)).map(str::to_owned))
    }

    /// Fails, with the end of its log, if the program has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.status()? {
            None => Ok(()),
            Some(status) => bail!("the {} ended by itself ({status})\n{}", self.name, self.tail()),
        }
    }

    /// The end of the log, and where the rest is.
    pub(crate) fn tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        format!("the last lines of {}:\n{}", self.log.display(), last_lines(&String::from_utf8_lossy(&log), TAIL_LINES))
    }

    /// Waits at most `bound`; whether the program has ended.
    pub(crate) fn wait(&self, bound: Duration) -> bool {
        match self.ended.recv_timeout(bound) {
            // The sender is gone once it has told.
            Ok(()) | Err(RecvTimeoutError::Disconnected) => true,
            Err(RecvTimeoutError::Timeout) => false,
        }
    }

    /// Asks the program to end and, if it does not, ends it.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.shut_down()
    }

    /// Whether it has ended well.
    pub(crate) fn has_succeeded(&mut self) -> Result<bool> {
        Ok(self.status()?.is_some_and(|status| status.success()))
    }

    fn status(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("could not look at the {}", self.name))
    }

    fn shut_down(&mut self) -> Result<()> {
        if self.status()?.is_some() {
            return Ok(());
        }
        self.signal(Signal::SIGTERM)?;
        if self.wait(STOP_BOUND) {
            self.child.wait().with_context(|| format!("could not wait for the {}", self.name))?;
            return Ok(());
        }
        self.signal(Signal::SIGKILL)?;
        self.child.wait().with_context(|| format!("could not wait for the {}", self.name))?;
        bail!("the {} did not end within {STOP_BOUND:?} and was killed\n{}", self.name, self.tail())
    }

    /// The child is not waited for yet: `status` was asked before.
    fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.pid, signal).with_context(|| format!("could not send {signal} to the {}", self.name))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Err(error) = self.shut_down() {
            eprintln!("warning: {error:#}");
        }
    }
}

fn keep_previous(log: &Path) -> Result<()> {
    let previous = log.with_extension("log.old");
    match fs::rename(log, &previous) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("could not rename {}", log.display()))
        }
        _ => Ok(()),
    }
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests;
