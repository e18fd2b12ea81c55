//! A living runner, asked and told over its control channel.

use std::{os::unix::fs::PermissionsExt as _, path::Path};

use bencher_runner::job::outcome::JobOutcome;
use bencher_types::wire::channel::FromRunner;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
};

use crate::{
    binary::Program,
    daemon::Runner,
    verbs::verb,
    world::{KEY, Kind, PATIENCE, Seen, World, job},
};

/// An open control channel.
struct Channel(BufReader<UnixStream>);

impl Channel {
    async fn open(data: &Path) -> Self {
        let connected = async {
            loop {
                match UnixStream::connect(data.join("control.sock")).await {
                    Ok(stream) => return stream,
                    // The daemon is still opening it.
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        };
        Self(BufReader::new(tokio::time::timeout(PATIENCE, connected).await.expect("the runner listens")))
    }

    async fn say(&mut self, line: &str) {
        self.0.get_mut().write_all(line.as_bytes()).await.expect("the runner reads");
    }

    /// The next line; `None` at the end.
    async fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        let read = tokio::time::timeout(PATIENCE, self.0.read_line(&mut line)).await.expect("the runner answers").expect("text");
        (read > 0).then(|| serde_json::from_str(&line).expect("a line is JSON"))
    }

    async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let status = self.next().await.expect("the runner lives")["status"].clone();
            if wanted(&status) {
                return status;
            }
        }
    }
}

async fn status(data: &Path) -> Value {
    let mut channel = Channel::open(data).await;
    channel.say("{\"version\":1,\"request\":\"status\"}\n").await;
    channel.next().await.expect("an answer")["status"].clone()
}

