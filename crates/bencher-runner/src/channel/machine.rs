//! What the runner says and does next: the decisions of the channel, without I/O, clock or randomness.
//!
//! Everything that happens is an [`Input`], everything to do is an [`Output`]. The machine knows results only by number, size
//! and job; what is in them stays on the disk. The module above explains the acknowledgements.
//!
//! Invariant: the runner asks for a job only when no result waits, so there is never a job and a waiting result at once.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bencher_types::{
    JobUuid,
    wire::{
        channel::{ClaimedJob, FromRunner, RunnerMetadata, ToRunner},
        live::OutputPiece,
    },
};
use tracing::{debug, info, warn};

use super::{
    backoff::{Backoff, Problem},
    limits::{
        ACK_BYTES_PER_SECOND, ACK_TIMEOUT, DRAIN_DELIVERY, HEARTBEAT_INTERVAL, MIN_POLL_INTERVAL, OVERSIZE_DROPS,
        OVERSIZE_SUSPECT, PING_INTERVAL, POLL_GRACE, REFUSAL_WINDOW, SILENCE_TIMEOUT, SILENT_REFUSALS,
    },
};

/// Which messages a server answers with `ack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckPolicy {
    /// Terminal messages only: this product's server.
    TerminalOnly,
    /// Every message of a running job, in order: a v0.6 server, or one that did not say what it is.
    Everything,
}

/// What to do with a running job when the runner is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnShutdown {
    Finish,
    Cancel,
}

/// The number of a result in the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParcelId(pub u64);

/// A terminal message that waits for its acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parcel {
    pub id: ParcelId,
    pub job: JobUuid,
    /// Size of the message in bytes.
    pub bytes: u64,
}

#[derive(Debug)]
pub enum Input {
    /// The connection asked for stands.
    Connected(AckPolicy),
    /// The connection asked for did not come about.
    ConnectFailed(Problem),
    /// A message of the server.
    Frame(ToRunner),
    /// A job came that does not read as one. Its terminal message follows as [`Input::Finished`].
    UnreadableJob { job: JobUuid, problem: String },
    /// Any other sign of life, such as a pong.
    Alive,
    /// The connection is gone, by no decision of the machine.
    Disconnected,
    /// The time of [`Machine::deadline`] has come.
    Tick,
    /// The job has printed this, which it wants to be told at once: only while [`Machine::tells_output`], else nobody hears of it.
    Printed(JobUuid, Vec<OutputPiece>),
    /// The running job is over and its terminal message is kept.
    Finished(Parcel),
    /// A message that was to be cut down now is this large; `None` where nothing can be read of it any more.
    Recut(ParcelId, Option<u64>),
    /// Somebody wants the runner to stop; each further time it is meant more urgently.
    Shutdown,
    /// Somebody wants the runner to stop, and its job to be canceled or not; saying so again changes nothing.
    Drain { cancel: bool },
}

/// What the machine is busy with, for those who ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    Connecting,
    /// For a job.
    Waiting,
    Working,
    Delivering,
}

#[derive(Debug)]
#[must_use = "the machine assumes that its decisions are carried out"]
pub enum Output {
    /// Connect after this wait; replaces an earlier wish.
    Connect(Duration),
    /// Give up the connection.
    Disconnect,
    Send(FromRunner),
    Ping,
    /// Send this terminal message.
    Deliver(ParcelId),
    /// The server has it: remove it from the disk.
    Forget(ParcelId),
    /// No server takes this message: keep a copy for a person and replace it by a failure that fits.
    CutDown(ParcelId),
    Start(Box<ClaimedJob>),
    /// Fail this job, which cannot be read; counts as running until [`Input::Finished`].
    Reject {
        job: JobUuid,
        problem: String,
    },
    /// Stop the running job.
    Cancel,
    /// There is nothing left to do.
    Exit,
}

#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long the server may hold a `ready` while it has no job.
    pub poll_timeout: Duration,
    pub on_shutdown: OnShutdown,
}

pub struct Machine {
    settings: Settings,
    link: Link,
    work: Option<Work>,
    /// Oldest first.
    outbox: VecDeque<Waiting>,
    backoff: Backoff,
    silent_refusals: u32,
    drain: Drain,
}

