//! The server: the real sessions, and a shell around them that does what `bencher_api::channel` and `bencher_api::queue` do, with
//! a hub, a watch over leases and a task for results.

use std::{collections::BTreeMap, time::Duration};

use bencher_api::{
    channel::{
        hub::{CloseReason, Nudge},
        session::{Bounds, Input, Output, Session},
    },
    queue::{Held, Resume, Terminal},
    store::queue::{Ended, Ending},
};
use bencher_types::{
    DateTime, JobEvent, JobStatus, JobUuid,
    wire::channel::{ClaimedJob, IterationOutput},
};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use super::{ConnectionIndex, Happening, Millis, Whose, World};
use crate::queue::{Claim, Queue, RunnerIndex};

/// How long the server waits after its database failed.
const RETRY: Millis = 5_000;
/// Fetching and building an image, and one iteration with its grace.
const JOB_BOUND: Duration = Duration::from_secs(300);

/// One process of the server after another.
pub(super) struct Server {
    pub(super) up: bool,
    /// Counts its starts: what an earlier process was about to do does not happen.
    life: u64,
    /// Milliseconds that its clock is ahead.
    pub(super) clock_offset: i64,
    /// Whether results are turned into metrics here.
    pub(super) processes: bool,
    heartbeat_timeout: Duration,
    template: ClaimedJob,
    sessions: BTreeMap<ConnectionIndex, Session>,
    /// The newest connection of each runner.
    hub: BTreeMap<RunnerIndex, ConnectionIndex>,
    /// The watch over leases sleeps until somebody takes one.
    watch_idles: bool,
    process_idles: bool,
    /// The database answers nothing until then.
    pub(super) outage_until: Millis,
    /// Thousandths of writes that are done without anybody hearing of it.
    pub(super) lost_answers: u32,
}

/// The connection cannot go on.
struct Broken;

impl Server {
    pub(super) fn new(rng: &mut ChaCha8Rng) -> Self {
        Self {
            up: false,
            life: 0,
            clock_offset: 0,
            processes: true,
            heartbeat_timeout: Duration::from_secs(rng.random_range(5..=90)),
            template: super::runner::template(),
            sessions: BTreeMap::new(),
            hub: BTreeMap::new(),
            watch_idles: false,
            process_idles: false,
            outage_until: 0,
            lost_answers: 0,
        }
    }

    /// Whether the database answers nothing now.
    pub(super) fn fails(&self, now: Millis) -> bool {
        now < self.outage_until
    }
}

impl<Q: Queue> World<Q> {
    pub(super) fn start_server(&mut self) {
        if self.server.up {
            return;
        }
        if self.server.fails(self.now) {
            // It does not start without its database; whoever looks after it tries again.
            self.soon(RETRY, Happening::ServerStarts);
            return;
        }
        self.note(|_| "the server starts".to_owned());
        self.server.up = true;
        self.server.life += 1;
        let (lease, now) = (self.server.heartbeat_timeout, self.server_time());
        self.queue.extend(lease, now);
        let life = self.server.life;
        self.server.watch_idles = false;
        self.server.process_idles = false;
        self.enter(self.now, Happening::Watch { life });
        self.enter(self.now, Happening::Process { life });
    }

    /// The process ends without a word; its sockets are closed by the machine it ran on.
    pub(super) fn kill_server(&mut self) {
        if !self.server.up {
            return;
        }
        self.note(|_| "the server is killed".to_owned());
        self.server.up = false;
        self.server.hub.clear();
        for connection in std::mem::take(&mut self.server.sessions).into_keys() {
            self.close_at_server(connection);
        }
    }

    /// It says goodbye to every runner, then ends.
    pub(super) fn stop_server(&mut self) {
        self.note(|_| "the server stops".to_owned());
        for connection in self.server.sessions.keys().copied().collect::<Vec<_>>() {
            self.feed(connection, Input::Nudge(Nudge::Close(CloseReason::ShuttingDown)));
        }
        self.kill_server();
    }

    pub(super) fn open_session(&mut self, connection: ConnectionIndex) {
        let runner = self.connections[connection].runner;
        if let Some(older) = self.server.hub.insert(runner, connection) {
            self.soon(5, Happening::Nudge(older, Nudge::Close(CloseReason::Replaced)));
        }
        let now = self.server_time();
        self.queue.set_online(runner, true, now);
        let session = Session::new(Bounds { heartbeat_timeout: self.server.heartbeat_timeout }, self.server_time());
        self.server.sessions.insert(connection, session);
    }

    pub(super) fn wake(&mut self) {
        self.tell_all(Nudge::Wake);
    }

    pub(super) fn tell_all(&mut self, nudge: Nudge) {
        for connection in self.server.hub.values().copied().collect::<Vec<_>>() {
            self.soon(5, Happening::Nudge(connection, nudge));
        }
    }

