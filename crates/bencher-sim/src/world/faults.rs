//! What goes wrong.

use rand::Rng as _;

use super::{Happening, Millis, World};
use crate::queue::{Queue, RunnerIndex};

/// Longer than every heartbeat timeout, so that what takes as long is noticed.
const LONG: Millis = 150_000;

/// How often somebody looks after the runners.
const LOOK_AFTER: Millis = 60_000;

/// One thing that goes wrong, or that somebody does at a bad moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A connection breaks, and both ends learn of it soon.
    Break,
    /// A connection goes silent.
    Silence,
    /// Every connection breaks.
    Partition,
    KillServer,
    StopServer,
    KillRunner(RunnerIndex),
    StopRunner(RunnerIndex),
    /// A runner never comes back.
    LoseRunner(RunnerIndex),
    /// The database answers nothing.
    Outage,
    /// The database does what it was told, sometimes without an answer.
    LostAnswers,
    AnswersAgain,
    /// Somebody sets the server's clock.
    Clock,
    DiskFills(RunnerIndex),
    DiskHasRoom(RunnerIndex),
    /// A user cancels a job.
    Cancel,
    /// A user has a job tried again that failed.
    Retry,
    /// An admin keeps jobs from a runner for a while.
    Lock(RunnerIndex),
    Unlock(RunnerIndex),
    /// An admin looks after all runners, from time to time.
    UnlockAll,
}

impl<Q: Queue> World<Q> {
    pub(super) fn any_fault(&mut self) -> Fault {
        let runner = self.rng.random_range(0..self.scale.runners);
        match self.rng.random_range(0..24) {
            0..4 => Fault::Break,
            4..7 => Fault::Silence,
            7 => Fault::Partition,
            8..10 => Fault::KillServer,
            10 => Fault::StopServer,
            11..14 => Fault::KillRunner(runner),
            14 => Fault::StopRunner(runner),
            15 => Fault::Outage,
            16 => Fault::LostAnswers,
            17 => Fault::Clock,
            18 => Fault::DiskFills(runner),
            19 => Fault::LoseRunner(runner),
            20 => Fault::Lock(runner),
            21 | 22 => Fault::Retry,
            _ => Fault::Cancel,
        }
    }

    pub(super) fn strike(&mut self, fault: Fault) {
        self.note(|_| format!("fault: {fault:?}"));
        match fault {
            Fault::Break | Fault::Silence => {
                let live = self.live();
                if !live.is_empty() {
                    let index = live[self.rng.random_range(0..live.len())];
                    self.cut(index, if fault == Fault::Break { 500 } else { LONG });
                }
            }
            Fault::Partition => {
                for index in self.live() {
                    self.cut(index, LONG);
                }
            }
            Fault::KillServer => {
                self.kill_server();
                self.soon(LONG, Happening::ServerStarts);
            }
            Fault::StopServer => {
                self.stop_server();
                self.soon(2_000, Happening::ServerStarts);
            }
            Fault::KillRunner(runner) => self.kill_runner(runner),
            Fault::StopRunner(runner) => self.shut_down_runner(runner),
            Fault::LoseRunner(runner) => self.lose_runner(runner),
            Fault::Outage => {
                let wait = self.rng.random_range(0..LONG);
                self.server.outage_until = self.now + wait;
            }
            Fault::LostAnswers => {
                self.server.lost_answers = 200;
                self.soon(LONG, Happening::Fault(Fault::AnswersAgain));
            }
            Fault::AnswersAgain => self.server.lost_answers = 0,
            Fault::Clock => {
                let minutes = self.rng.random_range(-5..=5);
                self.server.clock_offset += minutes * 60_000;
            }
            Fault::DiskFills(runner) => {
                self.runners[runner].disk_fails = 500;
                self.soon(LONG, Happening::Fault(Fault::DiskHasRoom(runner)));
            }
            Fault::DiskHasRoom(runner) => self.runners[runner].disk_fails = 0,
            Fault::Cancel => self.cancel_any(),
            Fault::Retry => self.retry_any(),
            Fault::Lock(runner) => {
                let now = self.server_time();
                self.queue.lock(runner, now);
                self.ledger.locked(runner);
                self.soon(LONG, Happening::Fault(Fault::Unlock(runner)));
            }
            Fault::Unlock(runner) => self.unlock(runner),
            Fault::UnlockAll => {
                (0..self.scale.runners).for_each(|runner| self.unlock(runner));
                // What failed before may add up to a quarantine later.
                self.enter(self.now + LOOK_AFTER, Happening::Fault(Fault::UnlockAll));
            }
        }
    }

    fn unlock(&mut self, runner: RunnerIndex) {
        let now = self.server_time();
        self.queue.unlock(runner, now);
        self.ledger.unlocked(runner);
        self.wake();
    }

    fn retry_any(&mut self) {
        if self.jobs.is_empty() || !self.server.up || self.server.fails(self.now) {
            return;
        }
        let job = self.jobs[self.rng.random_range(0..self.jobs.len())];
        let now = self.server_time();
        if self.queue.retry(job, now) {
            self.note(|world| format!("job {} is tried again", world.name(job)));
            self.ledger.retried(job);
            self.wake();
        }
    }

    fn cancel_any(&mut self) {
        if self.jobs.is_empty() || !self.server.up || self.server.fails(self.now) {
            return;
        }
        let job = self.jobs[self.rng.random_range(0..self.jobs.len())];
        let now = self.server_time();
        if let Some(was) = self.queue.cancel(job, now) {
            self.note(|world| format!("job {}, which was {was}, is canceled", world.name(job)));
            self.ledger.stopped(job);
            if was.is_in_flight() {
                self.tell_all(bencher_api::channel::hub::Nudge::Cancel(job));
                self.wake();
            }
        }
    }
}
