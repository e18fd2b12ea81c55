//! The server's end of the runner channel, without any I/O: what each message, answer and passing moment means.
//!
//! ```text
//!            ready              job claimed
//!  Idle ───────────▶ Waiting ───────────────▶ InJob ──┐ running, heartbeat: alive
//!   ▲  ▲                │ poll timeout: no_job  │  ▲   │
//!   │  └────────────────┘                       │  └───┘
//!   │        terminal message stored: ack       │
//!   └───────────────────────────────────────────┘
//!  Idle ── running or heartbeat for the runner's claimed job ──▶ InJob   (the job resumes on this connection)
//! ```
//!
//! Only terminal messages are acknowledged, and `cancel` is sent when there is one. Runners of the v0.6 series read one message per
//! second; an acknowledged heartbeat would wait in their socket and later pass for the acknowledgement of the result.
//!
//! Knows no socket, no database and no clock: the shell in `socket.rs` feeds it and does what it asks for.

use std::time::Duration;

use bencher_types::{
    DateTime, JobUuid,
    wire::{
        channel::{ClaimedJob, FromRunner, ToRunner},
        live::OutputPiece,
    },
};

use super::hub::{CloseReason, Nudge};
use crate::{
    limits,
    queue::{Delivered, Held, Resume, Terminal},
};

/// The bounds that an admin may set.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How long a runner may be silent.
    pub heartbeat_timeout: Duration,
}

/// What happens to a session.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    Message(FromRunner),
    /// A text frame that is no message.
    Garbage,
    Nudge(Nudge),
    /// Nothing happened until the [`Session::deadline`].
    Tick,
    /// Answer to [`Output::Claim`].
    Claimed(Option<(Held, Box<ClaimedJob>)>),
    /// Answer to [`Output::Resume`].
    Resumed(Resume),
    /// Answer to [`Output::Finish`]: stored, or known already.
    Finished(JobUuid),
    /// Answer to [`Output::Overrun`]: the job is canceled.
    Overran(JobUuid),
    /// The connection is gone.
    Disconnected,
}

/// What the shell is to do, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    Send(ToRunner),
    Close(Close),
    /// Claim a job for this runner. What the runner still holds was given up by it and is failed first.
    Claim,
    /// Find out what a runner that says it works is working on.
    Resume(Option<JobUuid>),
    /// The runner works on the job.
    Start(Held),
    /// The runner is still alive.
    Renew(Held),
    /// Keep what the job has printed, for those who follow it.
    Keep(Held, Vec<OutputPiece>),
    /// Store how a job ended.
    Finish(JobUuid, Terminal),
    /// The job was handed out but never received: back to the queue.
    Release(Held),
    /// The runner fell silent, or gave the job up.
    Lost(Held, &'static str),
    /// The job took longer than it may.
    Overrun(Held),
}

/// How a connection ends: a close frame's code and reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    HeartbeatTimeout,
    JobTimeoutExceeded,
    /// Nothing was ever sent.
    NoMessage,
    /// A frame that is no message, outside of a job.
    Garbage,
    Hub(CloseReason),
}

impl Close {
    /// The close code (RFC 6455, 7.4.1) and the reason; the first two are read by v0.6 runners.
    #[must_use]
    pub const fn frame(self) -> (u16, &'static str) {
        match self {
            Self::HeartbeatTimeout => (1000, "\"heartbeat_timeout\""),
            Self::JobTimeoutExceeded => (1000, "\"job_timeout_exceeded\""),
            Self::NoMessage => (1000, "no message arrived in time"),
            Self::Garbage => (1007, "a frame was not a message of this protocol"),
            Self::Hub(CloseReason::KeyChanged) => (1008, "the key is no longer valid"),
            Self::Hub(CloseReason::Replaced) => (1008, "the runner connected again"),
            Self::Hub(CloseReason::ShuttingDown) => (1001, "server shutting down"),
        }
    }
}

/// One connection.
#[derive(Clone, Debug)]
pub struct Session {
    bounds: Bounds,
    state: State,
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    Idle { since: DateTime },
    Waiting { until: DateTime },
    InJob(InJob),
    Closed,
}

#[derive(Clone, Debug, PartialEq)]
struct InJob {
    held: Held,
    /// The runner said that it has the job.
    received: bool,
    /// A terminal message is being stored.
    ending: bool,
    canceled: bool,
    last_sign: DateTime,
    last_renewal: DateTime,
}

impl InJob {
    /// A job that is on its way to the runner.
    const fn handed_out(held: Held, now: DateTime) -> Self {
        Self { held, received: false, ending: false, canceled: false, last_sign: now, last_renewal: now }
    }
}

impl Session {
    #[must_use]
    pub const fn new(bounds: Bounds, now: DateTime) -> Self {
        Self { bounds, state: State::Idle { since: now } }
    }

