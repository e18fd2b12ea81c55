//! A runner: the real machine, and a shell around it that does what `bencher_runner::daemon` does, with a disk that survives the
//! process.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bencher_runner::channel::{
    backoff::Problem,
    machine::{AckPolicy, Input, Machine, OnShutdown, Output, Parcel, ParcelId, Settings},
};
use bencher_types::{
    JobFailure, JobUuid,
    wire::channel::{ClaimedJob, FromRunner, IterationOutput, ToRunner},
};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use super::{ConnectionIndex, Happening, Millis, Whose, World};
use crate::queue::{Queue, RunnerIndex};

/// The longest a benchmark takes, and the longest it takes to stop.
const LONGEST_JOB: Millis = 40_000;
const LONGEST_STOP: Millis = 4_000;
/// How long whoever looks after a runner takes to start it again.
const LONGEST_RESTART: Millis = 20_000;

/// One process of a runner after another, and its disk.
pub(super) struct Runner {
    settings: Settings,
    /// What it takes the server for.
    acks: AckPolicy,
    machine: Option<Machine>,
    connection: Option<ConnectionIndex>,
    dials: u64,
    dialing: bool,
    running: Option<Run>,
    runs: u64,
    /// Results that the disk did not take.
    held: BTreeMap<ParcelId, FromRunner>,
    disk: Disk,
    /// Thousandths of writes that the disk does not take.
    pub(super) disk_fails: u32,
    /// The machine burned down: neither process nor disk comes back.
    pub(super) is_lost: bool,
}

struct Run {
    number: u64,
    job: JobUuid,
    canceled: bool,
}

#[derive(Default)]
struct Disk {
    spool: BTreeMap<ParcelId, FromRunner>,
    next: u64,
    in_flight: Option<JobUuid>,
}

impl Runner {
    pub(super) fn new(rng: &mut ChaCha8Rng) -> Self {
        let settings = Settings {
            poll_timeout: Duration::from_secs(rng.random_range(1..=60)),
            on_shutdown: if rng.random() { OnShutdown::Finish } else { OnShutdown::Cancel },
        };
        let acks = if rng.random_range(0..8) == 0 { AckPolicy::Everything } else { AckPolicy::TerminalOnly };
        Self {
            settings,
            acks,
            machine: None,
            connection: None,
            dials: 0,
            dialing: false,
            running: None,
            runs: 0,
            held: BTreeMap::new(),
            disk: Disk::default(),
            disk_fails: 0,
            is_lost: false,
        }
    }

    /// Nothing runs, and nothing waits to be delivered.
    pub(super) fn is_at_rest(&self) -> bool {
        self.is_lost
            || self.machine.is_some()
                && self.running.is_none()
                && self.disk.spool.is_empty()
                && self.held.is_empty()
                && self.disk.in_flight.is_none()
    }

    pub(super) fn dial(&mut self) -> u64 {
        self.dials += 1;
        self.dialing = true;
        self.dials
    }

    /// Whether that attempt to connect is still wanted.
    pub(super) fn dials(&self, dial: u64) -> bool {
        self.machine.is_some() && self.dialing && self.dials == dial
    }

    fn message(&self, id: ParcelId) -> Option<&FromRunner> {
        self.held.get(&id).or_else(|| self.disk.spool.get(&id))
    }

    fn next_parcel(&mut self, job: JobUuid) -> Parcel {
        self.disk.next += 1;
        Parcel { id: ParcelId(self.disk.next), job, bytes: 300 }
    }
}

impl<Q: Queue> World<Q> {
    pub(super) fn start_runner(&mut self, index: RunnerIndex) {
        if self.runners[index].machine.is_some() || self.runners[index].is_lost {
            return;
        }
        let runner = &mut self.runners[index];
        if let Some(job) = runner.disk.in_flight {
            let known = runner.disk.spool.values().any(|message| subject(message) == Some(job));
            if !known {
                let parcel = runner.next_parcel(job);
                runner.disk.spool.insert(parcel.id, failed(job, JobFailure::Infrastructure, "the runner was restarted"));
            }
            runner.disk.in_flight = None;
        }
        let waiting =
            runner.disk.spool.iter().filter_map(|(id, message)| Some(Parcel { id: *id, job: subject(message)?, bytes: 300 }));
        let waiting: Vec<Parcel> = waiting.collect();
        let count = waiting.len();
        runner.machine = Some(Machine::new(runner.settings, waiting));
        self.note(|_| format!("runner {index} starts with {count} results to deliver"));
        self.carry_out(index, Machine::start());
    }