enum Link {
    Down,
    Up(Session),
}

struct Session {
    acks: AckPolicy,
    since: Instant,
    /// When the server last gave a sign of life; `None` before the first.
    heard: Option<Instant>,
    pinged: Instant,
    /// Messages of the current job on this connection that a server which answers everything has not answered yet.
    unanswered: u32,
    doing: Doing,
}

enum Doing {
    Polling {
        since: Instant,
    },
    /// The server answered too soon; `ready` goes out then.
    Pausing {
        until: Instant,
    },
    Working {
        heartbeat_at: Instant,
    },
    Delivering {
        parcel: Parcel,
        /// Answers that come before the parcel's own, and the parcel's own.
        owed: u32,
        until: Instant,
    },
}

struct Work {
    job: JobUuid,
    canceling: bool,
}

struct Waiting {
    parcel: Parcel,
    /// Connections that ended while it waited for its acknowledgement.
    drops: u32,
}

enum Drain {
    No,
    /// No more jobs. With a time: deliver until then.
    Yes {
        until: Option<Instant>,
    },
}

impl Machine {
    /// A machine that is not connected, with what an earlier run could not deliver. Its first act is [`Machine::start`].
    pub fn new(settings: Settings, outbox: impl IntoIterator<Item = Parcel>) -> Self {
        Self {
            settings,
            link: Link::Down,
            work: None,
            outbox: outbox.into_iter().map(|parcel| Waiting { parcel, drops: 0 }).collect(),
            backoff: Backoff::default(),
            silent_refusals: 0,
            drain: Drain::No,
        }
    }

    pub fn start() -> Vec<Output> {
        vec![Output::Connect(Duration::ZERO)]
    }

    /// How many connections in a row the server ended without a word, right after they were opened.
    pub fn silent_refusals(&self) -> u32 {
        self.silent_refusals
    }

    pub fn activity(&self) -> Activity {
        match &self.link {
            _ if self.work.is_some() => Activity::Working,
            Link::Down => Activity::Connecting,
            Link::Up(Session { doing: Doing::Delivering { .. }, .. }) => Activity::Delivering,
            Link::Up(_) => Activity::Waiting,
        }
    }

    /// Whether it was told to stop.
    pub fn is_draining(&self) -> bool {
        matches!(self.drain, Drain::Yes { .. })
    }

    /// Whether its job was told to stop.
    pub fn is_canceling(&self) -> bool {
        self.work.as_ref().is_some_and(|work| work.canceling)
    }

    /// Results that wait for their acknowledgement.
    pub fn undelivered(&self) -> usize {
        self.outbox.len()
    }

    /// Whether what the job prints can be told now: on a connection on which the server knows of the job.
    pub fn tells_output(&self) -> bool {
        matches!(&self.link, Link::Up(Session { doing: Doing::Working { .. }, .. }))
    }

    /// When the machine next wants a [`Input::Tick`], should nothing else happen before.
    pub fn deadline(&self) -> Option<Instant> {
        let drain = match self.drain {
            Drain::Yes { until } => until,
            Drain::No => None,
        };
        let session = match &self.link {
            Link::Down => None,
            Link::Up(session) => Some(match &session.doing {
                Doing::Polling { since } => *since + self.settings.poll_timeout + POLL_GRACE,
                Doing::Pausing { until } | Doing::Delivering { until, .. } => *until,
                Doing::Working { heartbeat_at } => *heartbeat_at,
            }),
        };
        drain.into_iter().chain(session).min()
    }

