//! Where a run happens: the folder, the programs' configuration, and an installation with a project and runners in it.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use bad_line::Line;
use nix::{sys::signal::Signal, unistd::Uid};
use private_postgres::{Cluster, free_port};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    Args, Database,
    client::{Client, text},
    image, plan,
    program::{Program, Stamina},
};

const EMAIL: &str = "chaos@example.com";
pub(crate) const PROJECT: &str = "shop";
pub(crate) const IMAGE: &str = "shop/bench";
/// Seconds that a runner may be silent: more than any absence by plan.
pub(crate) const HEARTBEAT_TIMEOUT: u64 = 30;
/// What the server's log says once it serves.
const LISTENS: &str = "listening";

/// The folder and what is known of the programs in it.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    /// Where clients find the servers.
    pub(crate) urls: Vec<String>,
    /// To the servers, for runners; none where they need none.
    pub(crate) lines: Vec<Line>,
    pub(crate) postgres: Option<Postgres>,
    pub(crate) runners: Vec<Runner>,
    /// In the command line of every benchmark of this run, and of nothing else on the machine.
    pub(crate) marker: String,
    binaries: PathBuf,
}

/// A PostgreSQL of this run alone, whose postmaster can be killed and started again on the same data and port.
#[derive(Clone, Debug)]
pub(crate) struct Postgres {
    cluster: Cluster,
    port: u16,
    pub(crate) url: String,
}

impl Postgres {
    fn create(folder: PathBuf, path: Option<&OsStr>) -> Result<Self> {
        let programs = private_postgres::programs(path);
        let cluster = Cluster::create(programs.context("PostgreSQL's server is not installed (Debian: postgresql)")?, folder)?;
        let port = free_port()?;
        let url = cluster.url(port);
        Ok(Self { cluster, port, url })
    }
}

/// A registered runner.
#[derive(Clone, Debug)]
pub(crate) struct Runner {
    pub(crate) name: String,
    pub(crate) data: PathBuf,
    key: String,
    server: String,
}

impl Site {
    /// Makes the folder and the configurations; nothing runs yet.
    pub(crate) async fn create(args: &Args, path: Option<&OsStr>) -> Result<Self> {
        ensure!(Uid::effective().is_root(), "benchmarks on the host need root");
        ensure!(Path::new("/usr/bin/crun").exists(), "/usr/bin/crun is not there (Debian: crun)");
        ensure!(Path::new(image::BUSYBOX).exists(), "there is no static busybox (Debian: busybox-static)");
        let this = std::env::current_exe()?;
        let binaries = this.parent().context("this program is in a folder")?.to_owned();
        let folder = tempfile::Builder::new().prefix("bencher-chaos-").tempdir()?;
        // PostgreSQL's account has to get through.
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        std::fs::create_dir(folder.path().join("tmp"))?;
        let postgres = match args.database {
            Database::Sqlite => None,
            Database::Postgres => Some(Postgres::create(folder.path().join("postgres"), path)?),
        };
        let mut site = Self {
            urls: Vec::new(),
            lines: Vec::new(),
            postgres,
            runners: Vec::new(),
            marker: format!("chaos-{}", uuid::Uuid::new_v4().simple()),
            binaries,
            folder,
        };
        for number in 0..args.servers {
            let address = format!("127.0.0.1:{}", free_port()?);
            if args.proxy {
                site.lines.push(Line::to(address.parse()?).await?);
            }
            site.configure(number, &address)?;
        }
        Ok(site)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.path().join("server/blobs")
    }

    pub(crate) fn sqlite_file(&self) -> PathBuf {
        self.path().join("server/bencher.db")
    }

    /// Where a runner finds one of the servers.
    fn face(&self, number: usize) -> String {
        self.lines.get(number).map_or_else(|| self.urls[number].clone(), |line| format!("http://{}", line.address()))
    }

    /// From now on the lines are bad.
    pub(crate) fn spoil_lines(&self, seed: u64) {
        for (number, line) in (0_u64..).zip(&self.lines) {
            line.conduct(plan::bad_line(seed, number));
        }
    }

    /// From now on the lines are good, also for those who are connected. How often they were cut.
    pub(crate) fn mend_lines(&self) -> u64 {
        let mend = |line: &Line| {
            line.conduct(bad_line::Conduct::Good);
            let cuts = line.cuts();
            line.cut();
            cuts
        };
        self.lines.iter().map(mend).sum()
    }

