use std::time::{Duration, Instant};

use bencher_types::{
    JobUuid,
    wire::channel::{ClaimedJob, FromRunner, ToRunner},
};

use super::{AckPolicy, Input, Machine, OnShutdown, Output, Parcel, ParcelId, Settings};
use crate::channel::{backoff::Problem, limits};

mod servers;

const SETTINGS: Settings = Settings { poll_timeout: Duration::from_secs(55), on_shutdown: OnShutdown::Finish };

/// A machine and its clock; every step renders what the machine wants, one line.
struct Bench {
    machine: Machine,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        Self::with(SETTINGS, [])
    }

    fn with<const N: usize>(settings: Settings, outbox: [Parcel; N]) -> Self {
        Self { machine: Machine::new(settings, outbox), now: crate::clock::now() }
    }

    fn on(&mut self, input: Input) -> String {
        render(&self.machine.on(self.now, input))
    }

    fn frame(&mut self, frame: ToRunner) -> String {
        self.on(Input::Frame(frame))
    }

    /// Goes to the machine's next deadline.
    fn tick(&mut self) -> String {
        self.now = self.machine.deadline().expect("the machine waits for something");
        self.on(Input::Tick)
    }

    fn after(&mut self, time: Duration, input: Input) -> String {
        self.now += time;
        self.on(input)
    }

    /// Connected and working on a job.
    fn working(acks: AckPolicy) -> (Self, JobUuid) {
        let mut bench = Self::new();
        bench.on(Input::Connected(acks));
        let job = claimed_job();
        let uuid = job.uuid;
        bench.frame(ToRunner::Job(Box::new(job)));
        (bench, uuid)
    }
}

fn render(outputs: &[Output]) -> String {
    let line = |output: &Output| match output {
        Output::Connect(after) => format!("connect after {after:?}"),
        Output::Disconnect => "disconnect".to_owned(),
        Output::Send(FromRunner::Ready { poll_timeout, .. }) => format!("ready {poll_timeout:?}"),
        Output::Send(FromRunner::Running { job: Some(_) }) => "running".to_owned(),
        Output::Send(FromRunner::Heartbeat { job: Some(_) }) => "heartbeat".to_owned(),
        Output::Send(FromRunner::Output { .. }) => "output".to_owned(),
        Output::Send(other) => panic!("the runner never sends {other:?} by itself"),
        Output::Ping => "ping".to_owned(),
        Output::Deliver(id) => format!("deliver {}", id.0),
        Output::Forget(id) => format!("forget {}", id.0),
        Output::CutDown(id) => format!("cut down {}", id.0),
        Output::Start(_) => "start".to_owned(),
        Output::Reject { problem, .. } => format!("reject: {problem}"),
        Output::Cancel => "cancel".to_owned(),
        Output::Exit => "exit".to_owned(),
    };
    outputs.iter().map(line).collect::<Vec<_>>().join(", ")
}

fn parcel(id: u64, job: JobUuid) -> Parcel {
    Parcel { id: ParcelId(id), job, bytes: 100 }
}

fn ack(job: JobUuid) -> ToRunner {
    ToRunner::Ack { job: Some(job) }
}

fn claimed_job() -> ClaimedJob {
    let uuid = JobUuid::random();
    let json = serde_json::json!({
        "uuid": uuid,
        "spec": {
            "uuid": uuid, "name": "small", "slug": "small", "os": "linux", "architecture": "x86_64", "cpu": 1,
            "memory": 1 << 29, "disk": 1 << 30, "network": false,
            "created": "2026-01-01T00:00:00Z", "modified": "2026-01-01T00:00:00Z",
        },
        "config": {
            "registry": "http://localhost:6610/", "project": uuid, "digest": format!("sha256:{}", "0".repeat(64)), "timeout": 60,
        },
        "oci_token": "a.b.c", "timeout": 60, "created": "2026-01-01T00:00:00Z",
    });
    serde_json::from_value(json).expect("a job as the wire describes it")
}