    pub fn on(&mut self, now: Instant, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        match input {
            Input::Connected(acks) => self.connected(now, acks, &mut out),
            Input::ConnectFailed(problem) => self.reconnect(problem, &mut out),
            Input::Frame(frame) => {
                self.heard(now);
                self.frame(now, frame, &mut out);
            }
            Input::UnreadableJob { job, problem } => {
                self.heard(now);
                if matches!(&self.link, Link::Up(Session { doing: Doing::Polling { .. }, .. })) {
                    self.claimed(now, job, &mut out);
                    out.push(Output::Reject { job, problem });
                }
            }
            Input::Alive => self.heard(now),
            Input::Disconnected => self.disconnected(now, &mut out),
            Input::Tick => self.tick(now, &mut out),
            // Not acknowledged by any server: there is nothing to keep count of.
            Input::Printed(job, pieces) if self.tells_output() => out.push(Output::Send(FromRunner::Output { job, pieces })),
            Input::Printed(..) => {}
            Input::Finished(parcel) => self.finished(now, parcel, &mut out),
            Input::Recut(id, bytes) => self.recut(now, id, bytes, &mut out),
            Input::Shutdown => self.shutdown(now, &mut out),
            Input::Drain { cancel } => {
                if !self.is_draining() {
                    self.shutdown(now, &mut out);
                }
                if cancel {
                    self.cancel_work("the operator", &mut out);
                }
            }
        }
        out
    }

    fn connected(&mut self, now: Instant, acks: AckPolicy, out: &mut Vec<Output>) {
        let doing = Doing::Pausing { until: now };
        self.link = Link::Up(Session { acks, since: now, heard: None, pinged: now, unanswered: 0, doing });
        self.proceed(now, out);
    }

    /// Chooses what to do on a connection that is free: a job's signs of life before a result, a result before a new job.
    fn proceed(&mut self, now: Instant, out: &mut Vec<Output>) {
        let Link::Up(session) = &mut self.link else { return };
        if let Some(work) = &self.work {
            // A server that answers no heartbeats answers a ping.
            session.pinged = now;
            session.unanswered = session.unanswered.saturating_add(1);
            session.doing = Doing::Working { heartbeat_at: now + HEARTBEAT_INTERVAL };
            out.push(Output::Send(FromRunner::Running { job: Some(work.job) }));
            out.push(Output::Ping);
        } else if let Some(Waiting { parcel, .. }) = self.outbox.front() {
            let owed = match session.acks {
                AckPolicy::TerminalOnly => 1,
                AckPolicy::Everything => session.unanswered.saturating_add(1),
            };
            let until = now + ACK_TIMEOUT + Duration::from_secs(parcel.bytes / ACK_BYTES_PER_SECOND);
            session.doing = Doing::Delivering { parcel: *parcel, owed, until };
            out.push(Output::Deliver(parcel.id));
        } else if matches!(self.drain, Drain::Yes { .. }) {
            self.link = Link::Down;
            out.extend([Output::Disconnect, Output::Exit]);
        } else {
            session.unanswered = 0;
            session.doing = Doing::Polling { since: now };
            let seconds = u32::try_from(self.settings.poll_timeout.as_secs()).unwrap_or(u32::MAX);
            // A v0.6 server would offer updates to whoever says what it is.
            let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
            let ours = || RunnerMetadata::ours(os, arch, env!("CARGO_PKG_VERSION"));
            let runner = (session.acks == AckPolicy::TerminalOnly).then(ours);
            out.push(Output::Send(FromRunner::Ready { poll_timeout: Some(seconds), runner }));
        }
    }

    fn heard(&mut self, now: Instant) {
        if let Link::Up(session) = &mut self.link {
            session.heard = Some(now);
            self.backoff.succeeded();
            self.silent_refusals = 0;
        }
    }

    fn frame(&mut self, now: Instant, frame: ToRunner, out: &mut Vec<Output>) {
        let Link::Up(session) = &mut self.link else { return };
        match (&mut session.doing, frame) {
            (Doing::Polling { .. }, ToRunner::Job(job)) => {
                self.claimed(now, job.uuid, out);
                out.push(Output::Start(job));
            }
            (Doing::Polling { since }, ToRunner::NoJob) => {
                let until = *since + MIN_POLL_INTERVAL;
                if until > now { session.doing = Doing::Pausing { until } } else { self.proceed(now, out) }
            }
            (Doing::Polling { .. }, ToRunner::Update { version, .. }) => {
                warn!(offered.version = %version, "refused an update that the server offered: this runner is not updated by servers");
                session.doing = Doing::Pausing { until: now + MIN_POLL_INTERVAL };
            }
            (Doing::Working { .. }, answer @ (ToRunner::Ack { .. } | ToRunner::Cancel)) => {
                session.unanswered = session.unanswered.saturating_sub(1);
                if answer == ToRunner::Cancel {
                    self.cancel_work("the server", out);
                } else {
                    // There was no terminal message that it could belong to.
                    session.acks = AckPolicy::Everything;
                }
            }
            (Doing::Delivering { .. }, answer @ (ToRunner::Ack { .. } | ToRunner::Cancel)) => self.answered(now, &answer, out),
            (_, ToRunner::Job(job)) => {
                warn!(other.uuid = %job.uuid, "the server sent a job that this runner did not ask for; ignored");
            }
            (_, other) => debug!(message = ?other, "ignored a message that has no meaning now"),
        }
    }

