//! The product's processes and a client for the server.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    sync::OnceCell,
};

/// More than any measurement sends.
const UNLIMITED: Limit = Limit { minute: u32::MAX, hour: u32::MAX, day: u32::MAX };

#[derive(Clone, Copy, Debug, serde::Serialize)]
struct Limit {
    minute: u32,
    hour: u32,
    day: u32,
}

/// A bound for whatever should be quick.
const PATIENCE: Duration = Duration::from_secs(60);

/// The release binary of this name, beside this program.
pub(crate) fn binary(name: &str) -> Result<PathBuf> {
    let path = built(name)?;
    ensure!(path.exists(), "{} is not there: `cargo xtask bench` builds it", path.display());
    Ok(path)
}

/// Where what is built with this program is.
pub(crate) fn built(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.parent().and_then(Path::parent).context("no folder above the program")?.join(name))
}

/// What the environment says, if it says something.
pub(crate) fn given(variable: &str) -> Option<OsString> {
    std::env::var_os(variable).filter(|value| !value.is_empty())
}

/// A server with a database of its own, and an admin's token.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) client: reqwest::Client,
    pub(crate) folder: TempDir,
    user_key: OnceCell<String>,
    child: Child,
}

impl Server {
    pub(crate) async fn start() -> Result<Self> {
        Self::start_on(None).await
    }

    /// A server on this PostgreSQL, or on a file of its own.
    pub(crate) async fn start_on(postgres: Option<&str>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let address = free_address()?;
        let config = json!({
            "console": { "url": format!("http://{address}/") },
            "security": { "secret_key": "a secret key for measurements only" },
            "server": {
                "bind_address": address, "request_body_max_bytes": 4 << 20,
                // Every runner of a large fleet has this machine's address here, as they would have that of a proxy.
                "max_connections": 20_000, "trusted_proxies": ["127.0.0.1/32"],
            },
            "database": match postgres {
                Some(url) => json!({ "url": url }),
                None => json!({ "file": folder.path().join("bencher.db") }),
            },
            "plus": {
                "registry": { "url": format!("http://{address}/"), "folder": folder.path().join("blobs") },
                // What is measured is the server, not its limits.
                "rate_limiting": { "user": { "requests": UNLIMITED, "runs": UNLIMITED }, "public": { "requests": UNLIMITED } },
            },
        });
        std::fs::write(folder.path().join("bencher.json"), config.to_string())?;
        let url = format!("http://{address}");
        let client = reqwest::Client::builder().no_proxy().build()?;
        let child = spawn_server(folder.path(), &client, &url).await?.0;
        let mut server = Self { url, token: String::new(), client, folder, user_key: OnceCell::new(), child };
        server.sign_up().await?;
        Ok(server)
    }

    /// Stops the process and starts it again on the same data; how long that took until it answered.
    pub(crate) async fn restart(&mut self) -> Result<Duration> {
        stop(&mut self.child).await?;
        let (child, took) = spawn_server(self.folder.path(), &self.client, &self.url).await?;
        self.child = child;
        Ok(took)
    }

    pub(crate) fn pid(&self) -> Result<u32> {
        self.child.id().context("the server has ended")
    }

    async fn sign_up(&mut self) -> Result<()> {
        let email = "bench@example.com";
        self.call(Method::POST, "/v0/auth/signup", json!({ "name": "Bench", "email": email, "i_agree": true })).await?;
        let log = std::fs::read_to_string(self.folder.path().join("server.log"))?;
        // Without a mail server the command that confirms is in the log.
        let (_, token) = log.rsplit_once("auth confirm ").context("no confirmation in the server's log")?;
        let token = token.split_whitespace().next().context("no token in the server's log")?;
        let user = self.call(Method::POST, "/v0/auth/confirm", json!({ "token": token })).await?;
        self.token = text(&user, "token")?;
        Ok(())
    }

