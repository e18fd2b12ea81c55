//! The daemon against both kinds of server, with jobs that do what the test says.

use std::{net::SocketAddr, path::Path, sync::Arc};

use bencher_runner::{
    cli::{Cli, Command},
    config::UpConfig,
    daemon::{Daemon, Execute, Stop, Surroundings},
    data_dir::{DataDir, InFlight},
    job::{
        outcome::{IterationResult, JobOutcome},
        progress::{Progress, Step},
    },
    live::{Live, Run},
    notify::Notifier,
};
use bencher_types::{
    JobFailure, JobUuid,
    wire::{
        channel::{ClaimedJob, FromRunner, RunnerMetadata, ToRunner},
        live::{OutputPiece, OutputStream},
    },
};
use clap::Parser as _;
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::world::{KEY, Kind, PATIENCE, Seen, World, job};

/// Runs jobs that end when, and as, the test says.
struct Scripted {
    started: mpsc::UnboundedSender<JobUuid>,
    outcomes: Arc<Mutex<mpsc::UnboundedReceiver<JobOutcome>>>,
    progress: Arc<std::sync::Mutex<Option<Progress>>>,
    live: Arc<std::sync::Mutex<Option<Live>>>,
}

impl Execute for Scripted {
    async fn execute(&self, job: ClaimedJob, cancel: CancellationToken, progress: Progress, live: Option<Live>) -> JobOutcome {
        *self.progress.lock().expect("no test panics while it holds this") = Some(progress);
        *self.live.lock().expect("no test panics while it holds this") = live;
        self.started.send(job.uuid).expect("the test listens");
        let mut outcomes = self.outcomes.lock().await;
        tokio::select! {
            outcome = outcomes.recv() => outcome.expect("the test lives"),
            () = cancel.cancelled() => JobOutcome::canceled(),
        }
    }
}

pub(crate) struct Runner {
    progress: Arc<std::sync::Mutex<Option<Progress>>>,
    live: Arc<std::sync::Mutex<Option<Live>>>,
    started: mpsc::UnboundedReceiver<JobUuid>,
    outcomes: mpsc::UnboundedSender<JobOutcome>,
    stop: mpsc::Sender<Stop>,
    task: JoinHandle<()>,
}

impl Runner {
    pub(crate) fn start(server: SocketAddr, data: &Path) -> Self {
        Self::with(server, data, &[])
    }

    fn with(server: SocketAddr, data: &Path, args: &[&str]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let host = format!("http://{server}");
        let data_dir = data.to_str().expect("a readable path");
        let fixed = ["runner", "up", "--runner", "my-runner", "--key", KEY, "--host", &host, "--data-dir", data_dir];
        let Command::Up(args) = Cli::try_parse_from(fixed.iter().chain(args)).expect("the arguments parse").command else {
            unreachable!("`up` was asked for")
        };
        let config = UpConfig::new(&args).expect("the configuration is complete");
        let (started, is_started) = mpsc::unbounded_channel();
        let (outcomes, script) = mpsc::unbounded_channel();
        let (stop, stopped) = mpsc::channel(8);
        let (progress, live) = (Arc::new(std::sync::Mutex::new(None)), Arc::new(std::sync::Mutex::new(None)));
        let scripted = Scripted {
            started,
            outcomes: Arc::new(Mutex::new(script)),
            progress: Arc::clone(&progress),
            live: Arc::clone(&live),
        };
        let data = DataDir::open(config.data_dir.clone()).expect("the folder is free");
        let daemon = Daemon::new(&config, data, scripted).expect("the daemon starts");
        let surroundings = Surroundings { stop: stopped, stopper: stop.clone(), notifier: Notifier::default() };
        Self { progress, live, started: is_started, outcomes, stop, task: tokio::spawn(daemon.run(surroundings)) }
    }

    pub(crate) async fn started(&mut self) -> JobUuid {
        tokio::time::timeout(PATIENCE, self.started.recv()).await.expect("a job starts").expect("the daemon lives")
    }

    pub(crate) fn finish(&self, outcome: JobOutcome) {
        self.outcomes.send(outcome).expect("a job waits for its outcome");
    }