    pub(super) fn nudge_session(&mut self, connection: ConnectionIndex, nudge: Nudge) {
        self.feed(connection, Input::Nudge(nudge));
    }

    pub(super) fn tick_session(&mut self, connection: ConnectionIndex) {
        self.feed(connection, Input::Tick);
    }

    pub(super) fn arrive_at_server(&mut self, connection: ConnectionIndex) {
        if let Some(message) = self.connections[connection].to_server.pop_front() {
            self.note(|world| format!("server ← runner {}: {}", world.connections[connection].runner, world.say_from(&message)));
            self.feed(connection, Input::Message(message));
        }
    }

    pub(super) fn server_loses(&mut self, connection: ConnectionIndex) {
        if self.connections[connection].open_at_server && self.server.sessions.contains_key(&connection) {
            self.note(|_| format!("the server learns that connection {connection} is gone"));
            self.leave(connection);
        }
    }

    pub(super) fn session_deadlines(&self) -> impl Iterator<Item = (Millis, Whose)> {
        self.server
            .sessions
            .iter()
            .filter_map(|(connection, session)| Some((self.when(session.deadline()?), Whose::Session(*connection))))
    }

    /// Feeds one input, and the answers to what it leads to; then the connection goes on, or is over.
    fn feed(&mut self, connection: ConnectionIndex, input: Input) {
        if !self.server.sessions.contains_key(&connection) {
            return;
        }
        let broken = self.handle(connection, input).is_err();
        let closed = self.server.sessions.get(&connection).is_none_or(Session::is_closed);
        if broken || closed {
            self.leave(connection);
        }
    }