#[test]
fn an_idle_runner_polls_as_often_as_the_server_answers() {
    let mut bench = Bench::new();
    assert_eq!(bench.on(Input::Connected(AckPolicy::TerminalOnly)), "ready Some(55)");
    assert_eq!(bench.after(Duration::from_secs(55), Input::Frame(ToRunner::NoJob)), "ready Some(55)");
}

#[test]
fn what_a_job_prints_is_told_only_where_the_server_knows_that_it_runs() {
    let (mut bench, job) = Bench::working(AckPolicy::TerminalOnly);
    let printed = || Input::Printed(job, Vec::new());
    assert_eq!(bench.on(printed()), "output");
    bench.on(Input::Disconnected);
    assert!(!bench.machine.tells_output());
    assert_eq!(bench.on(printed()), "");
    bench.on(Input::Connected(AckPolicy::TerminalOnly));
    assert_eq!(bench.on(printed()), "output");
    bench.on(Input::Finished(parcel(1, job)));
    assert_eq!(bench.on(printed()), "", "the result has it all");
}

#[test]
fn a_server_that_always_answers_at_once_does_not_make_the_runner_spin() {
    let mut bench = Bench::new();
    bench.on(Input::Connected(AckPolicy::TerminalOnly));
    assert_eq!(bench.frame(ToRunner::NoJob), "");
    let before = bench.now;
    assert_eq!(bench.tick(), "ready Some(55)");
    assert_eq!(bench.now - before, limits::MIN_POLL_INTERVAL);
}

#[test]
fn a_poll_without_an_answer_ends_in_a_new_connection() {
    let mut bench = Bench::new();
    bench.on(Input::Connected(AckPolicy::TerminalOnly));
    let before = bench.now;
    assert_eq!(bench.tick(), "disconnect, connect after 500ms");
    assert_eq!(bench.now - before, Duration::from_secs(85));
}

#[test]
fn a_job_is_answered_with_running_at_once_and_a_heartbeat_every_second() {
    let mut bench = Bench::new();
    bench.on(Input::Connected(AckPolicy::TerminalOnly));
    assert_eq!(bench.frame(ToRunner::Job(Box::new(claimed_job()))), "running, ping, start");
    for _ in 0..3 {
        let before = bench.now;
        assert_eq!(bench.tick(), "heartbeat");
        assert_eq!(bench.now - before, Duration::from_secs(1));
    }
}

#[test]
fn a_result_is_delivered_and_forgotten_on_its_ack() {
    let (mut bench, job) = Bench::working(AckPolicy::TerminalOnly);
    assert_eq!(bench.on(Input::Finished(parcel(7, job))), "deliver 7");
    assert_eq!(bench.frame(ack(job)), "forget 7, ready Some(55)");
}

#[test]
fn the_ack_of_an_old_heartbeat_does_not_pass_for_the_results() {
    let (mut bench, job) = Bench::working(AckPolicy::Everything);
    assert_eq!(bench.tick(), "heartbeat");
    assert_eq!(bench.tick(), "heartbeat");
    assert_eq!(bench.frame(ack(job)), "", "of `running`");
    assert_eq!(bench.on(Input::Finished(parcel(7, job))), "deliver 7");
    assert_eq!(bench.frame(ack(job)), "", "of the first heartbeat");
    assert_eq!(bench.frame(ack(job)), "", "of the second heartbeat");
    assert_eq!(bench.frame(ack(job)), "forget 7, ready Some(55)", "its own");
}

#[test]
fn a_cancel_is_an_answer_too() {
    let (mut bench, job) = Bench::working(AckPolicy::Everything);
    assert_eq!(bench.tick(), "heartbeat");
    assert_eq!(bench.frame(ack(job)), "");
    assert_eq!(bench.frame(ToRunner::Cancel), "cancel");
    assert_eq!(bench.on(Input::Finished(parcel(7, job))), "deliver 7");
    assert_eq!(bench.frame(ack(job)), "forget 7, ready Some(55)");
}

