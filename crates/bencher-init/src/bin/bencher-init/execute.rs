//! Running one benchmark: from its first process to the last it left behind.
//!
//! Between the two this process sleeps in one call that waits for the benchmark's output, its children's ends, the host
//! and Ctrl-Alt-Del. It has no time-out before somebody orders the benchmark to stop, so that nothing wakes it, unless
//! somebody wants to know what it prints while it runs.

mod launch;
mod phase;
mod stream;

use std::{io, time::Duration};

use bencher_init::{
    FromGuest, ToGuest,
    control::{GuestExit, GuestFailure},
};
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{WaitOptions, WaitStatus, wait},
};

pub(crate) use self::{launch::Launch, stream::Captured};
use self::{
    launch::Started,
    phase::{Action, Event, Phase},
    stream::Capture,
};
use crate::{cgroup, clock, clock::Moment, failure, host::Host, limits, live::Live, signals::Signals};

/// What a benchmark left, but for its files.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) exit: GuestExit,
    pub(crate) wall_ns: u64,
    pub(crate) oom_killed: bool,
    pub(crate) stdout: Captured,
    pub(crate) stderr: Captured,
    /// The host closed the connection meanwhile: nobody waits for this any more.
    pub(crate) host_is_gone: bool,
}

/// Starts the benchmark and returns when nothing of it is alive.
pub(crate) fn run(launch: &Launch, run: u32, grace: Duration, host: &mut Host, signals: &Signals) -> Result<Left, GuestFailure> {
    let oom_kills = cgroup::oom_kills();
    // Before the benchmark's time begins.
    let live = Live::over(if launch.live { host.open_live(run) } else { None });
    let started = launch.start()?;
    let mut running = Running::new(started, launch.max_output_size, grace, live)?;
    if host.say(&FromGuest::Started { run, at_ns: running.started.0 }).is_err() {
        running.lose_the_host()?;
    }
    while running.phase != Phase::Over {
        let woken = running.sleep(host, signals)?;
        running.handle(woken, host, signals)?;
    }
    running.finish(cgroup::oom_kills() > oom_kills)
}

struct Running {
    phase: Phase,
    grace: Duration,
    main: Pid,
    started: Moment,
    /// How and when the main process ended.
    ended: Option<(GuestExit, Moment)>,
    stdout: Capture,
    stderr: Capture,
    live: Live,
    host_is_gone: bool,
    scratch: Vec<u8>,
}

/// What there is to look at.
#[derive(Clone, Copy, Debug, Default)]
struct Woken {
    stdout: bool,
    stderr: bool,
    signals: bool,
    host: bool,
}

impl Running {
    fn new(started: Started, max_output_size: u64, grace: Duration, live: Live) -> Result<Self, GuestFailure> {
        let capture = |pipe| Capture::new(pipe, max_output_size).map_err(failure::system("read the benchmark's output"));
        Ok(Self {
            phase: Phase::Running,
            grace,
            main: started.pid,
            started: started.at,
            ended: None,
            stdout: capture(started.stdout)?,
            stderr: capture(started.stderr)?,
            live,
            host_is_gone: false,
            scratch: vec![0; limits::CHUNK],
        })
    }