    fn claimed(&mut self, now: Instant, job: JobUuid, out: &mut Vec<Output>) {
        self.work = Some(Work { job, canceling: false });
        self.proceed(now, out);
    }

    /// An `ack` or a `cancel` while a result waits for its acknowledgement.
    fn answered(&mut self, now: Instant, answer: &ToRunner, out: &mut Vec<Output>) {
        let Link::Up(session) = &mut self.link else { return };
        let Doing::Delivering { parcel, owed, .. } = &mut session.doing else { return };
        let names_it = matches!(answer, ToRunner::Ack { job } if job.is_none_or(|job| job == parcel.job));
        if session.acks == AckPolicy::TerminalOnly && !names_it {
            return;
        }
        *owed = owed.saturating_sub(1);
        if *owed > 0 {
            return;
        }
        if names_it {
            let delivered = parcel.id;
            session.unanswered = 0;
            self.outbox.retain(|waiting| waiting.parcel.id != delivered);
            out.push(Output::Forget(delivered));
            self.proceed(now, out);
        } else {
            // Its own answer, but not its acknowledgement.
            self.drop_link(out);
        }
    }

    fn disconnected(&mut self, now: Instant, out: &mut Vec<Output>) {
        let Link::Up(session) = std::mem::replace(&mut self.link, Link::Down) else { return };
        let mut problem = Problem::Unreachable;
        if session.heard.is_none() && now.saturating_duration_since(session.since) < REFUSAL_WINDOW {
            self.silent_refusals = self.silent_refusals.saturating_add(1);
            if self.silent_refusals >= SILENT_REFUSALS {
                problem = Problem::Refused;
            }
        }
        self.after_loss(&session.doing, problem, out);
    }

    /// Ends the connection from this side, to try the same on a new one.
    fn drop_link(&mut self, out: &mut Vec<Output>) {
        let Link::Up(session) = std::mem::replace(&mut self.link, Link::Down) else { return };
        out.push(Output::Disconnect);
        self.after_loss(&session.doing, Problem::Unreachable, out);
    }

    fn after_loss(&mut self, was_doing: &Doing, problem: Problem, out: &mut Vec<Output>) {
        if let Doing::Delivering { parcel, .. } = was_doing
            && let Some(waiting) = self.outbox.iter_mut().find(|waiting| waiting.parcel.id == parcel.id)
        {
            waiting.drops = waiting.drops.saturating_add(1);
            if waiting.drops >= OVERSIZE_DROPS && parcel.bytes >= OVERSIZE_SUSPECT {
                waiting.drops = 0;
                out.push(Output::CutDown(parcel.id));
            }
        }
        self.reconnect(problem, out);
    }

    fn reconnect(&mut self, problem: Problem, out: &mut Vec<Output>) {
        // A refusal does not pass while a runner ends: what waits is for the next start, with another key.
        let nothing_to_do = self.work.is_none() && (self.outbox.is_empty() || problem == Problem::Refused);
        if nothing_to_do && self.is_draining() {
            out.push(Output::Exit);
        } else {
            out.push(Output::Connect(self.backoff.after(problem)));
        }
    }