#[test]
fn a_cancel_that_follows_the_result_neither_proves_nor_disturbs() {
    let (mut bench, job) = Bench::working(AckPolicy::TerminalOnly);
    bench.on(Input::Finished(parcel(7, job)));
    assert_eq!(bench.frame(ToRunner::Cancel), "");
    assert_eq!(bench.frame(ack(job)), "forget 7, ready Some(55)");
}

#[test]
fn a_server_that_answers_a_heartbeat_answers_everything_whatever_it_said() {
    let (mut bench, job) = Bench::working(AckPolicy::TerminalOnly);
    assert_eq!(bench.tick(), "heartbeat");
    assert_eq!(bench.frame(ack(job)), "", "of `running`");
    assert_eq!(bench.on(Input::Finished(parcel(7, job))), "deliver 7");
    assert_eq!(bench.frame(ack(job)), "", "of the heartbeat");
    assert_eq!(bench.frame(ack(job)), "forget 7, ready Some(55)");
}

#[test]
fn without_proof_in_time_the_result_is_sent_first_on_a_new_connection() {
    let (mut bench, job) = Bench::working(AckPolicy::Everything);
    bench.tick();
    assert_eq!(bench.on(Input::Finished(parcel(7, job))), "deliver 7");
    assert_eq!(bench.frame(ack(job)), "", "a server that answers terminal messages only, but did not say so");
    assert_eq!(bench.tick(), "disconnect, connect after 500ms");
    assert_eq!(bench.on(Input::Connected(AckPolicy::Everything)), "deliver 7");
    assert_eq!(bench.frame(ack(job)), "forget 7, ready Some(55)");
}

#[test]
fn the_ack_of_another_job_is_no_proof() {
    let (mut bench, job) = Bench::working(AckPolicy::TerminalOnly);
    bench.on(Input::Finished(parcel(7, job)));
    assert_eq!(bench.frame(ack(JobUuid::random())), "");
    assert_eq!(bench.frame(ack(job)), "forget 7, ready Some(55)");
}

#[test]
fn what_an_earlier_run_left_is_delivered_first_and_oldest_first() {
    let (first, second) = (JobUuid::random(), JobUuid::random());
    let mut bench = Bench::with(SETTINGS, [parcel(1, first), parcel(2, second)]);
    assert_eq!(bench.on(Input::Connected(AckPolicy::Everything)), "deliver 1");
    assert_eq!(bench.frame(ack(first)), "forget 1, deliver 2");
    assert_eq!(bench.frame(ack(second)), "forget 2, ready Some(55)");
}

#[test]
fn a_job_survives_the_loss_of_its_connection_and_resumes_on_the_next() {
    let (mut bench, job) = Bench::working(AckPolicy::TerminalOnly);
    assert_eq!(bench.on(Input::Disconnected), "connect after 500ms");
    assert_eq!(bench.on(Input::ConnectFailed(Problem::Unreachable)), "connect after 1s");
    assert_eq!(bench.on(Input::Connected(AckPolicy::TerminalOnly)), "running, ping");
    assert_eq!(bench.tick(), "heartbeat");
    assert_eq!(bench.frame(ToRunner::Cancel), "cancel", "a cancel reaches the job on the new connection");
    assert_eq!(bench.frame(ToRunner::Cancel), "", "and is passed on once");
    assert_eq!(bench.on(Input::Finished(parcel(7, job))), "deliver 7");
}

#[test]
fn a_job_that_ends_while_the_server_is_down_is_delivered_when_it_is_back() {
    let (mut bench, job) = Bench::working(AckPolicy::Everything);
    bench.on(Input::Disconnected);
    assert_eq!(bench.on(Input::Finished(parcel(7, job))), "");
    assert_eq!(bench.on(Input::ConnectFailed(Problem::Unreachable)), "connect after 1s");
    assert_eq!(bench.on(Input::Connected(AckPolicy::Everything)), "deliver 7");
    assert_eq!(bench.frame(ack(job)), "forget 7, ready Some(55)");
}