    /// The running job has come so far.
    pub(crate) fn progress(&self, iteration: u32, iterations: u32) {
        let progress = self.progress.lock().expect("no test panics while it holds this");
        progress.as_ref().expect("a job runs").tell(Step::Running { iteration, iterations });
    }

    /// The first iteration of the running job prints this, from its beginning on. Whether anybody wants to know.
    fn print(&self, text: &str) -> bool {
        let live = self.live.lock().expect("no test panics while it holds this").clone();
        let Some(live) = live else { return false };
        live.begin(Run::Iteration(0));
        live.ear().tell(OutputStream::Stdout, 0, text.to_owned());
        true
    }

    pub(crate) async fn stop(&self) {
        self.stop.send(Stop::Signal).await.expect("the daemon lives");
    }

    pub(crate) async fn ended(self) {
        tokio::time::timeout(PATIENCE, self.task).await.expect("the daemon ends").expect("it does not panic");
    }

    /// As SIGKILL would.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

pub(crate) fn printed(text: &str) -> JobOutcome {
    JobOutcome::Completed {
        results: vec![IterationResult { stdout: text.to_owned().into(), ..IterationResult::default() }],
        warmups: Vec::new(),
    }
}

/// The job and the first stdout of a completed result.
fn completed(message: &FromRunner) -> (JobUuid, &str) {
    let FromRunner::Completed { job, results, .. } = message else { panic!("{message:?} is not completed") };
    (*job, results[0].stdout.as_deref().unwrap_or_default())
}

pub(crate) fn spool_files(data: &Path) -> usize {
    std::fs::read_dir(data.join("spool")).map_or(0, Iterator::count)
}

async fn goes_the_whole_way(kind: Kind) {
    let data = tempfile::tempdir().expect("a folder");
    let mut world = World::start(kind).await;
    let (first, offer) = job(None);
    world.offer(offer);
    let mut runner = Runner::start(world.addr, data.path());
    assert_eq!(world.next().await, Seen::Connected);
    // Whoever says what it is to a v0.6 server is offered updates.
    let ours = || RunnerMetadata::ours(std::env::consts::OS, std::env::consts::ARCH, env!("CARGO_PKG_VERSION"));
    let metadata = (kind == Kind::Ours).then(ours);
    assert_eq!(world.message().await, FromRunner::Ready { poll_timeout: Some(55), runner: metadata });
    assert_eq!(world.message().await, FromRunner::Running { job: Some(first) });
    assert_eq!(runner.started().await, first);
    world.heartbeat(first).await;
    world.heartbeat(first).await;

    let (second, offer) = job(None);
    world.offer(offer);
    runner.finish(printed("one"));
    assert_eq!(completed(&world.message().await), (first, "one"));
    assert!(matches!(world.message().await, FromRunner::Ready { .. }), "only after the result has arrived");
    assert_eq!(spool_files(data.path()), 0);
    assert_eq!(world.message().await, FromRunner::Running { job: Some(second) });
    assert_eq!(runner.started().await, second);
    runner.finish(JobOutcome::failed(JobFailure::User, "broken"));
    assert_eq!(
        world.message().await,
        FromRunner::Failed {
            job: second,
            results: Vec::new(),
            warmups: None,
            error: "broken".to_owned(),
            failure: Some(JobFailure::User)
        }
    );
    assert!(matches!(world.message().await, FromRunner::Ready { .. }));
    runner.stop().await;
    runner.ended().await;
    assert_eq!(spool_files(data.path()), 0);
}

#[tokio::test]
async fn jobs_go_the_whole_way_with_this_products_server() {
    goes_the_whole_way(Kind::Ours).await;
}

#[tokio::test]
async fn jobs_go_the_whole_way_with_a_server_that_acknowledges_everything() {
    goes_the_whole_way(Kind::V06).await;
}

#[tokio::test]
async fn what_a_live_job_prints_is_told_while_it_runs_and_only_that() {
    let data = tempfile::tempdir().expect("a folder");
    let mut world = World::start(Kind::Ours).await;
    let (quiet, offer) = job(None);
    world.offer(offer);
    let mut runner = Runner::start(world.addr, data.path());
    assert_eq!(runner.started().await, quiet);
    assert!(!runner.print("nobody asked"));
    world.until(|seen| matches!(seen, Seen::Message(FromRunner::Running { .. })).then_some(())).await;
    world.heartbeat(quiet).await;
    let (live, mut offer) = job(None);
    offer["config"]["live"] = true.into();
    world.offer(offer);
    runner.finish(printed("one"));
    assert_eq!(runner.started().await, live);
    assert!(runner.print("step 1\n"));
    let output = |seen: &Seen| match seen {
        Seen::Message(FromRunner::Output { job, pieces }) => Some((*job, pieces.clone())),
        _ => None,
    };
    let piece = |sequence| OutputPiece {
        sequence,
        warmup: false,
        iteration: 0,
        stream: OutputStream::Stdout,
        offset: 0,
        text: "step 1\n".to_owned(),
    };
    assert_eq!(world.until(output).await, (live, vec![piece(0)]));
    // On another connection it is told after the server was told which job it is.
    world.cut();
    world.until_connected().await;
    assert!(runner.print("step 1\n"));
    assert_eq!(world.message().await, FromRunner::Running { job: Some(live) });
    assert_eq!(world.until(output).await, (live, vec![piece(1)]));
    runner.finish(printed("step 1\n"));
    let done = world.until(|seen| match seen {
        Seen::Message(message @ FromRunner::Completed { .. }) => Some(message.clone()),
        _ => None,
    });
    assert_eq!(completed(&done.await), (live, "step 1\n"));
    runner.kill().await;
}

#[tokio::test]
async fn late_acks_of_heartbeats_do_not_lose_the_result() {
    let data = tempfile::tempdir().expect("a folder");
    let mut world = World::start(Kind::V06).await;
    world.lag_behind();
    let (uuid, offer) = job(None);
    world.offer(offer);
    let mut runner = Runner::start(world.addr, data.path());
    runner.started().await;
    world.heartbeat(uuid).await;
    world.heartbeat(uuid).await;
    runner.finish(printed("precious"));
    // The server answers `running` and the heartbeats, all with the job's id, and ends before it has read the result.
    world.until(|seen| matches!(seen, Seen::Gone).then_some(())).await;
    assert_eq!(spool_files(data.path()), 1, "the result is not taken for delivered");
    world.until_connected().await;
    assert_eq!(completed(&world.message().await), (uuid, "precious"));
    assert!(matches!(world.message().await, FromRunner::Ready { .. }));
    assert_eq!(spool_files(data.path()), 0);
    runner.kill().await;
}

#[tokio::test]
async fn a_job_goes_on_over_a_lost_connection_and_can_be_canceled_on_the_next() {
    let data = tempfile::tempdir().expect("a folder");
    let mut world = World::start(Kind::Ours).await;
    let (uuid, offer) = job(None);
    world.offer(offer);
    let mut runner = Runner::start(world.addr, data.path());
    assert_eq!(runner.started().await, uuid);
    world.heartbeat(uuid).await;
    world.cut();
    world.until_connected().await;
    assert_eq!(world.message().await, FromRunner::Running { job: Some(uuid) });
    world.heartbeat(uuid).await;
    world.push(ToRunner::Cancel);
    assert_eq!(world.message().await, FromRunner::canceled(uuid));
    assert!(matches!(world.message().await, FromRunner::Ready { .. }));
    runner.kill().await;
}

#[tokio::test]
async fn a_result_waits_for_a_server_that_is_down_and_survives_the_runners_restart() {
    let data = tempfile::tempdir().expect("a folder");
    let mut world = World::start(Kind::Ours).await;
    let (uuid, offer) = job(None);
    world.offer(offer);
    let mut runner = Runner::start(world.addr, data.path());
    runner.started().await;
    world.heartbeat(uuid).await;
    world.stop().await;
    runner.finish(printed("precious"));
    while spool_files(data.path()) == 0 {
        tokio::task::yield_now().await;
    }
    runner.kill().await;
    world.listen().await;

    let runner = Runner::start(world.addr, data.path());
    world.until_connected().await;
    assert_eq!(completed(&world.message().await), (uuid, "precious"), "before anything else");
    assert!(matches!(world.message().await, FromRunner::Ready { .. }));
    assert_eq!(spool_files(data.path()), 0);
    runner.kill().await;
}

#[tokio::test]
async fn a_runner_that_was_killed_reports_its_job_as_failed() {
    let data = tempfile::tempdir().expect("a folder");
    let mut world = World::start(Kind::Ours).await;
    let (uuid, offer) = job(None);
    world.offer(offer);
    let mut runner = Runner::start(world.addr, data.path());
    runner.started().await;
    runner.kill().await;

    let runner = Runner::start(world.addr, data.path());
    let error = world
        .until(|seen| match seen {
            Seen::Message(FromRunner::Failed { job, error, .. }) if *job == uuid => Some(error.clone()),
            _ => None,
        })
        .await;
    assert!(error.contains("the runner was restarted while the job ran"), "{error}");
    assert!(matches!(world.message().await, FromRunner::Ready { .. }));
    runner.stop().await;
    runner.ended().await;
    assert!(!data.path().join("in-flight.json").exists());
}

#[tokio::test]
async fn a_job_that_was_stored_before_the_crash_is_not_reported_twice() {
    let data = tempfile::tempdir().expect("a folder");
    let mut world = World::start(Kind::Ours).await;
    let (uuid, offer) = job(None);
    world.offer(offer);
    let mut runner = Runner::start(world.addr, data.path());
    runner.started().await;
    let in_flight = std::fs::read(data.path().join("in-flight.json")).expect("the job is remembered");
    assert!(serde_json::from_slice::<InFlight>(&in_flight).is_ok_and(|in_flight| in_flight.job == uuid));
    world.heartbeat(uuid).await;
    world.stop().await;
    runner.finish(printed("precious"));
    while data.path().join("in-flight.json").exists() {
        tokio::task::yield_now().await;
    }
    runner.kill().await;
    // As if the crash had come between the two.
    std::fs::write(data.path().join("in-flight.json"), in_flight).expect("the memory of the job");
    world.listen().await;

    let runner = Runner::start(world.addr, data.path());
    world.until_connected().await;
    assert_eq!(completed(&world.message().await), (uuid, "precious"));
    assert!(matches!(world.message().await, FromRunner::Ready { .. }), "nothing else waits");
    runner.kill().await;
}

#[tokio::test]
async fn a_stop_lets_the_job_finish_and_delivers_it() {
    let data = tempfile::tempdir().expect("a folder");
    let mut world = World::start(Kind::Ours).await;
    let (uuid, offer) = job(None);
    world.offer(offer);
    let mut runner = Runner::start(world.addr, data.path());
    runner.started().await;
    runner.stop().await;
    world.heartbeat(uuid).await;
    runner.finish(printed("done"));
    assert_eq!(completed(&world.message().await), (uuid, "done"));
    runner.ended().await;
    assert_eq!(world.next().await, Seen::Gone, "no further job was asked for");
}

#[tokio::test]
async fn a_second_stop_cancels_the_job() {
    let data = tempfile::tempdir().expect("a folder");
    let mut world = World::start(Kind::Ours).await;
    let (uuid, offer) = job(None);
    world.offer(offer);
    let mut runner = Runner::start(world.addr, data.path());
    runner.started().await;
    runner.stop().await;
    runner.stop().await;
    assert!(matches!(world.message().await, FromRunner::Ready { .. }));
    assert_eq!(world.message().await, FromRunner::Running { job: Some(uuid) });
    assert_eq!(world.message().await, FromRunner::canceled(uuid));
    runner.ended().await;
}

#[tokio::test]
async fn a_result_too_large_for_one_message_arrives_as_a_failure_that_says_so() {
    let data = tempfile::tempdir().expect("a folder");
    let mut world = World::start(Kind::Ours).await;
    let (uuid, offer) = job(None);
    world.offer(offer);
    let mut runner = Runner::with(world.addr, data.path(), &["--max-message-size", "64KiB"]);
    runner.started().await;
    let result = IterationResult { stdout: vec![b'x'; 1 << 20].into(), ..IterationResult::default() };
    runner.finish(JobOutcome::Completed { results: vec![result], warmups: Vec::new() });
    let error = world
        .until(|seen| match seen {
            Seen::Message(FromRunner::Failed { job, error, .. }) if *job == uuid => Some(error.clone()),
            _ => None,
        })
        .await;
    assert!(error.contains("at most 65536"), "{error}");
    runner.kill().await;
}