    /// Sends JSON (`null`: no body) and expects success.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Value) -> Result<Value> {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).timeout(PATIENCE);
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let status = response.status();
        let body = response.text().await?;
        ensure!(status.is_success(), "{path} answered {status}: {body}");
        Ok(serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// A project, a spec that runs on the host, and a runner for it with its key.
    pub(crate) async fn prepare(&self) -> Result<(String, String)> {
        self.prepare_for(None).await
    }

    /// The same with a spec that runs in this sandbox.
    pub(crate) async fn prepare_for(&self, sandbox: Option<&str>) -> Result<(String, String)> {
        self.add_project("bench").await?;
        let spec = json!({
            "name": "host", "slug": "host", "os": "linux", "architecture": std::env::consts::ARCH, "cpu": 1,
            "memory": 1_u64 << 30, "disk": 8_u64 << 30, "fallback": true, "sandbox": sandbox,
        });
        self.call(Method::POST, "/v0/specs", spec).await?;
        let runner = self.call(Method::POST, "/v0/runners", json!({ "name": "bench", "slug": "bench" })).await?;
        self.call(Method::POST, "/v0/runners/bench/specs", json!({ "spec": "host" })).await?;
        Ok((text(&runner, "uuid")?, text(&runner, "key")?))
    }

    /// Adds a project with this slug.
    pub(crate) async fn add_project(&self, slug: &str) -> Result<()> {
        let organizations = self.call(Method::GET, "/v0/organizations", Value::Null).await?;
        let path = format!("/v0/organizations/{}/projects", text(&organizations[0], "slug")?);
        self.call(Method::POST, &path, json!({ "name": slug, "slug": slug })).await?;
        Ok(())
    }

    /// The admin's key for the registry, which is made when it is first asked for.
    pub(crate) async fn user_key(&self) -> Result<&str> {
        let make = async || {
            let users = self.call(Method::GET, "/v0/users", Value::Null).await?;
            let path = format!("/v0/users/{}/keys", text(&users[0], "slug")?);
            text(&self.call(Method::POST, &path, json!({ "name": "registry" })).await?, "key")
        };
        Ok(self.user_key.get_or_try_init(make).await?)
    }

    /// Submits a job and returns its id.
    pub(crate) async fn submit(&self, image: &str, cmd: &[&str]) -> Result<String> {
        let now = text(&self.call(Method::GET, "/v0/specs/host", Value::Null).await?, "created")?;
        self.submit_at(&now, image, cmd).await
    }

    /// Submits a job to the project of its image, with the given start and end time, in one request.
    pub(crate) async fn submit_at(&self, time: &str, image: &str, cmd: &[&str]) -> Result<String> {
        let run = json!({
            "branch": "main", "start_time": time, "end_time": time, "results": [],
            "idempotency_key": uuid::Uuid::new_v4(), "job": { "image": image, "cmd": cmd, "timeout": 600 },
        });
        text(&self.call(Method::POST, "/v0/run", run).await?, "job")
    }

    /// Waits until a job is over, asking every two milliseconds, and expects that it was processed.
    pub(crate) async fn processed(&self, job: &str) -> Result<()> {
        self.reaches(job, "processed").await
    }

    /// Waits until a job has this status, asking every two milliseconds, and expects that it comes to it.
    pub(crate) async fn reaches(&self, job: &str, status: &str) -> Result<()> {
        let begun = Instant::now();
        loop {
            let view = self.call(Method::GET, &format!("/v0/projects/bench/jobs/{job}"), Value::Null).await?;
            match view["status"].as_str() {
                Some(reached) if reached == status => return Ok(()),
                Some("failed" | "canceled" | "processed") => bail!("the job ended as {view}"),
                _ if begun.elapsed() > 5 * PATIENCE => bail!("the job is still {view}"),
                _ => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
    }

    /// Starts the real runner, for jobs on the host, on a folder of its own.
    pub(crate) async fn start_runner(&self, key: &str) -> Result<Runner> {
        self.start_runner_with(key, &["--danger-allow-no-sandbox".to_owned()]).await
    }

    /// The same with other flags.
    pub(crate) async fn start_runner_with(&self, key: &str, flags: &[String]) -> Result<Runner> {
        let folder = tempfile::tempdir()?;
        let log = std::fs::File::create(folder.path().join("runner.log"))?;
        let child = Command::new(binary("runner")?)
            .args(["up", "--host", &self.url, "--runner", "bench", "--key", key, "--data-dir"])
            .arg(folder.path().join("data"))
            .args(flags)
            .stdin(Stdio::null())
            .stderr(Stdio::from(log.try_clone()?))
            .stdout(Stdio::from(log))
            .kill_on_drop(true)
            .spawn()?;
        let runner = Runner { child, _folder: folder };
        let begun = Instant::now();
        loop {
            let view = self.call(Method::GET, "/v0/runners/bench", Value::Null).await?;
            if view["state"] == "idle" {
                return Ok(runner);
            }
            ensure!(begun.elapsed() < PATIENCE, "the runner did not connect: {view}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A running runner. Killed when it is dropped.
pub(crate) struct Runner {
    child: Child,
    _folder: TempDir,
}

impl Runner {
    pub(crate) fn pid(&self) -> Result<u32> {
        self.child.id().context("the runner has ended")
    }

    pub(crate) async fn stop(mut self) -> Result<()> {
        stop(&mut self.child).await
    }
}

async fn spawn_server(folder: &Path, client: &reqwest::Client, url: &str) -> Result<(Child, Duration)> {
    let log = std::fs::File::create(folder.join("server.log"))?;
    let begun = Instant::now();
    let child = Command::new(binary("bencher-api")?)
        .arg("--config")
        .arg(folder.join("bencher.json"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::from(log))
        .kill_on_drop(true)
        .spawn()?;
    loop {
        if let Ok(response) = client.get(format!("{url}/readyz")).send().await
            && response.status() == StatusCode::OK
        {
            return Ok((child, begun.elapsed()));
        }
        ensure!(begun.elapsed() < PATIENCE, "the server did not start");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn stop(child: &mut Child) -> Result<()> {
    if let Some(pid) = child.id() {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(pid)?);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)?;
    }
    tokio::time::timeout(PATIENCE, child.wait()).await.context("the process did not stop")??;
    Ok(())
}

/// Resident memory of a process, in MiB: now, and at its highest since [`reset_peak`].
pub(crate) fn memory_mib(pid: u32) -> Result<(f64, f64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| -> Result<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name} in /proc"))?;
        let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
        Ok(kib / 1024.0)
    };
    Ok((field("VmRSS:")?, field("VmHWM:")?))
}

/// Forgets the highest resident memory so far (proc(5), `clear_refs`).
pub(crate) fn reset_peak(pid: u32) -> Result<()> {
    Ok(std::fs::write(format!("/proc/{pid}/clear_refs"), "5")?)
}

/// The CPU time that a process has used.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may hold spaces; the fields that follow its parenthesis do not.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| -> Result<u64> { Ok(fields.get(index).context("a short /proc/pid/stat")?.parse()?) };
    // Hundredths of a second on every Linux.
    Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 10))
}

pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A text member of a JSON object.
pub(crate) fn text(value: &Value, member: &str) -> Result<String> {
    value[member].as_str().map(str::to_owned).with_context(|| format!("no {member} in {value}"))
}