    fn tick(&mut self, now: Instant, out: &mut Vec<Output>) {
        if matches!(self.drain, Drain::Yes { until: Some(until) } if now >= until) {
            out.push(Output::Exit);
            return;
        }
        let Link::Up(session) = &mut self.link else { return };
        match &mut session.doing {
            Doing::Polling { since } if now >= *since + self.settings.poll_timeout + POLL_GRACE => {
                warn!("the server did not answer in time; connecting again");
                self.drop_link(out);
            }
            Doing::Pausing { until } if now >= *until => self.proceed(now, out),
            Doing::Delivering { parcel, until, .. } if now >= *until => {
                info!(job.uuid = %parcel.job, "no acknowledgement that is the result's own; sending it again on a new connection");
                self.drop_link(out);
            }
            Doing::Working { heartbeat_at } if now >= *heartbeat_at => {
                if now >= session.heard.unwrap_or(session.since) + SILENCE_TIMEOUT {
                    warn!("the server gives no sign of life; connecting again while the job runs on");
                    self.drop_link(out);
                    return;
                }
                *heartbeat_at = now + HEARTBEAT_INTERVAL;
                session.unanswered = session.unanswered.saturating_add(1);
                out.push(Output::Send(FromRunner::Heartbeat { job: self.work.as_ref().map(|work| work.job) }));
                if now >= session.pinged + PING_INTERVAL {
                    session.pinged = now;
                    out.push(Output::Ping);
                }
            }
            _ => {}
        }
    }

    fn finished(&mut self, now: Instant, parcel: Parcel, out: &mut Vec<Output>) {
        self.work = None;
        self.outbox.push_back(Waiting { parcel, drops: 0 });
        if let Drain::Yes { until } = &mut self.drain {
            *until = Some(now + DRAIN_DELIVERY);
            if matches!(self.link, Link::Down) {
                // There is not the time to sit out a long wait.
                out.push(Output::Connect(Duration::ZERO));
            }
        }
        self.proceed(now, out);
    }

    fn recut(&mut self, now: Instant, id: ParcelId, bytes: Option<u64>, out: &mut Vec<Output>) {
        if let Some(bytes) = bytes {
            for waiting in self.outbox.iter_mut().filter(|waiting| waiting.parcel.id == id) {
                waiting.parcel.bytes = bytes;
            }
            return;
        }
        self.outbox.retain(|waiting| waiting.parcel.id != id);
        let was_delivering =
            matches!(&self.link, Link::Up(Session { doing: Doing::Delivering { parcel, .. }, .. }) if parcel.id == id);
        if was_delivering {
            self.proceed(now, out);
        }
    }

    fn shutdown(&mut self, now: Instant, out: &mut Vec<Output>) {
        if matches!(self.drain, Drain::No) {
            let until = self.work.is_none().then(|| now + DRAIN_DELIVERY);
            self.drain = Drain::Yes { until };
            match (&self.work, self.settings.on_shutdown) {
                (Some(_), OnShutdown::Cancel) => self.cancel_work("the runner's shutdown", out),
                (Some(work), OnShutdown::Finish) => {
                    info!(job.uuid = %work.job, "told to stop: finishing the running job first; a second signal cancels it");
                }
                (None, _) => self.drain_without_work(out),
            }
        } else if self.work.as_ref().is_some_and(|work| !work.canceling) {
            self.cancel_work("the runner's shutdown", out);
        } else {
            out.push(Output::Exit);
        }
    }

    fn drain_without_work(&mut self, out: &mut Vec<Output>) {
        match &self.link {
            Link::Up(Session { doing: Doing::Delivering { .. }, .. }) => {}
            Link::Down if !self.outbox.is_empty() => out.push(Output::Connect(Duration::ZERO)),
            Link::Down => out.push(Output::Exit),
            // A job that the server hands out just now was never accepted: the server puts it back.
            Link::Up(_) => {
                self.link = Link::Down;
                out.extend([Output::Disconnect, Output::Exit]);
            }
        }
    }

    fn cancel_work(&mut self, by: &str, out: &mut Vec<Output>) {
        if let Some(work) = &mut self.work
            && !work.canceling
        {
            info!(job.uuid = %work.job, "canceling the running job, as {by} asks");
            work.canceling = true;
            out.push(Output::Cancel);
        }
    }
}

#[cfg(test)]
mod tests;
