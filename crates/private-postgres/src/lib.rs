//! For tests and developer commands: a PostgreSQL cluster of one's own on loopback. Makes it and says how its server is started; who
//! asks for it starts and ends the server. Never touches the system's cluster.
//!
//! PostgreSQL refuses to run as root; then the account that Debian's package makes runs it.

use std::{
    ffi::OsStr,
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use nix::unistd::{Uid, User, chown};
use rand::distr::{Alphanumeric, SampleString as _};

/// A cluster's data, and who may start its server.
#[derive(Clone, Debug)]
pub struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    account: Option<User>,
    password: String,
}

impl Cluster {
    /// Makes the data in a folder, which is made where it does not exist, and handed to the account that runs the server. Nothing runs
    /// yet. `programs` is the folder that [`programs`] finds.
    ///
    /// # Errors
    /// There is no such account, or the data cannot be made.
    pub fn create(programs: PathBuf, folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder).with_context(|| format!("could not create {}", folder.display()))?;
        let password = Alphanumeric.sample_string(&mut rand::rng(), 24);
        let cluster = Self { programs, folder, account: account()?, password };
        let file = cluster.folder.join("password");
        fs::write(&file, &cluster.password).with_context(|| format!("could not write {}", file.display()))?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).context("could not protect the password")?;
        if let Some(user) = &cluster.account {
            for path in [&cluster.folder, &file] {
                let handed = chown(path, Some(user.uid), Some(user.gid));
                handed.with_context(|| format!("could not hand {} to PostgreSQL's account", path.display()))?;
            }
        }
        let mut initdb = cluster.program("initdb");
        initdb.args(["--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]);
        // The cheapest check that still keeps the machine's other users out: tests open many connections.
        initdb.arg("--auth=md5");
        initdb.arg("--pwfile").arg(&file).arg("--pgdata").arg(cluster.data());
        let made = initdb.stdin(Stdio::null()).output().context("could not start initdb")?;
        ensure!(made.status.success(), "could not make a PostgreSQL cluster: {}", String::from_utf8_lossy(&made.stderr).trim());
        Ok(cluster)
    }

    /// A superuser's URL of the database `postgres`, where the server listens on this port.
    #[must_use]
    pub fn url(&self, port: u16) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{port}/postgres", self.password)
    }

    /// The postmaster, on loopback only, with settings such as `fsync=off` beside those of every installation.
    #[must_use]
    pub fn server(&self, port: u16, settings: &[&str]) -> Command {
        let mut server = self.program("postgres");
        server.arg("-D").arg(self.data()).args(["-p", &port.to_string()]);
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories="].iter().chain(settings) {
            server.args(["-c", setting]);
        }
        server
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// One of PostgreSQL's programs, run by its account; interrupted when this process ends, however that happens.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]);
        if let Some(user) = &self.account {
            command.args([format!("--reuid={}", user.uid), format!("--regid={}", user.gid), "--init-groups".to_owned()]);
        }
        command.arg(self.programs.join(name)).current_dir(&self.folder).env("LC_ALL", "C.UTF-8").env_remove("PGDATA");
        command
    }
}

/// The folder of the newest installed server's programs: Debian keeps them off the path, others keep them on it. `path` is the value of
/// `PATH`.
#[must_use]
pub fn programs(path: Option<&OsStr>) -> Option<PathBuf> {
    let is_complete = |bin: &Path| bin.join("initdb").exists() && bin.join("postgres").exists();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| is_complete(bin))
        .max_by_key(|(version, _)| *version);
    let on_path = || {
        // What is on the path may be a link to where its companions are.
        let found = std::env::split_paths(path?).map(|folder| folder.join("initdb")).find(|file| file.is_file())?;
        found.canonicalize().ok()?.parent().filter(|bin| is_complete(bin)).map(Path::to_owned)
    };
    newest.map(|(_, bin)| bin).or_else(on_path)
}

/// Who runs the server: nobody else but us, unless we are root.
///
/// # Errors
/// We are root and there is no account `postgres`.
pub fn account() -> Result<Option<User>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let user = User::from_name("postgres").context("could not look up the account `postgres`")?;
    user.map(Some)
        .context("PostgreSQL does not run as root and there is no account `postgres`; Debian's package postgresql makes it")
}

/// A port on which nobody listens now. Another program can take it before it is used.
///
/// # Errors
/// There is none.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("could not find a free port")?;
    Ok(listener.local_addr().context("could not find a free port")?.port())
}