    fn sleep(&self, host: &Host, signals: &Signals) -> Result<Woken, GuestFailure> {
        let mut polled = vec![PollFd::new(signals, PollFlags::IN)];
        let control = if self.host_is_gone { None } else { host.control().ok() };
        let sources = [self.stdout.pipe(), self.stderr.pipe(), control];
        polled.extend(sources.iter().flatten().map(|source| PollFd::from_borrowed_fd(*source, PollFlags::IN)));
        let deadlines = [self.phase.deadline(), self.live.deadline(&self.stdout.captured, &self.stderr.captured)];
        let first = deadlines.into_iter().flatten().min();
        let timeout = first.map(|deadline| clock::timespec(deadline.since(Moment::now())));
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(failure::system("wait for the benchmark")(error)),
        }
        let mut ready = polled.iter().map(|polled| !polled.revents().is_empty());
        let mut next = |is_polled: bool| is_polled && ready.next().unwrap_or_default();
        Ok(Woken {
            signals: next(true),
            stdout: next(sources[0].is_some()),
            stderr: next(sources[1].is_some()),
            host: next(sources[2].is_some()),
        })
    }

    fn handle(&mut self, woken: Woken, host: &mut Host, signals: &Signals) -> Result<(), GuestFailure> {
        if woken.signals {
            let pending = signals.pending().map_err(failure::system("read its signals"))?;
            if pending.child {
                self.reap()?;
            }
            if pending.stop {
                self.on(Event::Stop)?;
            }
        }
        if woken.stdout {
            self.stdout.read_some(&mut self.scratch);
        }
        if woken.stderr {
            self.stderr.read_some(&mut self.scratch);
        }
        self.live.tell(&self.stdout.captured, &self.stderr.captured);
        if woken.host {
            match host.order() {
                Ok(ToGuest::Stop) => self.on(Event::Stop)?,
                // An order that makes no sense now is as good as none any more.
                Ok(ToGuest::Run { .. } | ToGuest::Finish) | Err(_) => self.lose_the_host()?,
            }
        }
        if self.phase.deadline().is_some_and(|deadline| Moment::now() >= deadline) {
            self.on(Event::TimeIsUp)?;
        }
        Ok(())
    }

    fn lose_the_host(&mut self) -> Result<(), GuestFailure> {
        self.host_is_gone = true;
        self.on(Event::HostGone)
    }

    /// Takes note of every process that has ended. Orphans of the benchmark are children of this process too.
    fn reap(&mut self) -> Result<(), GuestFailure> {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid.as_raw_nonzero().get() == self.main.as_raw() => {
                    self.ended = Some((exit_of(status), Moment::now()));
                    self.on(Event::MainEnded)?;
                }
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                // Without children there are no processes but this one.
                Err(rustix::io::Errno::CHILD) => return self.on(Event::NobodyLeft),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(failure::system("wait for the benchmark's processes")(error)),
            }
        }
    }

    fn on(&mut self, event: Event) -> Result<(), GuestFailure> {
        let action = self.phase.apply(event, Moment::now(), self.grace);
        let failed = |signal: Signal| failure::system(format!("send {signal} to the benchmark"));
        match action {
            Action::None => Ok(()),
            Action::Terminate => signal_everything(Signal::SIGTERM).map_err(failed(Signal::SIGTERM)),
            Action::Kill => signal_everything(Signal::SIGKILL).map_err(failed(Signal::SIGKILL)),
            Action::GiveUp => {
                let reason = format!("a process hangs in the kernel {:?} after it was killed", limits::KILL_WAIT);
                Err(GuestFailure::System { action: "end the benchmark".to_owned(), reason })
            }
        }
    }

    fn finish(mut self, oom_killed: bool) -> Result<Left, GuestFailure> {
        // Nobody writes any more; what is left is what the pipes still hold.
        self.stdout.read_rest(&mut self.scratch);
        self.stderr.read_rest(&mut self.scratch);
        self.live.tell_now(&self.stdout.captured, &self.stderr.captured);
        let nobody = || failure::system("find the benchmark's process")("nobody saw it end");
        let (exit, at) = self.ended.ok_or_else(nobody)?;
        Ok(Left {
            exit,
            wall_ns: u64::try_from(at.since(self.started).as_nanos()).unwrap_or(u64::MAX),
            oom_killed,
            stdout: self.stdout.captured,
            stderr: self.stderr.captured,
            host_is_gone: self.host_is_gone,
        })
    }
}

/// Sends a signal to every process but this one: all of them are the benchmark's, whatever groups and sessions they made.
/// The kernel does so in one step, which no fork gets around.
fn signal_everything(signal: Signal) -> io::Result<()> {
    if std::process::id() != 1 {
        // Elsewhere the same call would reach everybody on the machine.
        return Err(io::Error::other("this is not the first process"));
    }
    match kill(Pid::from_raw(-1), signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn exit_of(status: WaitStatus) -> GuestExit {
    let signal = status.terminating_signal();
    signal.map_or_else(|| GuestExit::Code(status.exit_status().unwrap_or(-1)), GuestExit::Signal)
}

#[cfg(test)]
mod tests;