    /// When [`Input::Tick`] is due, if nothing happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<DateTime> {
        match &self.state {
            State::Idle { since } => Some(since.saturating_add(self.bounds.heartbeat_timeout)),
            State::Waiting { until } => Some(*until),
            State::InJob(job) => Some(job.last_sign.saturating_add(self.bounds.heartbeat_timeout)),
            State::Closed => None,
        }
    }

    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Whether the runner asked for a job and has got no answer yet.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting { .. })
    }

    /// The job that the runner holds on this connection.
    #[must_use]
    pub const fn held(&self) -> Option<Held> {
        match &self.state {
            State::InJob(job) => Some(job.held),
            State::Idle { .. } | State::Waiting { .. } | State::Closed => None,
        }
    }

    /// Takes one thing that happened and says what to do.
    #[must_use]
    pub fn on(&mut self, input: Input, now: DateTime) -> Vec<Output> {
        if self.is_closed() {
            return Vec::new();
        }
        match input {
            Input::Message(message) => self.on_message(message, now),
            Input::Garbage => match &self.state {
                // Not a sign of life, but not worth a job either.
                State::InJob(_) => Vec::new(),
                State::Idle { .. } | State::Waiting { .. } | State::Closed => self.close(Close::Garbage),
            },
            Input::Nudge(nudge) => self.on_nudge(nudge),
            Input::Tick => self.on_tick(now),
            Input::Claimed(claimed) => self.on_claimed(claimed, now),
            Input::Resumed(resume) => self.on_resumed(resume, now),
            Input::Finished(job) => {
                if self.held().is_some_and(|held| held.job == job) {
                    self.state = State::Idle { since: now };
                }
                vec![Output::Send(ToRunner::Ack { job: Some(job) })]
            }
            Input::Overran(job) => self.cancel(job),
            Input::Disconnected => self.on_disconnected(),
        }
    }

    fn on_message(&mut self, message: FromRunner, now: DateTime) -> Vec<Output> {
        match message {
            FromRunner::Ready { poll_timeout, .. } => {
                let given_up = match &self.state {
                    State::InJob(job) if job.received => Some(job.held),
                    // What never arrived goes back to the queue with the claim.
                    _ => None,
                };
                let poll =
                    poll_timeout.map_or(limits::DEFAULT_POLL_TIMEOUT, |secs| Duration::from_secs(u64::from(secs.clamp(1, 900))));
                self.state = State::Waiting { until: now.saturating_add(poll) };
                let lost = given_up.map(|held| Output::Lost(held, "the runner asked for new work before it finished this job"));
                lost.into_iter().chain([Output::Claim]).collect()
            }
            FromRunner::Running { job } => self.on_sign(job, SignOf::Start, now),
            FromRunner::Heartbeat { job } => self.on_sign(job, SignOf::Life, now),
            FromRunner::Output { job, pieces } => self.on_output(job, pieces, now),
            FromRunner::Completed { job, results, warmups } => {
                self.on_terminal(job, Terminal::Completed(Delivered { results, warmups }), now)
            }
            FromRunner::Failed { job, results, warmups, error, failure } => {
                self.on_terminal(job, Terminal::Failed(Delivered { results, warmups }, error, failure), now)
            }
            FromRunner::Canceled { job, results, warmups } => {
                self.on_terminal(job, Terminal::Canceled(Delivered { results, warmups }), now)
            }
        }
    }

    fn on_sign(&mut self, named: Option<JobUuid>, sign: SignOf, now: DateTime) -> Vec<Output> {
        let bounds = self.bounds;
        let job = match &mut self.state {
            State::InJob(job) if named.is_none_or(|named| named == job.held.job) => job,
            State::Idle { since } => {
                *since = now;
                return vec![Output::Resume(named)];
            }
            State::Waiting { .. } => return named.map(|named| Output::Resume(Some(named))).into_iter().collect(),
            // A sign of another job than the one that is held: that one is over.
            State::InJob(_) | State::Closed => return Vec::new(),
        };
        job.last_sign = now;
        let mut outputs = Vec::new();
        if !job.received || sign == SignOf::Start {
            job.received = true;
            job.last_renewal = now;
            outputs.push(Output::Start(job.held));
        } else if now.since(job.last_renewal) >= bounds.heartbeat_timeout / RENEWALS_PER_TIMEOUT {
            // One write per many heartbeats keeps the lease alive.
            job.last_renewal = now;
            outputs.push(Output::Renew(job.held));
        }
        if job.canceled {
            outputs.push(Output::Send(ToRunner::Cancel));
        } else if now >= job.held.must_end {
            outputs.push(Output::Overrun(job.held));
        }
        outputs
    }

    /// Of a job that this connection does not hold nothing is kept: whoever has it says first that it does.
    fn on_output(&mut self, of: JobUuid, pieces: Vec<OutputPiece>, now: DateTime) -> Vec<Output> {
        match &mut self.state {
            State::InJob(job) if job.held.job == of && job.received && !job.ending => {
                job.last_sign = now;
                vec![Output::Keep(job.held, pieces)]
            }
            State::Idle { since } => {
                *since = now;
                Vec::new()
            }
            State::InJob(_) | State::Waiting { .. } | State::Closed => Vec::new(),
        }
    }

    fn on_terminal(&mut self, job: JobUuid, terminal: Terminal, now: DateTime) -> Vec<Output> {
        match &mut self.state {
            State::InJob(held) if held.held.job == job => {
                held.ending = true;
                held.last_sign = now;
            }
            State::Idle { since } => *since = now,
            State::InJob(_) | State::Waiting { .. } | State::Closed => {}
        }
        vec![Output::Finish(job, terminal)]
    }

    fn on_nudge(&mut self, nudge: Nudge) -> Vec<Output> {
        match (nudge, &self.state) {
            (Nudge::Wake, State::Waiting { .. }) => vec![Output::Claim],
            (Nudge::Wake, _) => Vec::new(),
            (Nudge::Cancel(job), _) => self.cancel(job),
            (Nudge::Close(reason), State::InJob(job)) => {
                // A job goes on without its connection, unless the runner may not have heard of it yet.
                let release = (!job.received && reason == CloseReason::KeyChanged).then_some(Output::Release(job.held));
                release.into_iter().chain(self.close(Close::Hub(reason))).collect()
            }
            (Nudge::Close(reason), _) => self.close(Close::Hub(reason)),
        }
    }

    fn cancel(&mut self, canceled: JobUuid) -> Vec<Output> {
        match &mut self.state {
            State::InJob(job) if job.held.job == canceled && !job.ending && !job.canceled => {
                job.canceled = true;
                vec![Output::Send(ToRunner::Cancel)]
            }
            _ => Vec::new(),
        }
    }

    fn on_tick(&mut self, now: DateTime) -> Vec<Output> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Vec::new();
        }
        match &self.state {
            State::Idle { .. } => self.close(Close::NoMessage),
            State::Waiting { .. } => {
                self.state = State::Idle { since: now };
                vec![Output::Send(ToRunner::NoJob)]
            }
            State::InJob(job) => {
                let held = job.held;
                let (outcome, close) = if now >= held.must_end {
                    (Output::Overrun(held), Close::JobTimeoutExceeded)
                } else {
                    (Output::Lost(held, "the runner fell silent"), Close::HeartbeatTimeout)
                };
                let mut outputs = vec![outcome];
                outputs.extend(self.close(close));
                outputs
            }
            State::Closed => Vec::new(),
        }
    }

    fn on_claimed(&mut self, claimed: Option<(Held, Box<ClaimedJob>)>, now: DateTime) -> Vec<Output> {
        let Some((held, job)) = claimed else { return Vec::new() };
        if matches!(self.state, State::Waiting { .. }) {
            self.state = State::InJob(InJob::handed_out(held, now));
            vec![Output::Send(ToRunner::Job(job))]
        } else {
            vec![Output::Release(held)]
        }
    }

    fn on_resumed(&mut self, resume: Resume, now: DateTime) -> Vec<Output> {
        match (resume, &self.state) {
            (Resume::Held(held), State::Idle { .. } | State::Waiting { .. }) => {
                self.state = State::InJob(InJob { received: true, ..InJob::handed_out(held, now) });
                vec![Output::Start(held)]
            }
            (Resume::Stop, State::Idle { .. } | State::Waiting { .. }) => vec![Output::Send(ToRunner::Cancel)],
            (Resume::Held(_) | Resume::Stop | Resume::Nothing, _) => Vec::new(),
        }
    }

    fn on_disconnected(&mut self) -> Vec<Output> {
        let state = std::mem::replace(&mut self.state, State::Closed);
        match state {
            State::InJob(job) if !job.received => vec![Output::Release(job.held)],
            // The lease gives the runner one heartbeat timeout to come back.
            State::InJob(job) => vec![Output::Renew(job.held)],
            State::Idle { .. } | State::Waiting { .. } | State::Closed => Vec::new(),
        }
    }

    fn close(&mut self, close: Close) -> Vec<Output> {
        self.state = State::Closed;
        vec![Output::Close(close)]
    }
}

/// What a message of a working runner says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SignOf {
    Start,
    Life,
}

/// How often within one heartbeat timeout a lease is renewed: two renewals may fail before the job is lost.
const RENEWALS_PER_TIMEOUT: u32 = 3;

#[cfg(test)]
mod tests;