    fn handle(&mut self, connection: ConnectionIndex, input: Input) -> Result<(), Broken> {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let now = self.server_time();
            let Some(session) = self.server.sessions.get_mut(&connection) else { return Ok(()) };
            for output in session.on(input, now) {
                inputs.extend(self.act(connection, output)?);
            }
        }
        Ok(())
    }

    fn leave(&mut self, connection: ConnectionIndex) {
        // What cannot be written now, the leases settle.
        self.handle(connection, Input::Disconnected).ok();
        self.server.sessions.remove(&connection);
        let runner = self.connections[connection].runner;
        if self.server.hub.get(&runner) == Some(&connection) {
            self.server.hub.remove(&runner);
            let now = self.server_time();
            self.queue.set_online(runner, false, now);
        }
        self.close_at_server(connection);
    }

    fn act(&mut self, connection: ConnectionIndex, output: Output) -> Result<Option<Input>, Broken> {
        let runner = self.connections[connection].runner;
        let lease = self.server.heartbeat_timeout;
        let now = self.server_time();
        match output {
            Output::Send(message) => {
                self.note(|world| format!("server → runner {runner}: {}", world.say_to(&message)));
                self.send_to_runner(connection, message);
            }
            Output::Close(close) => {
                self.note(|_| format!("the server closes connection {connection}: {close:?}"));
            }
            Output::Claim => {
                let claim = self.write(|queue| queue.claim(runner, lease, now));
                if claim.is_err() {
                    self.lease_taken();
                }
                let claim = claim?;
                return Ok(Some(Input::Claimed(claim.map(|claim| self.handed_out(runner, claim, now)))));
            }
            Output::Resume(named) => {
                if self.server.fails(self.now) {
                    return Err(Broken);
                }
                return Ok(Some(Input::Resumed(self.resume(runner, named))));
            }
            Output::Start(held) => self.write(|queue| queue.start(held.job, held.attempt, lease, now))?,
            Output::Renew(held) => {
                self.write(|queue| queue.renew(held.job, held.attempt, lease, now)).ok();
            }
            // No job of these worlds is live.
            Output::Keep(..) => {}
            Output::Finish(job, terminal) => {
                self.finish(runner, job, terminal)?;
                return Ok(Some(Input::Finished(job)));
            }
            Output::Release(held) => {
                if let Ok(true) = self.write(|queue| queue.release(held.job, held.attempt, now)) {
                    self.wake();
                }
            }
            Output::Lost(held, why) => {
                self.write(|queue| queue.end(held.job, held.attempt, JobEvent::Fail, now))?;
                self.note(|world| format!("job {} is lost: {why}", world.name(held.job)));
                self.wake();
            }
            Output::Overrun(held) => {
                // It may be written without anybody hearing of it.
                self.ledger.stopped(held.job);
                self.write(|queue| queue.end(held.job, held.attempt, JobEvent::Cancel, now))?;
                return Ok(Some(Input::Overran(held.job)));
            }
        }
        Ok(None)
    }

    /// One transaction, which may fail, or be done without anybody hearing of it.
    fn write<T>(&mut self, transaction: impl FnOnce(&mut Q) -> T) -> Result<T, Broken> {
        if self.server.fails(self.now) {
            return Err(Broken);
        }
        let result = transaction(&mut self.queue);
        let lost = self.server.lost_answers;
        if lost > 0 && self.chance(lost) {
            self.note(|_| "the database does what it was told, and nobody hears of it".to_owned());
            return Err(Broken);
        }
        Ok(result)
    }

    fn handed_out(&mut self, runner: RunnerIndex, claim: Claim, now: DateTime) -> (Held, Box<ClaimedJob>) {
        self.note(|world| format!("job {} is claimed, attempt {}", world.name(claim.job), claim.attempt));
        self.ledger.claimed(runner);
        self.lease_taken();
        let held = Held { job: claim.job, attempt: claim.attempt, must_end: now.saturating_add(JOB_BOUND) };
        (held, Box::new(ClaimedJob { uuid: claim.job, ..self.server.template.clone() }))
    }

    fn lease_taken(&mut self) {
        if std::mem::replace(&mut self.server.watch_idles, false) {
            let life = self.server.life;
            self.enter(self.now, Happening::Watch { life });
        }
    }

    fn resume(&mut self, runner: RunnerIndex, named: Option<JobUuid>) -> Resume {
        let now = self.server_time();
        let Some(held) = self.queue.of_runner(runner, named) else {
            return if named.is_some() { Resume::Stop } else { Resume::Nothing };
        };
        if held.status.is_in_flight() && held.runner == Some(runner) {
            let must_end = held.claimed.unwrap_or(now).saturating_add(JOB_BOUND);
            Resume::Held(Held { job: held.job, attempt: held.attempt, must_end })
        } else {
            Resume::Stop
        }
    }

    fn finish(&mut self, runner: RunnerIndex, job: JobUuid, terminal: Terminal) -> Result<(), Broken> {
        let now = self.server_time();
        let mut failure = None;
        let (event, results) = match terminal {
            Terminal::Completed(delivered) => (JobEvent::Complete, Some(delivered.results)),
            Terminal::Failed(delivered, _, class) => {
                failure = class;
                (JobEvent::Fail, Some(delivered.results))
            }
            Terminal::Canceled(delivered) => (JobEvent::Cancel, (!delivered.results.is_empty()).then_some(delivered.results)),
        };
        if self.server.fails(self.now) {
            return Err(Broken);
        }
        let output = results.map(|results| token(&results));
        if self.queue.wants(runner, job, event) {
            let ending = Ending { event, output_key: output, message: None, failure };
            // Without an answer, nobody knows whether there is something to do now.
            let ended = self.write(|queue| queue.finish(runner, job, &ending, now));
            if ended.is_err() {
                self.results_arrived();
            }
            let ended = ended?;
            self.note(|world| format!("what runner {runner} says of job {}: {ended:?}", world.name(job)));
            if let Ended::Now(status) = ended {
                self.wake();
                if status == JobStatus::Completed {
                    self.results_arrived();
                }
            }
        }
        self.ledger.judged(runner, job);
        Ok(())
    }

    fn results_arrived(&mut self) {
        if std::mem::replace(&mut self.server.process_idles, false) {
            let life = self.server.life;
            self.enter(self.now, Happening::Process { life });
        }
    }

    pub(super) fn watch(&mut self, life: u64) {
        if !self.server.up || self.server.life != life {
            return;
        }
        if self.server.fails(self.now) {
            self.enter(self.now + RETRY, Happening::Watch { life });
            return;
        }
        let now = self.server_time();
        for expired in self.queue.expired(now) {
            if self.queue.release(expired.job, expired.attempt, now) {
                self.note(|world| format!("job {} was never begun and goes back", world.name(expired.job)));
                self.wake();
            } else if self.queue.end(expired.job, expired.attempt, JobEvent::Fail, now) {
                self.note(|world| format!("the lease of job {} runs out", world.name(expired.job)));
                self.wake();
            }
        }
        match self.queue.next_expiry() {
            Some(next) => {
                let wait = u64::try_from(next.since(now).as_millis()).unwrap_or(u64::MAX);
                self.enter(self.now.saturating_add(wait).saturating_add(1), Happening::Watch { life });
            }
            None => self.server.watch_idles = true,
        }
    }

    pub(super) fn process(&mut self, life: u64) {
        if !self.server.up || self.server.life != life || !self.server.processes {
            return;
        }
        if self.server.fails(self.now) {
            self.enter(self.now + RETRY, Happening::Process { life });
            return;
        }
        let now = self.server_time();
        if self.queue.process(now) {
            self.soon(20, Happening::Process { life });
        } else {
            self.server.process_idles = true;
        }
    }
}

/// What a result says of itself.
fn token(results: &[IterationOutput]) -> String {
    results.first().and_then(|result| result.stdout.clone()).unwrap_or_default()
}
