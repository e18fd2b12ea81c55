//! A world for a test: a server and its registry, a runner, an admin, and folders that go when the test ends. Knows the
//! interface of the server, but no test's story.

pub(crate) mod child;
pub(crate) mod image;
pub(crate) mod machine;
pub(crate) mod vm;

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use bad_line::Line;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::child::Child;

/// Far more than anything here takes; only a test that fails waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at something that is awaited.
const LOOK: Duration = Duration::from_millis(20);
/// Another program can take the port between our look and the server's own bind.
const START_TRIES: u32 = 3;

pub(crate) const EMAIL: &str = "ada@example.com";
pub(crate) const PROJECT: &str = "shop";
pub(crate) const SPEC: &str = "host";
pub(crate) const RUNNER: &str = "box";

/// A benchmark's output that the `json` adapter reads.
pub(crate) const BMF: &str = r#"{"checkout":{"latency":{"value":1.5}}}"#;

/// A running server and what is known about it. Everything goes when it is dropped.
pub(crate) struct World {
    pub(crate) url: String,
    /// A session of the admin.
    pub(crate) token: String,
    /// A key of the admin.
    pub(crate) key: String,
    /// The key of the runner [`RUNNER`].
    pub(crate) runner_key: String,
    /// In the command line of every benchmark of this world, and of nothing else on the machine.
    pub(crate) marker: String,
    /// Over which runners reach the server, where it is to be spoiled.
    line: Option<Line>,
    http: reqwest::Client,
    server: Option<Child>,
    folder: TempDir,
}

/// How runners reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Direct,
    Line { heartbeat_timeout: u64 },
}

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// It must have succeeded.
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }

    /// What it printed, as JSON; it must have succeeded.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let this = self.done();
        serde_json::from_str(&this.stdout).unwrap_or_else(|error| panic!("{error} in {this:#?}"))
    }
}

/// A job and the report that its results go to.
#[derive(Clone, Debug)]
pub(crate) struct Submitted {
    pub(crate) job: String,
    pub(crate) report: String,
}