#[test]
fn a_silent_server_is_noticed_during_a_job() {
    let (mut bench, _) = Bench::working(AckPolicy::TerminalOnly);
    let before = bench.now;
    let mut last = String::new();
    while !last.contains("disconnect") {
        last = bench.tick();
    }
    assert_eq!(bench.now - before, limits::SILENCE_TIMEOUT);
}

#[test]
fn pongs_keep_a_quiet_connection_alive() {
    let (mut bench, _) = Bench::working(AckPolicy::TerminalOnly);
    for _ in 0..300 {
        let out = bench.tick();
        assert!(!out.contains("disconnect"), "{out}");
        if out.contains("ping") {
            bench.on(Input::Alive);
        }
    }
}

#[test]
fn connections_that_end_without_a_word_count_as_refused() {
    let mut bench = Bench::new();
    let mut waits = Vec::new();
    for _ in 0..5 {
        bench.on(Input::Connected(AckPolicy::Everything));
        waits.push(bench.on(Input::Disconnected));
    }
    assert_eq!(
        waits,
        ["connect after 500ms", "connect after 1s", "connect after 15s", "connect after 30s", "connect after 60s"],
        "a v0.6 server checks the key after the upgrade and closes"
    );
}

#[test]
fn a_large_result_that_ends_every_connection_is_cut_down() {
    let job = JobUuid::random();
    let mut bench = Bench::with(SETTINGS, [Parcel { bytes: 3 << 20, ..parcel(7, job) }]);
    for _ in 0..4 {
        assert_eq!(bench.on(Input::Connected(AckPolicy::TerminalOnly)), "deliver 7");
        assert!(!bench.on(Input::Disconnected).contains("cut down"));
    }
    bench.on(Input::Connected(AckPolicy::TerminalOnly));
    assert!(bench.on(Input::Disconnected).starts_with("cut down 7, connect after"));
    assert_eq!(bench.on(Input::Recut(ParcelId(7), Some(500))), "");
    assert_eq!(bench.on(Input::Connected(AckPolicy::TerminalOnly)), "deliver 7");
    assert_eq!(bench.frame(ack(job)), "forget 7, ready Some(55)");
}

#[test]
fn a_result_that_cannot_be_read_any_more_does_not_hold_up_the_others() {
    let (first, second) = (JobUuid::random(), JobUuid::random());
    let mut bench = Bench::with(SETTINGS, [parcel(1, first), parcel(2, second)]);
    bench.on(Input::Connected(AckPolicy::TerminalOnly));
    assert_eq!(bench.on(Input::Recut(ParcelId(1), None)), "deliver 2");
}

#[test]
fn a_job_that_cannot_be_read_is_accepted_and_failed() {
    let mut bench = Bench::new();
    bench.on(Input::Connected(AckPolicy::TerminalOnly));
    let job = JobUuid::random();
    let unreadable = || Input::UnreadableJob { job, problem: "no timeout".to_owned() };
    assert_eq!(bench.on(unreadable()), "running, ping, reject: no timeout");
    assert_eq!(bench.on(unreadable()), "", "only one job at a time");
    assert_eq!(bench.on(Input::Finished(parcel(7, job))), "deliver 7");
}

#[test]
fn an_update_is_refused_and_the_runner_goes_on() {
    let mut bench = Bench::new();
    bench.on(Input::Connected(AckPolicy::Everything));
    let update = ToRunner::Update { version: "9".to_owned(), url: "http://x/".to_owned(), checksum: "0".repeat(64) };
    assert_eq!(bench.frame(update), "");
    assert_eq!(bench.tick(), "ready Some(55)");
}

#[test]
fn an_idle_runner_stops_at_once() {
    let mut bench = Bench::new();
    bench.on(Input::Connected(AckPolicy::TerminalOnly));
    assert_eq!(bench.on(Input::Shutdown), "disconnect, exit");
    assert_eq!(Bench::new().on(Input::Shutdown), "exit", "also when it is not connected");
}

