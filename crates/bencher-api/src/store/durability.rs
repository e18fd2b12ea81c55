//! Commits that reach the disk together.
//!
//! Databases sync their log once for each commit, and whoever holds a lock (SQLite's one writer, PostgreSQL's lock of the queue) has all
//! others wait for the disk. Here a commit ends without a sync, the next one goes on at once, and whoever committed waits for a sync
//! that began afterwards: one serves all who came before it. What is told to anybody is as durable as before.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// What was committed may be lost.
#[derive(Clone, Debug, thiserror::Error)]
#[error("nothing confirms that what was written is on the disk; look whether it is there before you try again")]
pub struct NotDurable(#[source] pub(super) Arc<dyn Error + Send + Sync>);

impl NotDurable {
    pub(super) fn because(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Arc::from(error.into()))
    }
}

pub(super) type Outcome = Result<(), NotDurable>;

/// One who waits for a sync.
#[derive(Debug)]
pub(super) struct Waiting {
    since: Since,
    served: oneshot::Sender<Outcome>,
}

impl Waiting {
    /// Whoever does not wait any more does not need to know.
    pub(super) fn tell(self, outcome: Outcome) {
        self.served.send(outcome).ok();
    }

    pub(super) const fn since(&self) -> Since {
        self.since
    }
}

/// Which run of the database a transaction ended in, as far as can be known: a later run may have lost it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Since(u64);

/// The number of the present run of the database.
#[derive(Clone, Debug, Default)]
pub(super) struct Run(Arc<AtomicU64>);

impl Run {
    pub(super) fn present(&self) -> Since {
        Since(self.0.load(Ordering::SeqCst))
    }

    /// The database may have ended and begun again.
    pub(super) fn next(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// The way to whoever syncs, which ends with the last copy of this.
#[derive(Clone, Debug)]
pub(crate) struct GroupSync {
    run: Run,
    ending: CancellationToken,
    waiting: mpsc::UnboundedSender<Waiting>,
}

impl GroupSync {
    /// A queue for whoever syncs.
    pub(super) fn new(run: Run) -> (Self, Queue) {
        let (waiting, asked) = mpsc::unbounded_channel();
        let ending = CancellationToken::new();
        (Self { run, ending: ending.clone(), waiting }, Queue { asked, ending })
    }

    /// To be asked before a commit.
    pub(super) fn since(&self) -> Since {
        self.run.present()
    }

    /// Ends whoever syncs in a task, after all who wait, and returns when that is gone.
    pub(super) async fn end(&self) {
        self.ending.cancel();
        self.waiting.closed().await;
    }

    /// Returns when everything that was committed before is on the disk.
    pub(super) async fn durable(&self, since: Since) -> Outcome {
        let gone = || NotDurable::because("whoever syncs is gone");
        let (served, outcome) = oneshot::channel();
        self.waiting.send(Waiting { since, served }).map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }
}

/// Who waits for a sync.
#[derive(Debug)]
pub(super) struct Queue {
    asked: mpsc::UnboundedReceiver<Waiting>,
    ending: CancellationToken,
}

impl Queue {
    /// All who wait, as soon as anybody does; `None` when nobody can any more, or it is to end.
    pub(super) async fn next(&mut self) -> Option<Vec<Waiting>> {
        let first = tokio::select! {
            biased;
            first = self.asked.recv() => first?,
            () = self.ending.cancelled() => return None,
        };
        Some(self.and_others(first))
    }

    /// As [`Self::next`], in a thread.
    pub(super) fn blocking_next(&mut self) -> Option<Vec<Waiting>> {
        let first = self.asked.blocking_recv()?;
        Some(self.and_others(first))
    }

    fn and_others(&mut self, first: Waiting) -> Vec<Waiting> {
        let mut waiting = vec![first];
        while let Ok(next) = self.asked.try_recv() {
            waiting.push(next);
        }
        waiting
    }
}