/// Asks until the answer is the wanted one: the daemon takes things one after the other.
async fn status_until(data: &Path, wanted: impl Fn(&Value) -> bool) -> Value {
    let asked = async {
        loop {
            let status = status(data).await;
            if wanted(&status) {
                return status;
            }
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("it comes to that")
}

#[tokio::test]
async fn a_runner_says_what_it_does() {
    let data = tempfile::tempdir().expect("a folder");
    let mut world = World::start(Kind::Ours).await;
    let (uuid, offer) = job(None);
    let mut runner = Runner::start(world.addr, data.path());
    assert!(matches!(world.message().await, FromRunner::Ready { .. }));
    let idle = status_until(data.path(), |status| status["state"] == "idle").await;
    assert_eq!((&idle["connected"], &idle["runner"], &idle["spooled_results"]), (&true.into(), &"my-runner".into(), &0.into()));
    assert!(idle["last_contact"].is_string() && idle["job"].is_null(), "{idle}");

    world.offer(offer);
    world.cut();
    runner.started().await;
    let running = status_until(data.path(), |status| status["state"] == "running").await;
    assert_eq!((&running["job"]["uuid"], &running["job"]["step"]), (&uuid.to_string().into(), &"preparing".into()));
    runner.progress(2, 3);
    let running = status_until(data.path(), |status| status["job"]["step"] == "running").await;
    assert_eq!((&running["job"]["iteration"], &running["job"]["iterations"]), (&2.into(), &3.into()));

    world.stop().await;
    let lost = status_until(data.path(), |status| status["connected"] == false).await;
    assert_eq!(lost["state"], "running", "the job goes on");
    runner.finish(JobOutcome::canceled());
    let waiting = status_until(data.path(), |status| status["state"] == "connecting").await;
    assert_eq!(waiting["spooled_results"], 1);
    status_until(data.path(), |status| status["problem"].is_string()).await;
    runner.kill().await;
}

#[tokio::test]
async fn a_stop_over_the_channel_drains_and_is_told_to_the_end() {
    let data = tempfile::tempdir().expect("a folder");
    let mut world = World::start(Kind::Ours).await;
    let (uuid, offer) = job(None);
    world.offer(offer);
    let mut runner = Runner::start(world.addr, data.path());
    runner.started().await;
    let mut channel = Channel::open(data.path()).await;
    channel.say("{\"version\":1,\"request\":\"stop\"}\n").await;
    let draining = channel.until(|status| status["state"] == "draining").await;
    assert_eq!((&draining["job"]["uuid"], &draining["job"]["canceling"]), (&uuid.to_string().into(), &false.into()));
    let mut again = Channel::open(data.path()).await;
    again.say("{\"version\":1,\"request\":\"stop\"}\n").await;
    assert_eq!(again.next().await.expect("an answer")["status"]["job"]["canceling"], false, "saying it twice cancels nothing");
    runner.finish(JobOutcome::Completed { results: Vec::new(), warmups: Vec::new() });
    world.until(|seen| matches!(seen, Seen::Message(FromRunner::Completed { job, .. }) if *job == uuid).then_some(())).await;
    while channel.next().await.is_some() {}
    runner.ended().await;
    assert!(!data.path().join("control.sock").exists());
}

#[tokio::test]
async fn a_stop_that_cancels_ends_the_job() {
    let data = tempfile::tempdir().expect("a folder");
    let mut world = World::start(Kind::Ours).await;
    let (uuid, offer) = job(None);
    world.offer(offer);
    let mut runner = Runner::start(world.addr, data.path());
    runner.started().await;
    let mut channel = Channel::open(data.path()).await;
    channel.say("{\"version\":1,\"request\":\"stop\",\"cancel\":true}\n").await;
    world.until(|seen| matches!(seen, Seen::Message(FromRunner::Canceled { job, .. }) if *job == uuid).then_some(())).await;
    runner.ended().await;
}

#[tokio::test]
async fn garbage_on_the_channel_is_refused_and_disturbs_nobody() {
    let data = tempfile::tempdir().expect("a folder");
    let world = World::start(Kind::Ours).await;
    let runner = Runner::start(world.addr, data.path());
    for line in ["\n", "{\"version\":9,\"request\":\"status\"}\n", "{\"version\":1,\"request\":\"sing\"}\n"] {
        let mut channel = Channel::open(data.path()).await;
        channel.say(line).await;
        let answer = channel.next().await.expect("an answer");
        assert!(answer["error"].is_string() && answer["version"] == 1, "{line:?}: {answer}");
    }
    let mut endless = Channel::open(data.path()).await;
    endless.say(&"x".repeat(100_000)).await;
    // Only so much is read; the connection may be gone before the answer is.
    let mut rest = Vec::new();
    let _ = endless.0.read_to_end(&mut rest).await;
    assert!(status(data.path()).await["state"].is_string());
    let mode = std::fs::metadata(data.path().join("control.sock")).expect("the socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    runner.kill().await;
}

#[tokio::test]
async fn the_verbs_find_the_program_show_it_and_stop_it() {
    let data = tempfile::tempdir().expect("a folder");
    let mut world = World::start(Kind::Ours).await;
    let mut program = Program::with(&world, data.path(), KEY, &[]);
    assert!(matches!(world.message().await, FromRunner::Ready { .. }));
    let said = verb(data.path(), &["status", "--format", "json"]).await;
    let json = said.json();
    assert_eq!((said.code, &json["running"]), (Some(0), &true.into()), "{said:?}");
    assert_eq!((&json["pid"], &json["version"]), (&json!(program.pid()), &env!("CARGO_PKG_VERSION").into()));
    assert_eq!(json["cache"]["images"], 0);
    let said = verb(data.path(), &["status"]).await;
    assert!(said.stdout.contains("my-runner") && said.stdout.contains("last contact"), "{}", said.stdout);
    assert!(!said.stdout.contains(KEY), "the key is never shown");

    let said = verb(data.path(), &["stop", "--timeout", "60"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("has stopped"), "{said:?}");
    assert_eq!(program.exit_code().await, Some(0));
    assert_eq!(verb(data.path(), &["status"]).await.code, Some(5));
}

#[tokio::test]
async fn a_stop_does_not_wait_longer_than_it_may() {
    let data = tempfile::tempdir().expect("a folder");
    let world = World::start(Kind::Ours).await;
    let (_, offer) = job(None);
    world.offer(offer);
    let mut runner = Runner::start(world.addr, data.path());
    runner.started().await;
    let said = verb(data.path(), &["stop", "--timeout", "1"]).await;
    assert_eq!(said.code, Some(6), "{said:?}");
    assert!(said.stderr.contains("--cancel"), "{said:?}");
    runner.finish(JobOutcome::canceled());
    runner.ended().await;
    drop(world);
}

#[tokio::test]
async fn after_a_kill_the_socket_is_nobodys_and_the_next_runner_takes_its_place() {
    let data = tempfile::tempdir().expect("a folder");
    let mut world = World::start(Kind::Ours).await;
    let mut program = Program::with(&world, data.path(), KEY, &[]);
    assert!(matches!(world.message().await, FromRunner::Ready { .. }));
    program.signal(Signal::SIGKILL);
    assert_eq!(program.exit_code().await, None);
    assert!(data.path().join("control.sock").exists());
    assert_eq!(verb(data.path(), &["status"]).await.code, Some(5));
    let _next = Program::with(&world, data.path(), KEY, &[]);
    assert!(matches!(world.message().await, FromRunner::Ready { .. }));
    assert_eq!(verb(data.path(), &["status"]).await.code, Some(0));
}

#[tokio::test]
async fn a_folder_with_a_name_longer_than_a_sockets_address_works() {
    let data = tempfile::tempdir().expect("a folder");
    let long = data.path().join("a".repeat(120)).join("b".repeat(120));
    let mut world = World::start(Kind::Ours).await;
    let _program = Program::with(&world, &long, KEY, &[]);
    assert!(matches!(world.message().await, FromRunner::Ready { .. }));
    assert_eq!(verb(&long, &["status"]).await.code, Some(0));
}