impl World {
    /// A server with an admin, a project, a spec that runs on the host, and a registered runner that is not started.
    ///
    /// `None` where this machine cannot run benchmarks, and none is required to.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_on(Way::Direct).await
    }

    /// The same; runners reach server and registry over [`World::line`], and may be silent for so many seconds.
    pub(crate) async fn start_behind_a_line(heartbeat_timeout: u64) -> Option<Self> {
        Self::start_on(Way::Line { heartbeat_timeout }).await
    }

    async fn start_on(way: Way) -> Option<Self> {
        machine::require()?;
        rustls::crypto::ring::default_provider().install_default().ok();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        let mut world = Self {
            url: String::new(),
            token: String::new(),
            key: String::new(),
            runner_key: String::new(),
            marker: format!("benchmark-{}", uuid::Uuid::new_v4().simple()),
            line: None,
            http,
            server: None,
            folder,
        };
        for attempt in 1.. {
            let address = free_address();
            world.url = format!("http://{address}");
            if way != Way::Direct {
                world.line = Some(Line::to(address).await.expect("a line"));
            }
            world.write_config(address, way);
            match world.try_start_server().await {
                Ok(()) => break,
                Err(log) if attempt < START_TRIES && log.contains("could not listen") => {}
                Err(log) => panic!("the server did not start:\n{log}"),
            }
        }
        world.sign_up().await;
        world.furnish().await;
        Some(world)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The line that [`World::start_behind_a_line`] made.
    pub(crate) fn line(&self) -> &Line {
        self.line.as_ref().expect("a world behind a line")
    }

    /// Where runners find the server.
    pub(crate) fn face(&self) -> String {
        self.line.as_ref().map_or_else(|| self.url.clone(), |line| format!("http://{}", line.address()))
    }

    fn write_config(&self, address: SocketAddr, way: Way) {
        let runners = match way {
            Way::Direct => json!({}),
            Way::Line { heartbeat_timeout } => json!({ "heartbeat_timeout": heartbeat_timeout }),
        };
        let data = self.path().join("server");
        let config = json!({
            "console": { "url": self.url },
            "security": { "secret_key": "a secret key for tests only, of no value" },
            "server": { "bind_address": address, "request_body_max_bytes": 4 << 20 },
            "database": { "file": data.join("bencher.db") },
            "plus": {
                "registry": { "url": self.face(), "folder": data.join("blobs") },
                // Tests are quicker than people.
                "rate_limiting": { "enabled": false },
                "runners": runners,
            },
        });
        std::fs::write(self.path().join("server.json"), config.to_string()).expect("the configuration is written");
    }

    /// The server's log if it ended instead of listening.
    async fn try_start_server(&mut self) -> Result<(), String> {
        let (config, log) = (self.path().join("server.json"), self.path().join("server.log"));
        let server = Child::spawn(&binary("bencher-api"), &log, |command| {
            command.arg("--config").arg(&config);
        });
        let ready = format!("{}/readyz", self.url);
        until("the server is ready", async || {
            if server.has_ended() {
                return Some(Err(server.log()));
            }
            let answer = self.http.get(&ready).send().await;
            answer.is_ok_and(|answer| answer.status() == StatusCode::OK).then_some(Ok(()))
        })
        .await?;
        self.server = Some(server);
        Ok(())
    }

    /// Starts the server again, on the same data and port.
    pub(crate) async fn restart_server(&mut self) {
        assert!(self.server.is_none(), "the server was not stopped");
        if let Err(log) = self.try_start_server().await {
            panic!("the server did not start again:\n{log}");
        }
    }

    /// Asks the server to end and waits until it has.
    pub(crate) async fn stop_server(&mut self) {
        self.server.take().expect("the server runs").terminate().await;
    }

    /// Ends the server as the kernel does when memory is short.
    pub(crate) async fn kill_server(&mut self) {
        self.server.take().expect("the server runs").kill().await;
    }

    async fn sign_up(&mut self) {
        self.call(Method::POST, "/v0/auth/signup", json!({ "name": "Ada", "slug": "ada", "email": EMAIL, "i_agree": true }))
            .await;
        let log = self.server.as_ref().expect("the server runs").log();
        let line = log.lines().rfind(|line| line.contains("bencher auth confirm ")).expect("the confirmation is in the log");
        let token = line.split_whitespace().next_back().expect("the line ends with the token");
        let user = self.call(Method::POST, "/v0/auth/confirm", json!({ "token": token })).await;
        self.token = text(&user, "token");
        let key = self.call(Method::POST, "/v0/users/ada/keys", json!({ "name": "tests" })).await;
        self.key = text(&key, "key");
    }

    async fn furnish(&mut self) {
        let project = json!({ "name": "Shop", "slug": PROJECT });
        self.call(Method::POST, "/v0/organizations/ada/projects", project).await;
        self.create_spec(SPEC).await;
        let runner = self.call(Method::POST, "/v0/runners", json!({ "name": "Box", "slug": RUNNER })).await;
        self.runner_key = text(&runner, "key");
        self.give_spec(RUNNER, SPEC).await;
    }

    /// A spec of this machine's kind without a sandbox.
    pub(crate) async fn create_spec(&self, slug: &str) {
        let spec = json!({
            "name": slug, "slug": slug, "os": "linux", "architecture": std::env::consts::ARCH, "cpu": 1,
            "memory": 512_u64 << 20, "disk": 1_u64 << 30,
        });
        self.call(Method::POST, "/v0/specs", spec).await;
    }

    pub(crate) async fn give_spec(&self, runner: &str, spec: &str) {
        self.call(Method::POST, &format!("/v0/runners/{runner}/specs"), json!({ "spec": spec })).await;
    }

    /// Sends JSON (`null`: no body) as the admin.
    pub(crate) async fn try_call(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        let response = request.send().await.expect("the server answers");
        let status = response.status();
        let body = response.text().await.expect("the answer has a body");
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// The same, for what must succeed.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        let (status, answer) = self.try_call(method, path, body).await;
        assert!(status.is_success(), "{path} was answered {status}: {answer}");
        answer
    }

    /// Submits a job for [`SPEC`]; `job` is the part of the request that describes it.
    pub(crate) async fn submit(&self, job: Value) -> Submitted {
        let (status, report) = self.try_submit(job).await;
        assert_eq!(status, StatusCode::CREATED, "{report}");
        Submitted { job: text(&report, "job"), report: text(&report, "uuid") }
    }

    pub(crate) async fn try_submit(&self, mut job: Value) -> (StatusCode, Value) {
        let members = job.as_object_mut().expect("a job is an object");
        members.entry("spec").or_insert(json!(SPEC));
        members.entry("timeout").or_insert(json!(60));
        let time = "2026-01-01T00:00:00Z";
        let run = json!({
            "project": PROJECT, "branch": "main", "start_time": time, "end_time": time, "results": [],
            "settings": { "adapter": "json" }, "job": job,
        });
        self.try_call(Method::POST, "/v0/run", run).await
    }

    /// A job whose benchmark is a script for busybox's shell. Its command line has [`World::marker`] in it.
    pub(crate) fn script(&self, image: &str, script: &str) -> Value {
        json!({ "image": image, "cmd": ["/bin/busybox", "sh", "-c", script, self.marker] })
    }

    /// A job whose benchmark runs until [`World::tell`] is called for it, then prints [`BMF`].
    pub(crate) fn until_told(&self, image: &str) -> Value {
        self.script(image, &format!("until [ -e /tmp/told ]; do sleep 0.05; done; echo '{BMF}'"))
    }

    /// Lets a benchmark of [`World::until_told`] end; `process` is one of its processes.
    pub(crate) fn tell(&self, process: i32) {
        std::fs::write(format!("/proc/{process}/root/tmp/told"), "").expect("root may write into the benchmark's file system");
    }

    pub(crate) async fn job(&self, job: &str) -> Value {
        self.call(Method::GET, &format!("/v0/projects/{PROJECT}/jobs/{job}"), Value::Null).await
    }

    pub(crate) async fn report(&self, report: &str) -> Value {
        self.call(Method::GET, &format!("/v0/projects/{PROJECT}/reports/{report}"), Value::Null).await
    }

    /// Waits until a job has this status, and returns it. A job that ended otherwise fails the test.
    pub(crate) async fn until_status(&self, job: &str, status: &str) -> Value {
        until(&format!("the job is {status}"), async || {
            let job = self.job(job).await;
            let ended = matches!(job["status"].as_str(), Some("processed" | "failed" | "canceled"));
            assert!(!ended || job["status"] == status, "the job must be {status}, but is {job:#}");
            (job["status"] == status).then_some(job)
        })
        .await
    }

    /// Runs the real `bencher` as the admin.
    pub(crate) async fn bencher(&self, arguments: &[&str]) -> Finished {
        self.bencher_at(&self.url, arguments).await
    }

    /// The same, with another way to the server.
    pub(crate) async fn bencher_at(&self, host: &str, arguments: &[&str]) -> Finished {
        Self::finish(self.spawn_bencher_at(host, arguments), arguments).await
    }

    /// The same, with something in its environment.
    pub(crate) async fn bencher_with(&self, env: &[(&str, &str)], arguments: &[&str]) -> Finished {
        let child = self.bencher_command(&self.url, arguments).envs(env.iter().copied()).spawn().expect("`bencher` starts");
        Self::finish(child, arguments).await
    }

    async fn finish(child: tokio::process::Child, arguments: &[&str]) -> Finished {
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
        let output =
            output.unwrap_or_else(|_| panic!("`bencher {}` takes too long", arguments.join(" "))).expect("`bencher` ends");
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// The same, running: somebody else looks at its output.
    pub(crate) fn spawn_bencher(&self, arguments: &[&str]) -> tokio::process::Child {
        self.spawn_bencher_at(&self.url, arguments)
    }

    fn spawn_bencher_at(&self, host: &str, arguments: &[&str]) -> tokio::process::Child {
        self.bencher_command(host, arguments).spawn().expect("`bencher` starts")
    }

    fn bencher_command(&self, host: &str, arguments: &[&str]) -> tokio::process::Command {
        let mut command = child::owned(&binary("bencher"));
        command.args(arguments).env("BENCHER_HOST", host).env("BENCHER_API_KEY", &self.key);
        command.env("HOME", self.path()).env("XDG_CACHE_HOME", self.path().join("cache")).current_dir(self.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts the runner [`RUNNER`] with its key and waits until the server knows that it is idle.
    pub(crate) async fn start_runner(&self) -> Runner {
        self.until_idle(self.spawn_runner(&self.runner_key)).await
    }

    /// The same, with a disk of its own for the runner's data, of so many MiB. The disk goes with the runner.
    pub(crate) async fn start_runner_on_a_disk_of(&self, mebibytes: u32) -> Runner {
        let data = self.runner_data();
        std::fs::create_dir_all(&data).expect("the folder is made");
        // In a mount namespace of its own, so that the disk is never seen from outside and ends with the runner.
        let script = format!("mount -t tmpfs -o size={mebibytes}m tmpfs \"$1\"; shift; exec \"$@\"");
        let child = Child::spawn(Path::new("unshare"), &self.path().join("runner.log"), |command| {
            command.args(["--mount", "sh", "-euc", &script, "sh"]).arg(&data).arg(binary("runner"));
            command.args(self.runner_arguments(&self.face())).arg(&data).env("BENCHER_RUNNER_KEY", &self.runner_key);
        });
        self.until_idle(Runner { child, data }).await
    }

    pub(crate) async fn until_idle(&self, runner: Runner) -> Runner {
        until("the runner is idle", async || {
            assert!(!runner.child.has_ended(), "the runner ended:\n{}", runner.child.log());
            (self.runner_state().await == "idle").then_some(())
        })
        .await;
        runner
    }

    pub(crate) async fn runner_state(&self) -> Value {
        self.call(Method::GET, &format!("/v0/runners/{RUNNER}"), Value::Null).await["state"].clone()
    }

    /// Starts the runner [`RUNNER`] with any key.
    pub(crate) fn spawn_runner(&self, key: &str) -> Runner {
        let data = self.runner_data();
        let child = Child::spawn(&binary("runner"), &self.path().join("runner.log"), |command| {
            command.args(self.runner_arguments(&self.face())).arg(&data).env("BENCHER_RUNNER_KEY", key);
        });
        Runner { child, data }
    }

    pub(crate) fn runner_data(&self) -> PathBuf {
        self.path().join("runner")
    }

    /// Everything but the data folder, which follows the last of them.
    pub(crate) fn runner_arguments<'a>(&self, host: &'a str) -> [&'a str; 7] {
        ["up", "--host", host, "--runner", RUNNER, "--danger-allow-no-sandbox", "--data-dir"]
    }
}

/// A running runner. Killed when it is dropped.
pub(crate) struct Runner {
    pub(crate) child: Child,
    pub(crate) data: PathBuf,
}

impl Runner {
    /// Waits until there is a process with this in its command line, and returns its number.
    pub(crate) async fn until_runs(&self, marker: &str) -> i32 {
        until("the benchmark runs", async || {
            assert!(!self.child.has_ended(), "the runner ended:\n{}", self.child.log());
            assert!(!self.child.log().contains("the job failed"), "the benchmark did not run:\n{}", self.child.log());
            machine::processes_with(marker).first().copied()
        })
        .await
    }

    /// How many results wait on its disk for the server.
    pub(crate) fn spooled(&self) -> usize {
        let names = std::fs::read_dir(self.data.join("spool")).into_iter().flatten().flatten();
        names.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "msg")).count()
    }

    /// Asks the runner to end, waits until it has, and checks that it left nothing of its jobs.
    pub(crate) async fn stop(self, marker: &str) {
        self.child.terminate().await;
        machine::assert_clean(&self.data, marker);
    }
}

/// Looks again and again until there is something.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} until {what}");
        tokio::time::sleep(LOOK).await;
    }
}

/// A text member of a JSON object.
#[track_caller]
pub(crate) fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_else(|| panic!("no {member} in {value:#}")).to_owned()
}

/// A program of the workspace, where cargo puts it: in the folder above this test's.
pub(crate) fn binary(name: &str) -> PathBuf {
    let this = std::env::current_exe().expect("this program has a path");
    let program = this.parent().and_then(Path::parent).expect("it is in a folder of the target folder").join(name);
    assert!(program.exists(), "{} is not there: build the whole workspace first, as `cargo xtask test` does", program.display());
    program
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket has an address")
}
