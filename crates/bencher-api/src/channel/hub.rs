//! Every open session of the runner channel at this server, and how the rest of the server reaches them.
//!
//! When there is work, not all that wait are woken but the one that waits longest. Once it has looked, it wakes the next, as long as
//! there may be more; so a job costs a look or two, however many runners wait. A [`Turn`] cannot get lost: whoever has one passes it on
//! when it is dropped, and so does a session that ends before it has looked.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bencher_types::{JobUuid, RunnerUuid};
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

use crate::limits;

/// What the rest of the server tells a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nudge {
    /// There may be a job: look again.
    Wake,
    /// A job was canceled.
    Cancel(JobUuid),
    /// The connection must end.
    Close(CloseReason),
}

/// Why the server ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The runner's key was replaced, or the runner archived.
    KeyChanged,
    /// The same runner connected again.
    Replaced,
    ShuttingDown,
}

/// All sessions. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Hub {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    next: AtomicU64,
    sessions: Mutex<Sessions>,
    /// The runners of other servers should look for work too.
    woken: Notify,
    stopping: AtomicBool,
    /// A session ended.
    left: Notify,
}

#[derive(Debug, Default)]
struct Sessions {
    by_runner: HashMap<RunnerUuid, Entry>,
    /// Those that wait for a job, by their tickets: the first waits longest.
    waiting: BTreeMap<u64, RunnerUuid>,
    /// The ticket that is given next.
    ticket: u64,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    /// Its place among those that wait, or the last one that it had.
    ticket: u64,
    /// It was woken and has not looked yet; those that wait with tickets below this come after it.
    woken: Option<u64>,
    /// What this connection is called in the database.
    session: Uuid,
    /// The log of events has come to where this connection was made: what comes after it is newer.
    is_logged: bool,
    nudges: mpsc::UnboundedSender<Nudge>,
}

/// One session's place in the hub: gone when this is dropped.
#[derive(Debug)]
pub struct Registration {
    hub: Hub,
    runner: RunnerUuid,
    id: u64,
    session: Uuid,
    pub nudges: mpsc::UnboundedReceiver<Nudge>,
}

impl Hub {
    /// Enters a session. An older one of the same runner is told to close.
    #[must_use = "dropping the registration leaves the hub"]
    pub fn register(&self, runner: RunnerUuid) -> Registration {
        let (sender, nudges) = mpsc::unbounded_channel();
        let id = self.inner.next.fetch_add(1, Ordering::Relaxed);
        let session = Uuid::new_v4();
        let entry = Entry { id, ticket: 0, woken: None, session, is_logged: false, nudges: sender.clone() };
        let mut sessions = self.sessions();
        if let Some(replaced) = sessions.by_runner.insert(runner, entry) {
            // A session that is gone already needs no telling.
            replaced.nudges.send(Nudge::Close(CloseReason::Replaced)).ok();
            sessions.forget(&replaced);
        }
        drop(sessions);
        if self.inner.stopping.load(Ordering::Acquire) {
            sender.send(Nudge::Close(CloseReason::ShuttingDown)).ok();
        }
        Registration { hub: self.clone(), runner, id, session, nudges }
    }

    /// There may be a job for somebody who found none before: a runner may do more, or a job waits no longer for another one to end.
    /// The runners of other servers are told too. Not for new and released jobs, of which all hear by themselves.
    pub fn wake(&self) {
        self.wake_here();
        self.inner.woken.notify_one();
    }

    /// There may be a job for a runner that waits at this server.
    pub fn wake_here(&self) {
        let mut sessions = self.sessions();
        let until = sessions.ticket;
        sessions.wake_from(0, until);
    }

    /// Waits until [`Self::wake`] was called.
    pub async fn woken(&self) {
        self.inner.woken.notified().await;
    }

    /// A job was canceled. Its runner, where it is connected here, is told at once.
    pub fn cancel(&self, job: JobUuid) {
        self.tell_all(Nudge::Cancel(job));
    }

    /// Ends the connection of a runner whose key is no longer good.
    pub fn close_runner(&self, runner: RunnerUuid) {
        if let Some(entry) = self.sessions().by_runner.get(&runner) {
            entry.nudges.send(Nudge::Close(CloseReason::KeyChanged)).ok();
        }
    }

    /// The log of events says which connection of a runner is the newest, here or at another server; `None`: none of them is good.
    pub fn heard_of_session(&self, runner: RunnerUuid, session: Option<Uuid>) {
        let mut sessions = self.sessions();
        let Some(entry) = sessions.by_runner.get_mut(&runner) else { return };
        if session == Some(entry.session) {
            entry.is_logged = true;
        } else if entry.is_logged {
            let reason = if session.is_some() { CloseReason::Replaced } else { CloseReason::KeyChanged };
            entry.nudges.send(Nudge::Close(reason)).ok();
        }
    }

