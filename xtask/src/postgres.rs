//! A PostgreSQL cluster of our own: made for one run, on loopback, gone afterwards.
//!
//! The server is a direct child and not a daemon: the kernel interrupts it when this process dies, however that happens.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid, User},
};
use private_postgres::{Cluster, account, free_port};
use tempfile::TempDir;

use crate::workspace;

/// Folders of clusters begin so; only such folders are ever swept.
const PREFIX: &str = "bencher-test-postgres-";
/// A start takes about a second; a machine that is busy with a build needs longer.
const START_BOUND: Duration = Duration::from_secs(60);
/// A fast shutdown ends sessions and takes well under a second.
const STOP_BOUND: Duration = Duration::from_secs(10);
/// Another program can take the port between our look and the server's own bind.
const START_TRIES: u32 = 3;

/// A running cluster. [`PrivatePostgres::stop`] says what went wrong; dropping stops it too.
#[must_use = "dropping it stops the cluster"]
pub(crate) struct PrivatePostgres {
    url: String,
    child: Child,
    /// Disconnected once the server and all of its processes have ended: they hold the other end of its log.
    log: Receiver<Log>,
    home: Home,
}

/// Whether what was committed survives a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// A test's database does not outlive a power cut anyway.
    None,
    /// As people run it.
    Full,
}

/// What the server's log said.
enum Log {
    Ready,
    Line(String),
}

/// The cluster's folder, locked for as long as its owner lives.
struct Home {
    dir: TempDir,
    _lock: File,
}

impl PrivatePostgres {
    /// Makes a cluster and waits until it accepts connections.
    ///
    /// # Errors
    /// PostgreSQL is not installed or does not start.
    pub(crate) fn start(durability: Durability) -> Result<Self> {
        let programs = programs().context("PostgreSQL's server is not installed; `cargo xtask setup` installs it")?;
        sweep(&std::env::temp_dir(), account()?.as_ref())?;
        let home = Home::create()?;
        let cluster = Cluster::create(programs, home.dir.path().to_owned())?;
        let mut problem = anyhow!("no port was tried");
        for _ in 0..START_TRIES {
            let port = free_port()?;
            match launch(&cluster, port, durability) {
                Ok((child, log)) => return Ok(Self { url: cluster.url(port), child, log, home }),
                Err(error) if error.to_string().contains("Address already in use") => problem = error,
                Err(error) => return Err(error),
            }
        }
        Err(problem)
    }

    /// A superuser's URL of the database `postgres`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Ends all sessions, the server, and its folder.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.shut_down()?;
        fs::remove_dir_all(self.home.dir.path()).with_context(|| format!("could not remove {}", self.home.dir.path().display()))
    }

    /// Asks, insists, ends; returns once the server and its processes are gone. Does nothing the second time.
    fn shut_down(&mut self) -> Result<()> {
        let running = |child: &mut Child| child.try_wait().context("could not look at PostgreSQL").map(|status| status.is_none());
        for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGKILL] {
            if !running(&mut self.child)? {
                return Ok(());
            }
            let pid = Pid::from_raw(i32::try_from(self.child.id()).context("PostgreSQL's process id is out of range")?);
            kill(pid, signal).with_context(|| format!("could not send {signal} to PostgreSQL"))?;
            if ends_within(&self.log, STOP_BOUND) {
                break;
            }
        }
        self.child.wait().context("could not wait for PostgreSQL")?;
        Ok(())
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        if let Err(error) = self.shut_down() {
            eprintln!("warning: {error:#}");
        }
    }
}

impl Home {
    /// Under the system's temporary folder and not under `target/`: the account that runs the server has to get
    /// there, and a checkout often lies in a home that it may not enter.
    fn create() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix(PREFIX).tempdir().context("could not make a folder for PostgreSQL")?;
        // Named only once it is locked, so that nobody who sweeps finds it unlocked.
        let (unnamed, named) = (dir.path().join("owner.lock.new"), dir.path().join("owner.lock"));
        let lock = File::create(&unnamed).with_context(|| format!("could not create {}", unnamed.display()))?;
        lock.try_lock().with_context(|| format!("could not lock {}", unnamed.display()))?;
        fs::rename(&unnamed, &named).with_context(|| format!("could not create {}", named.display()))?;
        Ok(Self { dir, _lock: lock })
    }
}

