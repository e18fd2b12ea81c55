//! The world of one seed: what there is, what is about to happen, and time, which only passes when nothing is left to do at once.

mod faults;
mod network;
mod runner;
mod server;

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use bencher_api::channel::hub::Nudge;
use bencher_types::{DateTime, JobUuid};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use self::{faults::Fault, network::Connection, runner::Runner, server::Server};
use crate::{
    invariants::{Ledger, Violation},
    queue::{ORGANIZATIONS, Order, Queue, RunnerIndex},
};

/// Milliseconds since the world began.
pub(crate) type Millis = u64;

/// Which of the connections, from 0; none is used twice.
type ConnectionIndex = usize;

/// What one run of the world is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    pub runners: usize,
    pub jobs: usize,
    /// How many things go wrong.
    pub faults: usize,
    /// In milliseconds: when the last of them has happened.
    pub quiet_after: u64,
}

/// How long jobs may take to come to their end after the last fault: longer than every back-off and timeout in a row.
const SETTLING: Millis = 40 * 60 * 1000;
/// More than this many things in one world is a loop without end.
const MAX_STEPS: usize = 400_000;
/// The server's clock when the world begins, in microseconds since 1970.
const EPOCH_MICROS: i64 = 1_760_000_000_000_000;

/// Something that is about to happen.
#[derive(Clone, Debug)]
enum Happening {
    Submit(Order),
    /// A runner's attempt to connect arrives.
    Knock {
        runner: RunnerIndex,
        dial: u64,
    },
    /// The runner hears that it is connected.
    Accepted {
        connection: ConnectionIndex,
        dial: u64,
    },
    Refused {
        runner: RunnerIndex,
        dial: u64,
    },
    /// The oldest message to the server arrives.
    ToServer(ConnectionIndex),
    ToRunner(ConnectionIndex),
    /// A ping arrives, and its answer.
    Ping(ConnectionIndex),
    Pong(ConnectionIndex),
    /// One end learns that the connection is gone.
    ServerLoses(ConnectionIndex),
    RunnerLoses(ConnectionIndex),
    Nudge(ConnectionIndex, Nudge),
    /// The benchmark is over.
    JobEnds {
        runner: RunnerIndex,
        run: u64,
    },
    RunnerStarts(RunnerIndex),
    ServerStarts,
    /// The server looks for lost runners.
    Watch {
        life: u64,
    },
    /// The server turns results into metrics.
    Process {
        life: u64,
    },
    Fault(Fault),
}

/// An entry of the agenda: earlier first, and what was entered first at the same moment.
#[derive(Clone, Debug)]
struct Entry {
    at: Millis,
    order: u64,
    what: Happening,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// Everything there is.
pub struct World<Q> {
    queue: Q,
    rng: ChaCha8Rng,
    scale: Scale,
    now: Millis,
    began: Instant,
    order: u64,
    agenda: BinaryHeap<Reverse<Entry>>,
    server: Server,
    runners: Vec<Runner>,
    connections: Vec<Connection>,
    jobs: Vec<JobUuid>,
    ledger: Ledger,
    /// What happened, where somebody wants to read it.
    trace: Option<Vec<String>>,
}

/// How a world came to its end.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub violation: Option<Violation>,
    /// What happened, where it was asked for.
    pub trace: Vec<String>,
    pub steps: usize,
}