    fn configure(&mut self, number: u8, address: &str) -> Result<()> {
        let url = format!("http://{address}");
        self.urls.push(url);
        let database = match &self.postgres {
            Some(postgres) => json!({ "url": postgres.url }),
            None => json!({ "file": self.sqlite_file() }),
        };
        // Whichever server made a token or a link, all of them stand for it.
        let face = self.face(0);
        let config = json!({
            "console": { "url": face },
            "security": { "secret_key": "a secret key for one run only, of no value" },
            "server": { "bind_address": address, "request_body_max_bytes": 4 << 20 },
            "database": database,
            "plus": {
                "registry": { "url": face, "folder": self.blobs() },
                "rate_limiting": { "enabled": false },
                "runners": { "heartbeat_timeout": HEARTBEAT_TIMEOUT },
            },
        });
        std::fs::write(self.path().join(format!("server-{number}.json")), config.to_string())?;
        Ok(())
    }

    /// The programs that a person would have installed: ending with this process, and knowing nothing of this user's settings.
    fn owned(binaries: &Path, folder: &Path, name: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(binaries.join(name)).env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("NO_COLOR", "1").env("TMPDIR", folder.join("tmp"));
        command.env("BENCHER_RUNNER_CONFIG", "/dev/null").current_dir(folder);
        command
    }

    pub(crate) fn database(&self) -> Option<Program> {
        let Postgres { cluster, port, .. } = self.postgres.clone()?;
        Some(Program {
            name: "database".to_owned(),
            log: self.path().join("database.log"),
            // As an installation runs it: what is committed is on the disk.
            command: Box::new(move || cluster.server(port, &["max_connections=100"]).into()),
            end: Signal::SIGINT,
            stamina: Stamina::Retries,
            before_kill: Box::new(|| {}),
        })
    }

    pub(crate) fn server(&self, number: usize) -> Program {
        let (binaries, folder) = (self.binaries.clone(), self.path().to_owned());
        Program {
            name: format!("server-{number}"),
            log: self.path().join(format!("server-{number}.log")),
            command: Box::new(move || {
                let mut command = Self::owned(&binaries, &folder, "bencher-api");
                command.arg("--config").arg(folder.join(format!("server-{number}.json")));
                command
            }),
            end: Signal::SIGTERM,
            stamina: if self.postgres.is_some() { Stamina::OnceItSays(LISTENS) } else { Stamina::Steady },
            before_kill: Box::new(|| {}),
        }
    }

    pub(crate) fn runner(&self, number: usize, before_kill: Box<dyn Fn() + Send + Sync>) -> Program {
        let (binaries, folder, runner) = (self.binaries.clone(), self.path().to_owned(), self.runners[number].clone());
        Program {
            name: runner.name.clone(),
            log: self.path().join(format!("{}.log", runner.name)),
            command: Box::new(move || {
                let mut command = Self::owned(&binaries, &folder, "runner");
                command.args([
                    "up",
                    "--host",
                    &runner.server,
                    "--runner",
                    &runner.name,
                    "--danger-allow-no-sandbox",
                    "--data-dir",
                ]);
                command.arg(&runner.data).env("BENCHER_RUNNER_KEY", &runner.key);
                command
            }),
            end: Signal::SIGTERM,
            stamina: Stamina::Steady,
            before_kill,
        }
    }

    /// Signs up, and makes a project, an image, a spec and runners.
    pub(crate) async fn furnish(&mut self, client: &mut Client, runners: u8) -> Result<()> {
        let signup = json!({ "name": "Chaos", "slug": "chaos", "email": EMAIL, "i_agree": true });
        client.call(Method::POST, "/v0/auth/signup", signup).await?;
        let log = std::fs::read_to_string(self.path().join("server-0.log"))?;
        let line = log.lines().rfind(|line| line.contains("auth confirm ")).context("no confirmation in the server's log")?;
        let token = line.split_whitespace().next_back().context("no token in the server's log")?;
        client.token = text(&client.call(Method::POST, "/v0/auth/confirm", json!({ "token": token })).await?, "token")?;
        let key = text(&client.call(Method::POST, "/v0/users/chaos/keys", json!({ "name": "chaos" })).await?, "key")?;
        client.call(Method::POST, "/v0/organizations/chaos/projects", json!({ "name": "Shop", "slug": PROJECT })).await?;
        let spec = json!({
            "name": "host", "slug": "host", "os": "linux", "architecture": std::env::consts::ARCH, "cpu": 1,
            "memory": 512_u64 << 20, "disk": 1_u64 << 30, "fallback": true,
        });
        client.call(Method::POST, "/v0/specs", spec).await?;
        image::push(client, &self.urls[0], EMAIL, &key, IMAGE).await?;
        for number in 0..usize::from(runners) {
            let name = format!("runner-{number}");
            let made: Value = client.call(Method::POST, "/v0/runners", json!({ "name": name, "slug": name })).await?;
            client.call(Method::POST, &format!("/v0/runners/{name}/specs"), json!({ "spec": "host" })).await?;
            let (data, key) = (self.path().join(&name), text(&made, "key")?);
            let server = self.face(number % self.urls.len());
            self.runners.push(Runner { name, data, key, server });
        }
        Ok(())
    }
}
