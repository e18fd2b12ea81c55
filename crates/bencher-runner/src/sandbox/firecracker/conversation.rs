//! What follows from what a guest says and does: the runner's side of the protocol, without any input or output.
//!
//! ```text
//! Greeting ──Hello──▶ Idle ──begin──▶ Starting ──Started──▶ Running ──Ended──▶ Collecting ──all of it──▶ Idle
//!                                         │                    │ timeout, cancel     ▲
//!                                         └──────cancel──▶ Stopping ─────Ended───────┘
//! ```
//!
//! A guest is believed in nothing: what is out of turn ends the conversation, and every state in which the guest has to
//! act has a deadline. Only a stop is different: it ends the iteration with what there is by then, whatever the guest does.

use std::time::Duration;

use bencher_init::control::{FromGuest, GuestExit, GuestFailure, ToGuest};
use tokio::time::Instant;

use super::{collect::Parcel, error::Lie, limits};
use crate::sandbox::{CapturedStream, Ended, Exit};

/// How long the guest's own parts may take, from the plan and the runner's configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) boot: Duration,
    pub(super) timeout: Duration,
    pub(super) grace: Duration,
}

/// Something that happened.
#[derive(Debug)]
pub(super) enum Event {
    Guest(FromGuest),
    /// The control connection is gone.
    ControlClosed,
    /// What came on the control connection is no message.
    ControlBroken(Lie),
    /// A delivery is complete and has the digests it was announced with.
    Parcel(Parcel),
    ParcelBroken(Lie),
    Cancel,
    /// [`Conversation::deadline`] has passed.
    Late,
    /// The machine's process is gone, and all that it sent before is told.
    MachineEnded,
}

/// Something to be done.
#[derive(Debug)]
#[must_use = "the guest waits for it"]
pub(super) enum Order {
    Tell(ToGuest),
    /// The guest is ready; it needed this long by its own clock, from its first process.
    Greeted {
        init_ready: Duration,
    },
    PressCtrlAltDel,
    /// The iteration is over.
    Done(Box<RunEnd>),
    /// So is the conversation, without a result.
    Failed(Failure),
}

/// Why there is no result.
#[derive(Debug)]
pub(super) enum Failure {
    Guest(GuestFailure),
    Lie(Lie),
    Silent {
        step: &'static str,
        after: Duration,
    },
    MachineEnded {
        when: &'static str,
    },
    /// The machine ended after the order to run the benchmark, which can do that to its own machine.
    BenchmarkEndedMachine,
}

/// What one iteration left.
#[derive(Debug)]
pub(super) struct RunEnd {
    pub(super) exit: Exit,
    pub(super) ended: Ended,
    pub(super) wall: Duration,
    pub(super) oom_killed: bool,
    pub(super) parcels: Parcels,
    /// From the benchmark's end to the last delivery.
    pub(super) collect: Duration,
    pub(super) warning: Option<String>,
}

/// The deliveries of one run.
#[derive(Debug, Default)]
pub(super) struct Parcels {
    pub(super) stdout: Option<CapturedStream>,
    pub(super) stderr: Option<CapturedStream>,
    pub(super) files: Option<super::collect::Files>,
}

#[derive(Debug)]
pub(super) struct Conversation {
    patience: Patience,
    state: State,
    next_run: u32,
    parcels: Parcels,
}

#[derive(Debug)]
enum State {
    Greeting { deadline: Instant },
    Idle,
    Starting { run: u32, since: Instant },
    Running { run: u32, since: Instant },
    Stopping(Stopping),
    Collecting(Collecting),
    Over,
}

#[derive(Clone, Copy, Debug)]
struct Stopping {
    run: u32,
    since: Instant,
    why: Ended,
    deadline: Instant,
    pressed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Collecting {
    run: u32,
    exit: Exit,
    ended: Ended,
    wall: Duration,
    oom_killed: bool,
    since: Instant,
    deadline: Instant,
    delivered: bool,
}

impl Conversation {
    pub(super) fn new(patience: Patience, now: Instant) -> Self {
        let state = State::Greeting { deadline: now + patience.boot };
        Self { patience, state, next_run: 0, parcels: Parcels::default() }
    }

