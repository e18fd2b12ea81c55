//! A PostgreSQL cluster of our own: made for one run, on loopback, gone afterwards. Never touches the system's cluster.
//!
//! The server is a direct child and not a daemon: the kernel interrupts it when this process dies, however that
//! happens. PostgreSQL refuses to run as root; then the account that Debian's package makes runs it.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    os::unix::{fs::MetadataExt as _, fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid, User, chown},
};
use rand::distr::{Alphanumeric, SampleString as _};
use tempfile::TempDir;

use crate::{process, workspace};

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
        let bin = binaries().context("PostgreSQL's server is not installed; `cargo xtask setup` installs it")?;
        let account = account()?;
        sweep(&std::env::temp_dir(), account.as_ref())?;
        let home = Home::create(account.as_ref())?;
        let password = Alphanumeric.sample_string(&mut rand::rng(), 24);
        init_cluster(&bin, &home, account.as_ref(), &password)?;
        let mut problem = anyhow!("no port was tried");
        for _ in 0..START_TRIES {
            let port = free_port()?;
            match launch(&bin, &home, account.as_ref(), port, durability) {
                Ok((child, log)) => {
                    let url = format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres");
                    return Ok(Self { url, child, log, home });
                }
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
    fn create(account: Option<&User>) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix(PREFIX).tempdir().context("could not make a folder for PostgreSQL")?;
        // Named only once it is locked, so that nobody who sweeps finds it unlocked.
        let (unnamed, named) = (dir.path().join("owner.lock.new"), dir.path().join("owner.lock"));
        let lock = File::create(&unnamed).with_context(|| format!("could not create {}", unnamed.display()))?;
        lock.try_lock().with_context(|| format!("could not lock {}", unnamed.display()))?;
        fs::rename(&unnamed, &named).with_context(|| format!("could not create {}", named.display()))?;
        if let Some(user) = account {
            chown(dir.path(), Some(user.uid), Some(user.gid)).context("could not hand the folder to PostgreSQL's account")?;
        }
        Ok(Self { dir, _lock: lock })
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
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

/// The newest installed server's programs: Debian keeps them off the path, others keep them on it.
pub(crate) fn binaries() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").exists() && bin.join("postgres").exists())
        .max_by_key(|(version, _)| *version);
    let on_path = || {
        let initdb = process::find("initdb")?.canonicalize().ok()?;
        initdb.parent().filter(|bin| bin.join("postgres").exists()).map(Path::to_path_buf)
    };
    newest.map(|(_, bin)| bin).or_else(on_path)
}

/// Who runs the server: nobody else but us, unless we are root.
fn account() -> Result<Option<User>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let user = User::from_name("postgres").context("could not look up the account `postgres`")?;
    user.map(Some)
        .context("PostgreSQL does not run as root and there is no account `postgres`; Debian's package postgresql makes it")
}

/// One of the server's programs, run by its account; interrupted when this process ends.
fn server_program(program: &Path, home: &Home, account: Option<&User>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "INT"]);
    if let Some(user) = account {
        command.args([format!("--reuid={}", user.uid), format!("--regid={}", user.gid), "--init-groups".to_owned()]);
    }
    command.arg(program).current_dir(home.dir.path()).env("LC_ALL", "C.UTF-8").env_remove("PGDATA");
    command
}

fn init_cluster(bin: &Path, home: &Home, account: Option<&User>, password: &str) -> Result<()> {
    let password_file = home.dir.path().join("password");
    fs::write(&password_file, password).with_context(|| format!("could not write {}", password_file.display()))?;
    fs::set_permissions(&password_file, fs::Permissions::from_mode(0o600)).context("could not protect the password")?;
    if let Some(user) = account {
        chown(&password_file, Some(user.uid), Some(user.gid)).context("could not hand over the password")?;
    }
    let mut initdb = server_program(&bin.join("initdb"), home, account);
    initdb.args(["--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]);
    // The cheapest check that still keeps the machine's other users out: tests open many connections.
    initdb.arg("--auth=md5");
    initdb.arg("--pwfile").arg(&password_file).arg("--pgdata").arg(home.data());
    process::output(&mut initdb).context("could not make a PostgreSQL cluster")?;
    Ok(())
}

pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("could not find a free port")?;
    Ok(listener.local_addr().context("could not find a free port")?.port())
}

/// Starts the server and waits for its own word that it accepts connections.
fn launch(bin: &Path, home: &Home, account: Option<&User>, port: u16, durability: Durability) -> Result<(Child, Receiver<Log>)> {
    let mut server = server_program(&bin.join("postgres"), home, account);
    server.arg("-D").arg(home.data()).args(["-p", &port.to_string()]);
    let settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300"];
    let careless: &[&str] = match durability {
        Durability::None => &["fsync=off", "synchronous_commit=off", "full_page_writes=off"],
        Durability::Full => &[],
    };
    for setting in settings.iter().chain(careless) {
        server.args(["-c", setting]);
    }
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
