//! How a server learns at once that something was written to the log of events, by itself or by another server.
//!
//! The bell says only that there may be something new; what it is stands in the log. So nothing is lost with a notification.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use tokio::{sync::Notify, time::timeout};

use super::{Pool, Queries as _, Store, StoreError};
use crate::{limits, values};

/// Rung by PostgreSQL itself at the end of a transaction that wrote to the log.
const EVENTS: &str = "bencher_event";
/// What servers tell each other beside the log.
const MESSAGES: &str = "bencher_message";

/// What a bell says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rung {
    /// There may be something new in the log.
    Log,
    /// A server says something to all, itself included.
    Message(String),
    /// The connection was lost and is back: whatever was said meanwhile was not heard.
    Back,
}

/// Where there is one process: set by the connection that writes, rung when what it wrote is committed and on the disk.
#[derive(Debug, Default)]
pub struct LocalBell {
    written: AtomicBool,
    rung: Notify,
}

impl LocalBell {
    /// A row was written, in a transaction that may still be rolled back.
    pub(super) fn note(&self, table: &str) {
        if table == "event" {
            self.written.store(true, Ordering::Release);
        }
    }

    /// To be asked by a transaction before its commit, while no other one can write: what is returned rings when it is dropped, which
    /// is also where nobody waits for the commit any more.
    pub(super) fn ringer(self: &Arc<Self>) -> Option<Ringer> {
        self.written.swap(false, Ordering::AcqRel).then(|| Ringer(self.clone()))
    }
}

/// Rings when it is dropped.
#[derive(Debug)]
pub(crate) struct Ringer(Arc<LocalBell>);

impl Drop for Ringer {
    fn drop(&mut self) {
        self.0.rung.notify_one();
    }
}

/// Hears of changes. There is one per server.
#[derive(Debug)]
pub struct Bell(Kind);

#[derive(Debug)]
enum Kind {
    Local(Arc<LocalBell>),
    Postgres { options: Arc<PgConnectOptions>, bound: Duration, line: Option<Line> },
}

/// A connection of its own, which nobody else waits for.
#[derive(Debug)]
struct Line {
    pool: PgPool,
    listener: PgListener,
    /// How long the other end may take to answer, and be silent before it is asked.
    bound: Duration,
}

impl Line {
    async fn open(options: &PgConnectOptions, bound: Duration) -> Result<Self, StoreError> {
        let opened = timeout(limits::DATABASE_ACQUIRE_TIMEOUT, Self::connect(options, bound)).await;
        Ok(opened.map_err(|_| sqlx::Error::PoolTimedOut)??)
    }

    async fn connect(options: &PgConnectOptions, bound: Duration) -> Result<Self, sqlx::Error> {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .acquire_timeout(limits::DATABASE_ACQUIRE_TIMEOUT)
            .connect_with(options.clone().application_name("bencher-api events"))
            .await?;
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        listener.listen_all([EVENTS, MESSAGES]).await?;
        Ok(Self { pool, listener, bound })
    }

    /// The next notification; an error where the connection is gone.
    async fn next(&mut self) -> Result<Rung, sqlx::Error> {
        loop {
            match timeout(self.bound, self.listener.try_recv()).await {
                Ok(Ok(Some(heard))) if heard.channel() == MESSAGES => return Ok(Rung::Message(heard.payload().to_owned())),
                Ok(Ok(Some(_))) => return Ok(Rung::Log),
                Ok(Ok(None)) => return Err(sqlx::Error::WorkerCrashed),
                Ok(Err(error)) => return Err(error),
                // Silence may mean that the other end is gone without a word.
                Err(_) => {
                    let probe = sqlx::query("SELECT 1").execute(&mut self.listener);
                    timeout(self.bound, probe).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
                }
            }
        }
    }

    async fn close(self) {
        drop(self.listener);
        timeout(limits::DATABASE_ACQUIRE_TIMEOUT, self.pool.close()).await.ok();
    }
}

impl Bell {
    /// Waits until there is something to look at.
    ///
    /// # Errors
    /// The connection is lost and could not be made anew; to be tried again.
    pub async fn next(&mut self) -> Result<Rung, StoreError> {
        let (options, bound, line) = match &mut self.0 {
            Kind::Local(bell) => {
                bell.rung.notified().await;
                return Ok(Rung::Log);
            }
            Kind::Postgres { options, bound, line } => (options, *bound, line),
        };
        if let Some(open) = line {
            match open.next().await {
                Ok(rung) => return Ok(rung),
                Err(error) => {
                    tracing::warn!(error = crate::chain::chain(&error), "lost the connection that tells of events");
                    if let Some(lost) = line.take() {
                        // The other end may not answer to that either.
                        tokio::spawn(lost.close());
                    }
                }
            }
        }
        *line = Some(Line::open(options, bound).await?);
        Ok(Rung::Back)
    }
}

impl Store {
    /// Begins to listen: whatever is committed from here on is heard of.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn listen(&self) -> Result<Bell, StoreError> {
        Ok(Bell(match &self.pool {
            Pool::Sqlite { bell, .. } => Kind::Local(bell.clone()),
            Pool::Postgres { pool, patience, .. } => {
                let options = pool.connect_options();
                let bound = patience.0.map_or(limits::DATABASE_IDLE_PROBE, |bound| bound.min(limits::DATABASE_IDLE_PROBE));
                let line = Line::open(&options, bound).await?;
                Kind::Postgres { options, bound, line: Some(line) }
            }
        }))
    }

    /// Says something to every server on this database. It is not kept: who does not listen does not hear of it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn tell_servers(&self, message: String) -> Result<(), StoreError> {
        if !self.is_shared() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        tx.execute(format!("SELECT pg_notify('{MESSAGES}', $1)"), values![message]).await?;
        // There is nothing to be safe on the disk.
        tx.commit_ahead().await?;
        Ok(())
    }

    /// Whether other servers may use this database too.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        matches!(self.pool, Pool::Postgres { .. })
    }
}

#[cfg(test)]
mod tests;