#[test]
fn a_shutdown_lets_the_job_finish_and_its_result_arrive() {
    let (mut bench, job) = Bench::working(AckPolicy::TerminalOnly);
    assert_eq!(bench.on(Input::Shutdown), "");
    assert_eq!(bench.tick(), "heartbeat");
    assert_eq!(bench.on(Input::Finished(parcel(7, job))), "deliver 7");
    assert_eq!(bench.frame(ack(job)), "forget 7, disconnect, exit");
}

#[test]
fn a_second_signal_cancels_the_job_and_a_third_leaves_it() {
    let (mut bench, _) = Bench::working(AckPolicy::TerminalOnly);
    assert_eq!(bench.on(Input::Shutdown), "");
    assert_eq!(bench.on(Input::Shutdown), "cancel");
    assert_eq!(bench.on(Input::Shutdown), "exit");
}

#[test]
fn a_shutdown_cancels_the_job_where_that_is_the_policy() {
    let mut bench = Bench::with(Settings { on_shutdown: OnShutdown::Cancel, ..SETTINGS }, []);
    bench.on(Input::Connected(AckPolicy::TerminalOnly));
    bench.frame(ToRunner::Job(Box::new(claimed_job())));
    assert_eq!(bench.on(Input::Shutdown), "cancel");
}

#[test]
fn a_shutdown_does_not_wait_for_ever_for_a_server_that_is_down() {
    let (mut bench, job) = Bench::working(AckPolicy::TerminalOnly);
    bench.on(Input::Disconnected);
    bench.on(Input::Shutdown);
    assert_eq!(bench.on(Input::Finished(parcel(7, job))), "connect after 0ns");
    assert_eq!(bench.on(Input::ConnectFailed(Problem::Unreachable)), "connect after 1s");
    assert_eq!(bench.tick(), "exit", "the result stays in the spool");
}

#[test]
fn a_drain_lets_the_job_finish_however_often_it_is_asked_for() {
    let (mut bench, job) = Bench::working(AckPolicy::TerminalOnly);
    assert_eq!(bench.on(Input::Drain { cancel: false }), "");
    assert_eq!(bench.on(Input::Drain { cancel: false }), "");
    assert!(bench.machine.is_draining() && !bench.machine.is_canceling());
    assert_eq!(bench.on(Input::Finished(parcel(7, job))), "deliver 7");
    assert_eq!(bench.frame(ack(job)), "forget 7, disconnect, exit");
}

#[test]
fn a_drain_that_cancels_does_so_once_and_still_delivers() {
    let (mut bench, job) = Bench::working(AckPolicy::TerminalOnly);
    assert_eq!(bench.on(Input::Drain { cancel: true }), "cancel");
    assert_eq!(bench.on(Input::Drain { cancel: true }), "");
    assert!(bench.machine.is_canceling());
    assert_eq!(bench.on(Input::Finished(parcel(7, job))), "deliver 7");
}

#[test]
fn an_idle_runner_drains_at_once() {
    let mut bench = Bench::new();
    bench.on(Input::Connected(AckPolicy::TerminalOnly));
    assert_eq!(bench.on(Input::Drain { cancel: false }), "disconnect, exit");
}

#[test]
fn a_runner_that_is_refused_does_not_wait_to_deliver_before_it_stops() {
    let mut bench = Bench::with(SETTINGS, [parcel(1, JobUuid::random())]);
    bench.on(Input::ConnectFailed(Problem::Refused));
    assert_eq!(bench.on(Input::Shutdown), "connect after 0ns", "the key may work again");
    assert_eq!(bench.on(Input::ConnectFailed(Problem::Refused)), "exit", "the result stays in the spool");
}

#[test]
fn a_refused_runner_with_a_job_finishes_it_before_it_stops() {
    let (mut bench, job) = Bench::working(AckPolicy::TerminalOnly);
    bench.on(Input::Disconnected);
    bench.on(Input::Shutdown);
    assert!(bench.on(Input::ConnectFailed(Problem::Refused)).starts_with("connect after"));
    assert_eq!(bench.on(Input::Finished(parcel(7, job))), "connect after 0ns");
    assert_eq!(bench.on(Input::ConnectFailed(Problem::Refused)), "exit");
}