/// Removes the folders of runs that ended without doing so themselves. Their servers ended with them.
fn sweep(base: &Path, account: Option<&User>) -> Result<()> {
    let ours = |uid: u32| uid == Uid::effective().as_raw() || account.is_some_and(|user| user.uid.as_raw() == uid);
    for entry in fs::read_dir(base).with_context(|| format!("could not read {}", base.display()))? {
        let entry = entry.with_context(|| format!("could not read {}", base.display()))?;
        let is_ours = entry.metadata().is_ok_and(|meta| meta.is_dir() && ours(meta.uid()));
        if !is_ours || !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let path = entry.path();
        let abandoned = File::open(path.join("owner.lock")).is_ok_and(|lock| lock.try_lock().is_ok());
        if abandoned {
            fs::remove_dir_all(&path).with_context(|| format!("could not remove the leftover {}", path.display()))?;
        }
    }
    Ok(())
}

/// Where the server's programs are, if it is installed.
pub(crate) fn programs() -> Option<PathBuf> {
    private_postgres::programs(std::env::var_os("PATH").as_deref())
}

/// Starts the server and waits for its own word that it accepts connections.
fn launch(cluster: &Cluster, port: u16, durability: Durability) -> Result<(Child, Receiver<Log>)> {
    let settings: &[&str] = match durability {
        Durability::None => &["max_connections=300", "fsync=off", "synchronous_commit=off", "full_page_writes=off"],
        Durability::Full => &["max_connections=300"],
    };
    let mut server = cluster.server(port, settings);
    // A group of its own: Ctrl-C is for the tests; they still need the database while they stop.
    server.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = server.spawn().context("could not start PostgreSQL")?;
    let stderr = child.stderr.take().context("PostgreSQL was started without a log")?;
    let (sender, log) = mpsc::channel();
    thread::spawn(move || follow_log(stderr, &sender));
    match wait_until_ready(&log) {
        Ok(()) => Ok((child, log)),
        Err(error) => {
            // Best effort: it may have ended by itself, which is what the error says.
            let _ = child.kill();
            child.wait().context("could not wait for PostgreSQL")?;
            Err(error)
        }
    }
}

/// Keeps the log in a file for whoever asks why a test failed, and tells what matters.
fn follow_log(stderr: ChildStderr, sender: &Sender<Log>) {
    let kept = workspace::root().join("target/test-postgres.log");
    let mut file = File::create(kept).ok();
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        if let Some(file) = &mut file {
            // A log that cannot be kept is no reason to fail the tests.
            let _ = writeln!(file, "{line}");
        }
        let log = if line.ends_with("database system is ready to accept connections") { Log::Ready } else { Log::Line(line) };
        // Nobody listens once the server is up, except for the end.
        let _ = sender.send(log);
    }
}

fn wait_until_ready(log: &Receiver<Log>) -> Result<()> {
    let mut lines = Vec::new();
    loop {
        match log.recv_timeout(START_BOUND) {
            Ok(Log::Ready) => return Ok(()),
            Ok(Log::Line(line)) => lines.push(line),
            Err(RecvTimeoutError::Timeout) => bail!("PostgreSQL did not start within {START_BOUND:?}:\n{}", lines.join("\n")),
            Err(RecvTimeoutError::Disconnected) => bail!("PostgreSQL did not start:\n{}", lines.join("\n")),
        }
    }
}

/// Whether the log ends, which is when the last of the server's processes does.
fn ends_within(log: &Receiver<Log>, bound: Duration) -> bool {
    loop {
        match log.recv_timeout(bound) {
            Ok(_) => {}
            Err(RecvTimeoutError::Disconnected) => return true,
            Err(RecvTimeoutError::Timeout) => return false,
        }
    }
}

#[cfg(test)]
mod tests;
