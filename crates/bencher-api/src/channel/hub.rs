//! Every open session of the runner channel, and how the rest of the server reaches them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use bencher_types::{JobUuid, RunnerUuid};
use tokio::sync::mpsc;

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
    sessions: Mutex<HashMap<RunnerUuid, Entry>>,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    nudges: mpsc::UnboundedSender<Nudge>,
}

/// One session's place in the hub: gone when this is dropped.
#[derive(Debug)]
pub struct Registration {
    hub: Hub,
    runner: RunnerUuid,
    id: u64,
    pub nudges: mpsc::UnboundedReceiver<Nudge>,
}

impl Hub {
    /// Enters a session. An older one of the same runner is told to close.
    #[must_use = "dropping the registration leaves the hub"]
    pub fn register(&self, runner: RunnerUuid) -> Registration {
        let (sender, nudges) = mpsc::unbounded_channel();
        let id = self.inner.next.fetch_add(1, Ordering::Relaxed);
        let replaced = self.sessions().insert(runner, Entry { id, nudges: sender });
        if let Some(replaced) = replaced {
            // A session that is gone already needs no telling.
            replaced.nudges.send(Nudge::Close(CloseReason::Replaced)).ok();
        }
        Registration { hub: self.clone(), runner, id, nudges }
    }

    /// There may be a job for somebody: a job was created or released, or a runner may do more than before.
    pub fn wake(&self) {
        self.tell_all(Nudge::Wake);
    }

    /// A job was canceled. Its runner, where it is connected, is told at once.
    pub fn cancel(&self, job: JobUuid) {
        self.tell_all(Nudge::Cancel(job));
    }

    /// Ends the connection of a runner whose key is no longer good.
    pub fn close_runner(&self, runner: RunnerUuid) {
        if let Some(entry) = self.sessions().get(&runner) {
            entry.nudges.send(Nudge::Close(CloseReason::KeyChanged)).ok();
        }
    }

    /// Ends every connection, because the server stops.
    pub fn shut_down(&self) {
        self.tell_all(Nudge::Close(CloseReason::ShuttingDown));
    }

    fn tell_all(&self, nudge: Nudge) {
        for entry in self.sessions().values() {
            entry.nudges.send(nudge).ok();
        }
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<RunnerUuid, Entry>> {
        self.inner.sessions.lock().expect("no panics while the lock is held")
    }
}

impl Registration {
    /// Whether a newer session of the same runner has taken this one's place.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        self.hub.sessions().get(&self.runner).is_none_or(|entry| entry.id != self.id)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut sessions = self.hub.sessions();
        if sessions.get(&self.runner).is_some_and(|entry| entry.id == self.id) {
            sessions.remove(&self.runner);
        }
    }
}

#[cfg(test)]
mod tests;