    /// The process ends without a word, and what it only remembered is gone.
    pub(super) fn kill_runner(&mut self, index: RunnerIndex) {
        let runner = &mut self.runners[index];
        if runner.machine.take().is_none() {
            return;
        }
        let run = runner.running.take();
        runner.held.clear();
        runner.dialing = false;
        if let Some(run) = run {
            self.ledger.abandoned(index, run.job);
        }
        if let Some(connection) = self.runners[index].connection.take() {
            self.close_at_runner(connection);
        }
        self.note(|_| format!("runner {index} is gone"));
        self.soon(LONGEST_RESTART, Happening::RunnerStarts(index));
    }

    /// A runner that never comes back, unless it is the last.
    pub(super) fn lose_runner(&mut self, index: RunnerIndex) {
        if self.runners.iter().filter(|runner| !runner.is_lost).count() > 1 {
            self.kill_runner(index);
            self.runners[index].is_lost = true;
            self.ledger.lost(index);
        }
    }

    pub(super) fn shut_down_runner(&mut self, index: RunnerIndex) {
        self.note(|_| format!("runner {index} is told to stop"));
        self.tell(index, Input::Shutdown);
    }

    pub(super) fn accepted(&mut self, connection: ConnectionIndex, dial: u64) {
        let index = self.connections[connection].runner;
        if !self.runners[index].dials(dial) {
            // Nobody waits for it any more: the socket is closed.
            self.connections[connection].open_at_runner = true;
            self.close_at_runner(connection);
            return;
        }
        if self.connections[connection].cut || !self.connections[connection].open_at_server {
            self.refused(index, dial);
            return;
        }
        self.connections[connection].open_at_runner = true;
        let runner = &mut self.runners[index];
        runner.dialing = false;
        runner.connection = Some(connection);
        let acks = runner.acks;
        self.note(|_| format!("runner {index} is connected by {connection}"));
        self.tell(index, Input::Connected(acks));
    }

    pub(super) fn refused(&mut self, index: RunnerIndex, dial: u64) {
        if self.runners[index].dials(dial) {
            self.runners[index].dialing = false;
            self.tell(index, Input::ConnectFailed(Problem::Unreachable));
        }
    }

    pub(super) fn arrive_at_runner(&mut self, connection: ConnectionIndex) {
        let index = self.connections[connection].runner;
        let Some(message) = self.connections[connection].to_runner.pop_front() else { return };
        if self.runners[index].connection == Some(connection) {
            self.note(|world| format!("runner {index} ← server: {}", world.say_to(&message)));
            self.tell(index, Input::Frame(message));
        }
    }

    pub(super) fn pong_arrives(&mut self, connection: ConnectionIndex) {
        let index = self.connections[connection].runner;
        if self.runners[index].connection == Some(connection) && !self.connections[connection].cut {
            self.tell(index, Input::Alive);
        }
    }

    pub(super) fn runner_loses(&mut self, connection: ConnectionIndex) {
        let index = self.connections[connection].runner;
        if self.runners[index].connection != Some(connection) {
            return;
        }
        self.note(|_| format!("runner {index} learns that connection {connection} is gone"));
        self.runners[index].connection = None;
        self.connections[connection].open_at_runner = false;
        self.tell(index, Input::Disconnected);
    }

    pub(super) fn machine_deadlines(&self) -> impl Iterator<Item = (Millis, Whose)> {
        self.runners.iter().enumerate().filter_map(|(index, runner)| {
            let deadline = runner.machine.as_ref()?.deadline()?;
            let wait = deadline.saturating_duration_since(self.began);
            // Rounded up, so that it is never too early.
            let at = u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(Millis::MAX);
            Some((at.max(self.now), Whose::Machine(index)))
        })
    }

