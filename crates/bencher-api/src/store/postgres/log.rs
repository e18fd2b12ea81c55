//! Has PostgreSQL bring its log to the disk, for all who wait.
//!
//! Sessions commit with `synchronous_commit = off`; a session of its own commits an empty message to the log as the administrator has
//! set commits up, which brings everything before it to the disk (and to standbys, where those are waited for).

use std::time::Duration;

use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::time::{sleep, timeout};

use super::super::{
    StoreError,
    durability::{GroupSync, NotDurable, Queue, Run, Waiting},
};
use crate::limits;

/// A transaction with a commit record, and nothing else.
const FLUSH: &str = "SELECT pg_logical_emit_message(true, 'bencher', '')";

/// Syncs the log of the server that a connection leads to.
pub(super) async fn sync(options: PgConnectOptions, bound: Duration) -> Result<GroupSync, StoreError> {
    let connection = open(&options, bound).await?;
    let run = Run::default();
    let (group, queue) = GroupSync::new(run.clone());
    tokio::spawn(Flusher { options, bound, run }.serve(connection, queue));
    Ok(group)
}

async fn open(options: &PgConnectOptions, bound: Duration) -> Result<PgConnection, sqlx::Error> {
    let connection = timeout(bound, PgConnection::connect_with(options)).await;
    connection.map_err(|_| sqlx::Error::PoolTimedOut)?
}

struct Flusher {
    options: PgConnectOptions,
    bound: Duration,
    run: Run,
}

impl Flusher {
    async fn serve(self, mut connection: PgConnection, mut queue: Queue) {
        loop {
            let waiting = match timeout(limits::DATABASE_IDLE_PROBE, queue.next()).await {
                Ok(Some(waiting)) => waiting,
                Ok(None) => break,
                // A line over which nothing is said may be cut off without a word: better to know before anybody waits.
                Err(_) => {
                    if !matches!(timeout(limits::DATABASE_PROBE_TIMEOUT, connection.ping()).await, Ok(Ok(()))) {
                        let lost = NotDurable::because("the line to the database was lost");
                        match self.again(&mut queue, &lost).await {
                            Some(new) => connection = new,
                            None => return,
                        }
                    }
                    continue;
                }
            };
            let run = self.run.present();
            let flushed = timeout(self.bound, sqlx::query(FLUSH).execute(&mut connection)).await;
            let Err(error) = flushed.map_err(|_| sqlx::Error::PoolTimedOut).and_then(|flushed| flushed) else {
                for one in waiting {
                    // Where the server was lost between the commit and now, a later one cannot vouch for it.
                    let outcome = if one.since() == run { Ok(()) } else { Err(NotDurable::because("the database began again")) };
                    one.tell(outcome);
                }
                continue;
            };
            tracing::warn!(%error, "the database did not confirm that what was written is on its disk");
            let lost = NotDurable::because(error);
            waiting.into_iter().for_each(|one: Waiting| one.tell(Err(lost.clone())));
            match self.again(&mut queue, &lost).await {
                Some(new) => connection = new,
                None => return,
            }
        }
        connection.close().await.ok();
    }

    /// Another connection. What is committed before there is one cannot be vouched for.
    async fn again(&self, queue: &mut Queue, lost: &NotDurable) -> Option<PgConnection> {
        let reopened = async {
            loop {
                match open(&self.options, self.bound).await {
                    Ok(connection) => break connection,
                    Err(_) => sleep(limits::DATABASE_REOPEN_PAUSE).await,
                }
            }
        };
        tokio::pin!(reopened);
        loop {
            tokio::select! {
                connection = &mut reopened => {
                    self.run.next();
                    return Some(connection);
                }
                waiting = queue.next() => waiting?.into_iter().for_each(|one| one.tell(Err(lost.clone()))),
            }
        }
    }
}
