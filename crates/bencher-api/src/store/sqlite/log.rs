//! Brings SQLite's log to the disk, for all who wait.

use std::{fs::File, io, path::Path, thread};

use super::super::durability::{GroupSync, NotDurable, Outcome, Run};

/// Syncs the log of the database at this path.
pub(super) fn sync(database: &Path) -> io::Result<GroupSync> {
    let log = super::with_suffix(database, "-wal");
    start(move || match File::open(&log) {
        Ok(log) => log.sync_data(),
        // It goes when everything in it is in the database, which SQLite has synced then.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    })
}

fn start(mut sync: impl FnMut() -> io::Result<()> + Send + 'static) -> io::Result<GroupSync> {
    let (group, mut queue) = GroupSync::new(Run::default());
    let work = move || {
        // A disk that failed once may have thrown away what it could not write: no later sync can vouch for it.
        let mut outcome: Outcome = Ok(());
        while let Some(waiting) = queue.blocking_next() {
            if outcome.is_ok() {
                outcome = sync().map_err(|error| {
                    tracing::error!(%error, "the disk did not confirm what was written; nothing is accepted before a restart");
                    NotDurable::because(error)
                });
            }
            for one in waiting {
                one.tell(outcome.clone());
            }
        }
    };
    thread::Builder::new().name("database-sync".to_owned()).spawn(work)?;
    Ok(group)
}

#[cfg(test)]
mod tests;
