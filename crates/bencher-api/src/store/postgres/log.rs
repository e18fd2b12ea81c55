//! Has PostgreSQL bring its log to the disk, for all who wait.
//!
//! Sessions commit with `synchronous_commit = off`; a session of its own commits an empty message to the log as the administrator has
//! set commits up, which brings everything before it to the disk (and to standbys, where those are waited for).

use std::time::Duration;

use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::time::{sleep, timeout};

use super::super::{
    Patience, StoreError,
    durability::{GroupSync, NotDurable, Queue, Run},
};
use crate::limits;

/// A transaction with a commit record, and nothing else.
const FLUSH: &str = "SELECT pg_logical_emit_message(true, 'bencher', '')";

/// Syncs the log of the server that a connection leads to.
pub(super) async fn sync(options: PgConnectOptions, bound: Duration) -> Result<GroupSync, StoreError> {
    let patience = Patience(Some(bound));
    let connection = patience.bound(PgConnection::connect_with(&options)).await?;
    let run = Run::default();
    let (group, queue) = GroupSync::new(run.clone());
    tokio::spawn(Flusher { options, patience, run }.serve(connection, queue));
    Ok(group)
}

struct Flusher {
    options: PgConnectOptions,
    patience: Patience,
    run: Run,
}

impl Flusher {
    async fn serve(self, mut connection: PgConnection, mut queue: Queue) {
        loop {
            let waiting = match timeout(limits::DATABASE_IDLE_PROBE, queue.next()).await {
                Ok(Some(waiting)) => waiting,
                Ok(None) => break,
                // A line over which nothing is said may be cut off without a word: better to know before anybody waits.
                Err(_) => Vec::new(),
            };
            let run = self.run.present();
            let confirmed = if waiting.is_empty() {
                Patience(Some(limits::DATABASE_PROBE_TIMEOUT)).bound(connection.ping()).await
            } else {
                self.patience.bound(sqlx::query(FLUSH).execute(&mut connection)).await.map(drop)
            };
            let Err(error) = confirmed else {
                for one in waiting {
                    // Where the server was lost between the commit and now, a later one cannot vouch for it.
                    let outcome = if one.since() == run { Ok(()) } else { Err(NotDurable::because("the database began again")) };
                    one.tell(outcome);
                }
                continue;
            };
            tracing::warn!(%error, "the line over which the database confirms what is on its disk was lost");
            let lost = NotDurable::because(error);
            waiting.into_iter().for_each(|one| one.tell(Err(lost.clone())));
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
                match self.patience.bound(PgConnection::connect_with(&self.options)).await {
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