impl<Q: Queue> World<Q> {
    /// A world in which everything is decided by the seed.
    pub fn new(seed: u64, scale: Scale, queue: Q) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let server = Server::new(&mut rng);
        let runners = (0..scale.runners).map(|_| Runner::new(&mut rng)).collect();
        let mut world = Self {
            queue,
            rng,
            scale,
            now: 0,
            began: start_of_time(),
            order: 0,
            agenda: BinaryHeap::new(),
            server,
            runners,
            connections: Vec::new(),
            jobs: Vec::new(),
            ledger: Ledger::default(),
            trace: None,
        };
        world.enter(0, Happening::ServerStarts);
        for runner in 0..scale.runners {
            world.enter(0, Happening::RunnerStarts(runner));
        }
        for _ in 0..scale.jobs {
            let at = world.rng.random_range(0..scale.quiet_after / 2);
            let order = Order { organization: world.rng.random_range(0..ORGANIZATIONS), retries: world.rng.random_range(0..3) };
            world.enter(at, Happening::Submit(order));
        }
        for _ in 0..scale.faults {
            let at = world.rng.random_range(0..scale.quiet_after);
            let fault = world.any_fault();
            world.enter(at, Happening::Fault(fault));
        }
        world.enter(scale.quiet_after, Happening::Fault(Fault::UnlockAll));
        world
    }

    /// Keeps what happens, to be read.
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.trace = Some(Vec::new());
        self
    }

    /// Leaves results as they were delivered: nobody turns them into metrics.
    #[must_use]
    pub fn without_processing(mut self) -> Self {
        self.server.processes = false;
        self
    }

    /// Lets everything happen, until all is done or something is wrong.
    pub fn run(mut self) -> Outcome {
        let mut steps = 0;
        let violation = loop {
            steps += 1;
            if let Err(violation) = self.step() {
                break Some(violation);
            }
            if self.is_done() {
                let undisturbed = self.scale.faults == 0;
                break self.ledger.check_end(&mut self.queue, &self.jobs, undisturbed).err();
            }
            if steps > MAX_STEPS || self.now > self.scale.quiet_after + SETTLING {
                break Some(Violation(format!("not done after {} s and {steps} steps: {}", self.now / 1000, self.unfinished())));
            }
        };
        Outcome { violation, trace: self.trace.unwrap_or_default(), steps }
    }

    fn step(&mut self) -> Result<(), Violation> {
        let entered = self.agenda.peek().map_or(Millis::MAX, |Reverse(entry)| entry.at);
        let due = self.next_deadline();
        if let Some((at, whose)) = due
            && at < entered
        {
            self.now = self.now.max(at);
            self.tick(whose);
        } else if let Some(Reverse(entry)) = self.agenda.pop() {
            self.now = self.now.max(entry.at);
            self.happen(entry.what);
        } else {
            return Err(Violation(format!("nothing is left to happen: {}", self.unfinished())));
        }
        self.ledger.check_step(&mut self.queue, &self.jobs)
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Submit(order) => {
                let now = self.server_time();
                let job = self.queue.submit(order, now);
                self.ledger.submitted(job, order);
                self.jobs.push(job);
                self.note(|world| format!("job {} of organization {} is submitted", world.name(job), order.organization));
                self.wake();
            }
            Happening::Knock { runner, dial } => self.knock(runner, dial),
            Happening::Accepted { connection, dial } => self.accepted(connection, dial),
            Happening::Refused { runner, dial } => self.refused(runner, dial),
            Happening::ToServer(connection) => self.arrive_at_server(connection),
            Happening::ToRunner(connection) => self.arrive_at_runner(connection),
            Happening::Ping(connection) => self.ping_arrives(connection),
            Happening::Pong(connection) => self.pong_arrives(connection),
            Happening::ServerLoses(connection) => self.server_loses(connection),
            Happening::RunnerLoses(connection) => self.runner_loses(connection),
            Happening::Nudge(connection, nudge) => self.nudge_session(connection, nudge),
            Happening::JobEnds { runner, run } => self.job_ends(runner, run),
            Happening::RunnerStarts(runner) => self.start_runner(runner),
            Happening::ServerStarts => self.start_server(),
            Happening::Watch { life } => self.watch(life),
            Happening::Process { life } => self.process(life),
            Happening::Fault(fault) => self.strike(fault),
        }
    }

    /// Whose time comes next, of all state machines.
    fn next_deadline(&self) -> Option<(Millis, Whose)> {
        let sessions = self.session_deadlines();
        let machines = self.machine_deadlines();
        sessions.chain(machines).min_by_key(|(at, _)| *at)
    }

    fn tick(&mut self, whose: Whose) {
        match whose {
            Whose::Session(connection) => self.tick_session(connection),
            Whose::Machine(runner) => self.tick_machine(runner),
        }
    }

    /// All jobs are over, nothing waits anywhere, and nothing more goes wrong.
    fn is_done(&mut self) -> bool {
        self.now >= self.scale.quiet_after
            && self.jobs.len() == self.scale.jobs
            && self.runners.iter().all(Runner::is_at_rest)
            && self.jobs.clone().into_iter().all(|job| self.is_over(job))
    }

    fn is_over(&mut self, job: JobUuid) -> bool {
        let status = self.queue.view(job).status;
        status.is_final() || (!self.server.processes && status.has_run())
    }

    fn unfinished(&mut self) -> String {
        let jobs: Vec<String> = self
            .jobs
            .clone()
            .into_iter()
            .filter_map(|job| {
                let view = self.queue.view(job);
                (!self.is_over(job)).then(|| format!("job {} is {} at attempt {}", self.name(job), view.status, view.attempt))
            })
            .collect();
        let runners = self
            .runners
            .iter()
            .enumerate()
            .filter(|(_, runner)| !runner.is_at_rest())
            .map(|(index, _)| format!("runner {index} is busy"));
        jobs.into_iter().chain(runners).collect::<Vec<_>>().join(", ")
    }

    fn enter(&mut self, at: Millis, what: Happening) {
        self.order += 1;
        self.agenda.push(Reverse(Entry { at, order: self.order, what }));
    }

    fn soon(&mut self, within: Millis, what: Happening) {
        let wait = self.rng.random_range(0..=within);
        self.enter(self.now + wait, what);
    }

    fn chance(&mut self, of_thousand: u32) -> bool {
        self.rng.random_range(0..1000) < of_thousand
    }

    /// The runners' clocks, which never jump.
    fn instant(&self) -> Instant {
        self.began + Duration::from_millis(self.now)
    }

    /// The server's clock, which somebody may set.
    fn server_time(&self) -> DateTime {
        let millis = i64::try_from(self.now).unwrap_or(i64::MAX).saturating_add(self.server.clock_offset);
        DateTime::from_micros(EPOCH_MICROS.saturating_add(millis.saturating_mul(1000))).expect("worlds are short")
    }

    /// When it is that time by the server's clock, as it goes now; never in the past.
    fn when(&self, time: DateTime) -> Millis {
        let millis = (time.as_micros() - EPOCH_MICROS + 999) / 1000 - self.server.clock_offset;
        u64::try_from(millis).unwrap_or(0).max(self.now)
    }

    /// What a job is called in the trace: its number.
    fn name(&self, job: JobUuid) -> String {
        self.jobs.iter().position(|known| *known == job).map_or_else(|| job.to_string(), |index| index.to_string())
    }

    fn note(&mut self, text: impl FnOnce(&Self) -> String) {
        if self.trace.is_some() {
            let line = format!("{:>9.3} {}", Duration::from_millis(self.now).as_secs_f64(), text(self));
            self.trace.get_or_insert_default().push(line);
        }
    }
}

/// Whose time has come.
#[derive(Clone, Copy, Debug)]
enum Whose {
    Session(ConnectionIndex),
    Machine(RunnerIndex),
}

/// Only differences to it are ever looked at.
fn start_of_time() -> Instant {
    Instant::now()
}
