//! Commits of SQLite that reach the disk together.
//!
//! SQLite syncs its log once for each commit, and one writer waits for the disk all the time. Here a commit writes to the log without
//! a sync, the next writer goes on at once, and whoever committed waits for a sync that began afterwards: one serves all who came
//! before it. What is told to anybody is as durable as before.

use std::{fs::File, io, path::PathBuf, sync::Arc, thread};

use tokio::sync::{mpsc, oneshot};

type Outcome = Result<(), Arc<io::Error>>;

/// A commit may not survive a power cut.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the disk did not confirm what was written; restart the server once its disk is in order")]
pub struct NotDurable(#[source] pub(super) Arc<io::Error>);

/// Syncs for all who wait. Ends with its last owner.
#[derive(Clone, Debug)]
pub(crate) struct GroupSync {
    waiting: mpsc::UnboundedSender<oneshot::Sender<Outcome>>,
}

impl GroupSync {
    /// Syncs the log of the database at this path.
    pub(super) fn of_database(path: &std::path::Path) -> io::Result<Self> {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let log = PathBuf::from(log);
        Self::start(move || match File::open(&log) {
            Ok(log) => log.sync_data(),
            // It goes when everything in it is in the database, which SQLite has synced then.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        })
    }

    fn start(mut sync: impl FnMut() -> io::Result<()> + Send + 'static) -> io::Result<Self> {
        let (waiting, mut asked) = mpsc::unbounded_channel::<oneshot::Sender<Outcome>>();
        let work = move || {
            // A disk that failed once may have thrown away what it could not write: no later sync can vouch for it.
            let mut outcome: Outcome = Ok(());
            while let Some(first) = asked.blocking_recv() {
                let mut served = vec![first];
                while let Ok(next) = asked.try_recv() {
                    served.push(next);
                }
                if outcome.is_ok() {
                    outcome = sync().map_err(Arc::new);
                    if let Err(error) = &outcome {
                        tracing::error!(%error, "the disk did not confirm what was written; nothing is accepted any more");
                    }
                }
                for one in served {
                    // Whoever does not wait any more does not need to know.
                    one.send(outcome.clone()).ok();
                }
            }
        };
        thread::Builder::new().name("database-sync".to_owned()).spawn(work)?;
        Ok(Self { waiting })
    }

    /// Returns when everything that was committed before is on the disk.
    pub(super) async fn durable(&self) -> Result<(), NotDurable> {
        let gone = || NotDurable(Arc::new(io::Error::other("the thread that syncs is gone")));
        let (sender, served) = oneshot::channel();
        self.waiting.send(sender).map_err(|_| gone())?;
        served.await.map_err(|_| gone())?.map_err(NotDurable)
    }
}

#[cfg(test)]
mod tests;
