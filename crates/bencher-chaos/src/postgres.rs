//! A PostgreSQL of one's own, whose postmaster can be killed and started again on the same data and port.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use nix::unistd::{Uid, User, chown};
use tokio::process::Command;

/// Where the cluster is and how it is reached.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    bin: PathBuf,
    folder: PathBuf,
    port: u16,
    account: Option<(u32, u32)>,
    pub(crate) url: String,
}

impl Cluster {
    /// Makes the data; nothing runs yet.
    pub(crate) async fn create(folder: PathBuf, port: u16) -> Result<Self> {
        let bin = binaries().context("PostgreSQL's server is not installed (Debian: postgresql)")?;
        fs::create_dir_all(&folder)?;
        let account = account()?;
        let password = uuid::Uuid::new_v4().simple().to_string();
        let file = folder.join("password");
        fs::write(&file, &password)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
        for path in [&folder, &file] {
            if let Some((uid, gid)) = account {
                chown(path, Some(uid.into()), Some(gid.into()))?;
            }
        }
        let url = format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres");
        let cluster = Self { bin, folder, port, account, url };
        let mut initdb = cluster.program("initdb");
        initdb.args(["--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]);
        initdb.arg("--auth=md5").arg("--pwfile").arg(&file).arg("--pgdata").arg(cluster.data());
        let made = initdb.output().await.context("could not start initdb")?;
        ensure!(made.status.success(), "could not make a PostgreSQL cluster: {}", String::from_utf8_lossy(&made.stderr));
        Ok(cluster)
    }

    /// The postmaster, as an installation runs it: what is committed is on the disk.
    pub(crate) fn server(&self) -> Command {
        let mut server = self.program("postgres");
        server.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=100"] {
            server.args(["-c", setting]);
        }
        server
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// One of PostgreSQL's programs, run by its account, which ends with this process.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]);
        if let Some((uid, gid)) = self.account {
            command.args([format!("--reuid={uid}"), format!("--regid={gid}"), "--init-groups".to_owned()]);
        }
        command.arg(self.bin.join(name)).current_dir(&self.folder).env("LC_ALL", "C.UTF-8").env_remove("PGDATA");
        command
    }
}

/// The newest installed server's programs, where Debian has them.
fn binaries() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))));
    let complete = |bin: &Path| bin.join("initdb").exists() && bin.join("postgres").exists();
    found.filter(|(_, bin)| complete(bin)).max_by_key(|(version, _)| *version).map(|(_, bin)| bin)
}

/// PostgreSQL does not run as root.
fn account() -> Result<Option<(u32, u32)>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let user = User::from_name("postgres")?.context("there is no account `postgres`; Debian's package postgresql makes it")?;
    Ok(Some((user.uid.as_raw(), user.gid.as_raw())))
}