    /// When [`Event::Late`] is due. `None` where nothing is waited for.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Idle | State::Over => None,
            State::Greeting { deadline } => Some(*deadline),
            State::Starting { since, .. } => Some(*since + limits::START_TIMEOUT),
            State::Running { since, .. } => Some(*since + self.patience.timeout),
            State::Stopping(stopping) => Some(stopping.deadline),
            State::Collecting(collecting) => Some(collecting.deadline),
        }
    }

    /// Whether another run may begin.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// The number of the run that begins, and the order for it. `None` where the guest is not ready for one.
    pub(super) fn begin(&mut self, now: Instant) -> Option<(u32, ToGuest)> {
        if !self.is_idle() {
            return None;
        }
        let run = self.next_run;
        self.next_run = run.checked_add(1)?;
        self.parcels = Parcels::default();
        self.state = State::Starting { run, since: now };
        Some((run, ToGuest::Run { run }))
    }

    pub(super) fn on(&mut self, event: Event, now: Instant) -> Option<Order> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Greeting { deadline } => self.greeting(event, deadline),
            State::Idle => self.idle(event),
            State::Starting { run, since } => self.starting(event, run, since, now),
            State::Running { run, since } => self.running(event, run, since, now),
            State::Stopping(stopping) => self.stopping(event, stopping, now),
            State::Collecting(collecting) => self.collecting(event, collecting, now),
            State::Over => None,
        }
    }

    fn greeting(&mut self, event: Event, deadline: Instant) -> Option<Order> {
        match event {
            Event::Guest(FromGuest::Hello { version, init_ns, ready_ns, .. }) => {
                if version != bencher_init::PROTOCOL_VERSION {
                    let mismatch = GuestFailure::Version { runner: bencher_init::PROTOCOL_VERSION, guest: version };
                    return failed(Failure::Guest(mismatch));
                }
                self.state = State::Idle;
                Some(Order::Greeted { init_ready: Duration::from_nanos(ready_ns.saturating_sub(init_ns)) })
            }
            // Whoever wants to cancel before there is a benchmark just ends the machine.
            Event::Cancel => {
                self.state = State::Greeting { deadline };
                None
            }
            Event::Late => failed(Failure::Silent { step: "the start of the guest", after: self.patience.boot }),
            event => failed(unexpected(event, "before its guest was ready")),
        }
    }

    fn idle(&mut self, event: Event) -> Option<Order> {
        match event {
            Event::Cancel | Event::Late => {
                self.state = State::Idle;
                None
            }
            event => failed(unexpected(event, "between two runs")),
        }
    }

    fn starting(&mut self, event: Event, run: u32, since: Instant, now: Instant) -> Option<Order> {
        match event {
            Event::Guest(FromGuest::Started { run: said, .. }) if said == run => {
                self.state = State::Running { run, since: now };
                None
            }
            Event::Parcel(parcel) => {
                self.state = State::Starting { run, since };
                self.keep(parcel);
                None
            }
            Event::Cancel => Some(self.stop(run, now, Ended::Canceled, now)),
            Event::Late => failed(Failure::Silent { step: "the start of the benchmark", after: limits::START_TIMEOUT }),
            // Its program is loaded before the guest can say so, and may be quicker.
            Event::MachineEnded | Event::ControlClosed => failed(Failure::BenchmarkEndedMachine),
            event => failed(unexpected_in(run, event, "before the benchmark was started")),
        }
    }

    fn running(&mut self, event: Event, run: u32, since: Instant, now: Instant) -> Option<Order> {
        match event {
            Event::Guest(FromGuest::Ended { run: said, exit, wall_ns, oom_killed }) if said == run => {
                self.collect(run, exit, clamp(wall_ns, now - since), oom_killed, Ended::Exited, now)
            }
            Event::Parcel(parcel) => {
                self.state = State::Running { run, since };
                self.keep(parcel);
                None
            }
            Event::Cancel => Some(self.stop(run, since, Ended::Canceled, now)),
            Event::Late => Some(self.stop(run, since, Ended::TimedOut, now)),
            Event::MachineEnded | Event::ControlClosed => failed(Failure::BenchmarkEndedMachine),
            event => failed(unexpected_in(run, event, "while the benchmark ran")),
        }
    }

    fn stopping(&mut self, event: Event, stopping: Stopping, now: Instant) -> Option<Order> {
        let Stopping { run, since, why, pressed, .. } = stopping;
        match event {
            Event::Guest(FromGuest::Started { run: said, .. }) if said == run => self.state = State::Stopping(stopping),
            Event::Guest(FromGuest::Ended { run: said, exit, wall_ns, oom_killed }) if said == run => {
                let wall = clamp(wall_ns, now - since);
                // It may have ended just in time, and only what it left behind took longer.
                let in_time = why == Ended::TimedOut && wall < self.patience.timeout;
                return self.collect(run, exit, wall, oom_killed, if in_time { Ended::Exited } else { why }, now);
            }
            Event::Parcel(parcel) => {
                self.state = State::Stopping(stopping);
                self.keep(parcel);
            }
            Event::Cancel => self.state = State::Stopping(stopping),
            Event::Late if !pressed => {
                self.state = State::Stopping(Stopping { pressed: true, deadline: now + self.stop_patience(), ..stopping });
                return Some(Order::PressCtrlAltDel);
            }
            _ => return Some(self.without_answer(why, now - since)),
        }
        None
    }

    fn collecting(&mut self, event: Event, mut collecting: Collecting, now: Instant) -> Option<Order> {
        match event {
            Event::Guest(FromGuest::Delivered { run }) if run == collecting.run && !collecting.delivered => {
                collecting.delivered = true;
                self.on_progress(collecting, now)
            }
            Event::Parcel(parcel) => {
                self.keep(parcel);
                self.on_progress(collecting, now)
            }
            Event::Cancel => {
                collecting.ended = Ended::Canceled;
                Some(self.done(collecting, now, None))
            }
            event => {
                let failure = match event {
                    Event::Late => Failure::Silent { step: "the delivery of the results", after: limits::DELIVERY_TIMEOUT },
                    event => unexpected_in(collecting.run, event, "before all results were delivered"),
                };
                if collecting.ended == Ended::Exited {
                    return failed(failure);
                }
                // A benchmark that had to be stopped is reported as that; what is missing of its output is said.
                Some(self.done(collecting, now, Some("not all output of the stopped benchmark could be delivered".to_owned())))
            }
        }
    }

    fn collect(
        &mut self,
        run: u32,
        exit: GuestExit,
        wall: Duration,
        oom_killed: bool,
        ended: Ended,
        now: Instant,
    ) -> Option<Order> {
        let exit = match exit {
            GuestExit::Code(code @ 0..=255) => Exit::Code(code),
            GuestExit::Signal(signal @ 1..=64) => Exit::Signal(signal),
            GuestExit::Code(said) | GuestExit::Signal(said) => return failed(Failure::Lie(Lie::Exit { said })),
        };
        let deadline = now + limits::DELIVERY_TIMEOUT;
        let delivered = false;
        self.on_progress(Collecting { run, exit, ended, wall, oom_killed, since: now, deadline, delivered }, now)
    }

    fn on_progress(&mut self, collecting: Collecting, now: Instant) -> Option<Order> {
        let Parcels { stdout, stderr, files } = &self.parcels;
        if collecting.delivered && stdout.is_some() && stderr.is_some() && files.is_some() {
            let done = self.done(collecting, now, None);
            self.state = State::Idle;
            return Some(done);
        }
        self.state = State::Collecting(Collecting { deadline: now + limits::DELIVERY_TIMEOUT, ..collecting });
        None
    }

    fn done(&mut self, collecting: Collecting, now: Instant, warning: Option<String>) -> Order {
        let Collecting { exit, ended, wall, oom_killed, since, .. } = collecting;
        let parcels = std::mem::take(&mut self.parcels);
        Order::Done(Box::new(RunEnd { exit, ended, wall, oom_killed, parcels, collect: now - since, warning }))
    }

    fn stop(&mut self, run: u32, since: Instant, why: Ended, now: Instant) -> Order {
        self.state = State::Stopping(Stopping { run, since, why, deadline: now + self.stop_patience(), pressed: false });
        Order::Tell(ToGuest::Stop)
    }

    fn stop_patience(&self) -> Duration {
        self.patience.grace * 2 + limits::STOP_SLACK
    }

    /// The end of a benchmark whose guest does not answer any more: the machine is killed, and the benchmark with it.
    fn without_answer(&mut self, ended: Ended, wall: Duration) -> Order {
        Order::Done(Box::new(RunEnd {
            exit: Exit::Signal(9),
            ended,
            wall,
            oom_killed: false,
            parcels: std::mem::take(&mut self.parcels),
            collect: Duration::ZERO,
            warning: Some(
                "the guest did not answer the order to stop: its machine was killed, and its output is lost".to_owned(),
            ),
        }))
    }

    /// Each kind comes at most once a run; who lets deliveries in sees to that.
    fn keep(&mut self, parcel: Parcel) {
        match parcel {
            Parcel::Stdout(stream) => self.parcels.stdout = Some(stream),
            Parcel::Stderr(stream) => self.parcels.stderr = Some(stream),
            Parcel::Files(files) => self.parcels.files = Some(files),
        }
    }
}