    pub(super) fn tick_machine(&mut self, index: RunnerIndex) {
        self.tell(index, Input::Tick);
    }

    pub(super) fn job_ends(&mut self, index: RunnerIndex, number: u64) {
        let Some(run) = self.runners[index].running.take_if(|run| run.number == number) else { return };
        let job = run.job;
        let kind = self.rng.random_range(0..10);
        let message = match (run.canceled, kind) {
            (true, 0..=7) => FromRunner::canceled(job),
            (_, 8) => failed(job, JobFailure::User, "the benchmark exited with 1"),
            _ => {
                let stdout = Some(format!("{}/{index}/{number}", self.name(job)));
                FromRunner::Completed {
                    job,
                    results: vec![IterationOutput { stdout, ..IterationOutput::default() }],
                    warmups: None,
                }
            }
        };
        self.note(|world| format!("runner {index} is done: {}", world.say_from(&message)));
        self.ended(index, message);
    }

    /// Keeps what came of a job, before the server hears of it.
    fn ended(&mut self, index: RunnerIndex, message: FromRunner) {
        let Some(job) = subject(&message) else { return };
        self.runners[index].running = None;
        let stored = !self.disk_refuses(index);
        let parcel = self.runners[index].next_parcel(job);
        self.ledger.ended(index, job, result(&message).filter(|_| stored));
        if stored {
            self.runners[index].disk.spool.insert(parcel.id, message);
            if self.scale.faults > 0 && self.chance(10) {
                // Between storing the result and forgetting the job.
                self.kill_runner(index);
                return;
            }
            self.runners[index].disk.in_flight = None;
        } else {
            self.runners[index].held.insert(parcel.id, message);
        }
        self.tell(index, Input::Finished(parcel));
    }

    fn disk_refuses(&mut self, index: RunnerIndex) -> bool {
        let refuses = self.runners[index].disk_fails;
        refuses > 0 && self.chance(refuses)
    }

    fn tell(&mut self, index: RunnerIndex, input: Input) {
        let now = self.instant();
        let Some(machine) = self.runners[index].machine.as_mut() else { return };
        let outputs = machine.on(now, input);
        self.carry_out(index, outputs);
    }

    fn carry_out(&mut self, index: RunnerIndex, outputs: Vec<Output>) {
        let mut todo = VecDeque::from(outputs);
        while let Some(output) = todo.pop_front() {
            if self.runners[index].machine.is_none() {
                return;
            }
            match output {
                Output::Connect(wait) => {
                    let wait = wait.mul_f64(self.rng.random_range(0.75..=1.25));
                    self.dial(index, u64::try_from(wait.as_millis()).unwrap_or(Millis::MAX));
                }
                Output::Disconnect => {
                    if let Some(connection) = self.runners[index].connection.take() {
                        self.close_at_runner(connection);
                    }
                }
                Output::Send(message) => self.send(index, message),
                Output::Ping => {
                    if let Some(connection) = self.runners[index].connection {
                        self.ping(connection);
                    }
                }
                Output::Deliver(id) => {
                    if let Some(message) = self.runners[index].message(id).cloned() {
                        self.send(index, message);
                    }
                }
                Output::Forget(id) => self.forget(index, id),
                // Results here are small.
                Output::CutDown(_) => {}
                Output::Start(job) => self.start_job(index, &job),
                Output::Reject { job, problem } => self.ended(index, failed(job, JobFailure::Infrastructure, &problem)),
                Output::Cancel => self.stop_job(index),
                Output::Exit => self.kill_runner(index),
            }
        }
    }

    fn send(&mut self, index: RunnerIndex, message: FromRunner) {
        if let Some(connection) = self.runners[index].connection {
            self.send_to_server(connection, message);
        }
    }

    fn forget(&mut self, index: RunnerIndex, id: ParcelId) {
        let runner = &mut self.runners[index];
        let gone = runner.disk.spool.remove(&id).or_else(|| runner.held.remove(&id));
        runner.disk.in_flight = None;
        if let Some(job) = gone.as_ref().and_then(subject) {
            self.ledger.forgotten(index, job);
        }
    }