    /// Ends every connection, because the server stops: one after the other, over so much time at most, and then waits until all of
    /// them are gone.
    pub async fn shut_down(&self, spread: Duration) {
        self.inner.stopping.store(true, Ordering::Release);
        let sessions: Vec<_> = self.sessions().by_runner.values().map(|entry| entry.nudges.clone()).collect();
        let number = u32::try_from(sessions.len()).unwrap_or(u32::MAX).max(1);
        let pause = (spread / number).min(Duration::from_secs(1) / limits::SOCKET_CLOSES_PER_SECOND);
        for nudges in sessions {
            nudges.send(Nudge::Close(CloseReason::ShuttingDown)).ok();
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
        loop {
            let left = self.inner.left.notified();
            if self.sessions().by_runner.is_empty() {
                return;
            }
            left.await;
        }
    }

    fn tell_all(&self, nudge: Nudge) {
        for entry in self.sessions().by_runner.values() {
            entry.nudges.send(nudge).ok();
        }
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.inner.sessions.lock().expect("no panics while the lock is held")
    }
}

impl Sessions {
    /// Wakes whoever waits longest with a ticket from `from` to below `until`.
    fn wake_from(&mut self, from: u64, until: u64) {
        if from >= until {
            return;
        }
        let Some(runner) = self.waiting.range(from..until).next().map(|(_, runner)| *runner) else { return };
        let entry = self.by_runner.get_mut(&runner).expect("whoever waits is here");
        // Woken already and not awake yet: it looks for both.
        if entry.woken.is_none() {
            entry.nudges.send(Nudge::Wake).ok();
        }
        entry.woken = entry.woken.max(Some(until));
    }

    /// A session is no more: it waits no longer, and the others look for it where it was to.
    fn forget(&mut self, entry: &Entry) {
        self.waiting.remove(&entry.ticket);
        if let Some(until) = entry.woken {
            self.wake_from(entry.ticket + 1, until);
        }
    }
}

/// The turn of a session that was woken: it goes to the next one that waits when this is dropped.
#[derive(Debug)]
#[must_use = "dropping it wakes the next"]
pub struct Turn {
    hub: Hub,
    from: u64,
    until: u64,
}

impl Turn {
    /// Nobody needs to look after this one: there is nothing.
    pub fn end(mut self) {
        self.until = 0;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.hub.sessions().wake_from(self.from, self.until);
    }
}

impl Registration {
    /// What this connection is called in the database.
    #[must_use]
    pub const fn session(&self) -> Uuid {
        self.session
    }

    /// Whether a newer session of the same runner at this server has taken this one's place.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        self.hub.sessions().by_runner.get(&self.runner).is_none_or(|entry| entry.id != self.id)
    }

    /// The session looks for a job and waits for one from now on. Returns its turn, where it was woken to look.
    ///
    /// To be called before the look: what comes meanwhile wakes it again.
    pub fn look(&self) -> Option<Turn> {
        let mut sessions = self.hub.sessions();
        let Sessions { by_runner, waiting, ticket } = &mut *sessions;
        let entry = by_runner.get_mut(&self.runner).filter(|entry| entry.id == self.id)?;
        let waits = waiting.get(&entry.ticket) == Some(&self.runner);
        if !waits {
            *ticket += 1;
            entry.ticket = *ticket;
            *ticket += 1;
            waiting.insert(entry.ticket, self.runner);
        }
        self.turn_of(entry)
    }

    /// The session waits no longer. Where it was woken meanwhile, the next one is.
    pub fn rest(&self) {
        let mut sessions = self.hub.sessions();
        let Sessions { by_runner, waiting, .. } = &mut *sessions;
        let Some(entry) = by_runner.get_mut(&self.runner).filter(|entry| entry.id == self.id) else { return };
        waiting.remove(&entry.ticket);
        let turn = self.turn_of(entry);
        // It takes the lock when it is dropped.
        drop(sessions);
        drop(turn);
    }

    fn turn_of(&self, entry: &mut Entry) -> Option<Turn> {
        let until = entry.woken.take()?;
        Some(Turn { hub: self.hub.clone(), from: entry.ticket + 1, until })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut sessions = self.hub.sessions();
        if sessions.by_runner.get(&self.runner).is_some_and(|entry| entry.id == self.id)
            && let Some(entry) = sessions.by_runner.remove(&self.runner)
        {
            sessions.forget(&entry);
        }
        drop(sessions);
        self.hub.inner.left.notify_one();
    }
}

#[cfg(test)]
mod tests;