impl RunEnd {
    /// The end of an iteration that was canceled before there was a benchmark.
    pub(super) fn canceled() -> Self {
        Self {
            exit: Exit::Signal(9),
            ended: Ended::Canceled,
            wall: Duration::ZERO,
            oom_killed: false,
            parcels: Parcels::default(),
            collect: Duration::ZERO,
            warning: None,
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every caller returns an optional order")]
fn failed(failure: Failure) -> Option<Order> {
    Some(Order::Failed(failure))
}

fn unexpected(event: Event, when: &'static str) -> Failure {
    match event {
        Event::Guest(FromGuest::Failed { failure }) => Failure::Guest(failure),
        Event::Guest(message) => Failure::Lie(Lie::OutOfTurn { said: name(&message), when }),
        Event::ControlBroken(lie) | Event::ParcelBroken(lie) => Failure::Lie(lie),
        Event::Parcel(_) => Failure::Lie(Lie::OutOfTurn { said: "a delivery", when }),
        Event::Cancel | Event::Late | Event::ControlClosed | Event::MachineEnded => Failure::MachineEnded { when },
    }
}

fn unexpected_in(run: u32, event: Event, when: &'static str) -> Failure {
    match &event {
        Event::Guest(
            FromGuest::Started { run: said, .. } | FromGuest::Ended { run: said, .. } | FromGuest::Delivered { run: said },
        ) if *said != run => Failure::Lie(Lie::OtherRun { said: *said, run }),
        _ => unexpected(event, when),
    }
}

fn name(message: &FromGuest) -> &'static str {
    match message {
        FromGuest::Hello { .. } => "hello",
        FromGuest::Started { .. } => "started",
        FromGuest::Ended { .. } => "ended",
        FromGuest::Delivered { .. } => "delivered",
        FromGuest::Failed { .. } => "failed",
    }
}

/// The guest's clock is the better one, but it cannot have taken longer than it did.
fn clamp(wall_ns: u64, most: Duration) -> Duration {
    Duration::from_nanos(wall_ns).min(most)
}

#[cfg(test)]
mod tests;