    fn start_job(&mut self, index: RunnerIndex, job: &ClaimedJob) {
        let uuid = job.uuid;
        if self.disk_refuses(index) {
            self.ended(index, failed(uuid, JobFailure::Infrastructure, "this runner's disk takes nothing"));
            return;
        }
        let runner = &mut self.runners[index];
        let busy = runner.running.is_some();
        let waits = !runner.disk.spool.is_empty() || !runner.held.is_empty();
        runner.disk.in_flight = Some(uuid);
        runner.runs += 1;
        let number = runner.runs;
        runner.running = Some(Run { number, job: uuid, canceled: false });
        self.ledger.started(index, uuid, busy, waits);
        self.soon(LONGEST_JOB, Happening::JobEnds { runner: index, run: number });
    }

    fn stop_job(&mut self, index: RunnerIndex) {
        if let Some(run) = &mut self.runners[index].running {
            run.canceled = true;
            let run = run.number;
            self.soon(LONGEST_STOP, Happening::JobEnds { runner: index, run });
        }
    }

    pub(super) fn say_from(&self, message: &FromRunner) -> String {
        match message {
            FromRunner::Ready { .. } => "ready".to_owned(),
            FromRunner::Running { job } => format!("running {}", job.map_or_else(String::new, |job| self.name(job))),
            FromRunner::Heartbeat { job } => format!("heartbeat {}", job.map_or_else(String::new, |job| self.name(job))),
            FromRunner::Output { job, .. } => format!("output of {}", self.name(*job)),
            FromRunner::Completed { job, .. } => format!("completed {} with {:?}", self.name(*job), result(message)),
            FromRunner::Failed { job, error, .. } => format!("failed {}: {error}", self.name(*job)),
            FromRunner::Canceled { job, .. } => format!("canceled {}", self.name(*job)),
        }
    }

    pub(super) fn say_to(&self, message: &ToRunner) -> String {
        match message {
            ToRunner::Ack { job } => format!("ack {}", job.map_or_else(String::new, |job| self.name(job))),
            ToRunner::Job(job) => format!("job {}", self.name(job.uuid)),
            ToRunner::NoJob => "no_job".to_owned(),
            ToRunner::Cancel => "cancel".to_owned(),
            ToRunner::Update { .. } => "update".to_owned(),
        }
    }
}

/// The job that a message ends.
fn subject(message: &FromRunner) -> Option<JobUuid> {
    match message {
        FromRunner::Completed { job, .. } | FromRunner::Failed { job, .. } | FromRunner::Canceled { job, .. } => Some(*job),
        FromRunner::Ready { .. } | FromRunner::Running { .. } | FromRunner::Heartbeat { .. } | FromRunner::Output { .. } => None,
    }
}

/// What a completed job delivers.
fn result(message: &FromRunner) -> Option<String> {
    match message {
        FromRunner::Completed { results, .. } => results.first().and_then(|result| result.stdout.clone()),
        _ => None,
    }
}

fn failed(job: JobUuid, failure: JobFailure, error: &str) -> FromRunner {
    FromRunner::Failed { job, results: Vec::new(), warmups: None, error: error.to_owned(), failure: Some(failure) }
}

/// A job as a server hands it out; only its id is ever looked at.
pub(super) fn template() -> ClaimedJob {
    const JOB: &str = r#"{
        "uuid": "00000000-0000-0000-0000-000000000000",
        "spec": {
            "uuid": "00000000-0000-0000-0000-000000000001", "name": "small", "slug": "small", "os": "linux",
            "architecture": "x86_64", "cpu": 1, "memory": 1073741824, "disk": 1073741824, "network": false,
            "created": "2026-01-01T00:00:00Z", "modified": "2026-01-01T00:00:00Z"
        },
        "config": {
            "registry": "http://localhost:6610/", "project": "00000000-0000-0000-0000-000000000002",
            "digest": "sha256:0000000000000000000000000000000000000000000000000000000000000000", "timeout": 60
        },
        "oci_token": "header.payload.signature", "timeout": 60, "created": "2026-01-01T00:00:00Z"
    }"#;
    serde_json::from_str(JOB).expect("it is a job")
}
