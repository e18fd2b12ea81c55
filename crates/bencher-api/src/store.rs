//! Everything the server remembers: one store over two databases.
//!
//! SQL is written once, with `$n` placeholders and columns of four types only (text, 64-bit integer, double, bytes), which mean the
//! same to SQLite and PostgreSQL. What differs is in `sqlite.rs` and `postgres.rs`. Functions take a [`ReadConn`] or a [`Tx`], so
//! that several of them share one transaction.
//!
//! The store knows neither HTTP nor who may do what.

mod bulk;
mod connection;
mod durability;
mod error;
mod list;
mod value;

pub mod alert;
pub mod attempt;
pub mod bell;
pub mod benchmark;
pub mod billing;
pub mod branch;
pub mod change_point;
pub mod claim;
pub mod creation;
pub mod credential;
pub mod deletion;
pub mod dimension;
pub mod event;
pub mod head;
pub mod history;
pub mod invitation;
pub mod job;
pub mod lease;
pub mod live;
pub mod measure;
pub mod member;
pub mod metric;
pub mod oci;
pub mod organization;
pub mod perf;
pub mod plot;
pub mod postgres;
pub mod presence;
pub mod processing;
pub mod project;
pub mod project_key;
pub mod queue;
pub mod report;
pub mod runner;
pub mod server;
pub mod slug;
pub mod spec;
pub mod sqlite;
pub mod testbed;
pub mod threshold;
pub mod transfer;
pub mod usage;
pub mod user;
pub mod user_key;
pub mod user_token;
pub mod waiting;

pub(crate) use bulk::{Among, all_among, among, exact, list, row_of};
pub(crate) use connection::{Patience, placeholders};
pub(crate) use list::{Count, ListQuery, order};

pub(crate) use connection::Committed;
pub use connection::{PgTx, Queries, ReadConn, Row, SqliteTx, Tx};
pub use durability::NotDurable;
pub use error::StoreError;
pub use list::{Direction, ListBy, NameSort, Page, Presence};
pub use value::{Micros, Text, Value};

use std::sync::Arc;

use sqlx::{PgPool, SqlitePool};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::limits;

/// The row of a `RETURNING id`.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub(crate) struct Id {
    pub(crate) id: i64,
}

/// The column that an id in a path names a row by.
pub(crate) const fn id_column(id: &bencher_types::ResourceId) -> &'static str {
    match id {
        bencher_types::ResourceId::Uuid(_) => "uuid",
        bencher_types::ResourceId::Slug(_) => "slug",
    }
}

/// Which database, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseLocation {
    /// A file; created when it does not exist.
    Sqlite(std::path::PathBuf),
    /// A server, and how long it may take for one statement.
    Postgres {
        /// A `postgres://` URL. It may hold a password, so it is never logged.
        url: bencher_types::Secret,
        timeout: std::time::Duration,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Pool {
    Sqlite {
        /// SQLite has one writer; making it one connection keeps writers queueing here instead of failing as busy.
        writer: SqlitePool,
        readers: SqlitePool,
        /// Tells of what was written to the log of events.
        bell: Arc<bell::LocalBell>,
        /// Makes commits durable.
        sync: durability::GroupSync,
    },
    Postgres {
        pool: PgPool,
        /// How long one statement may take.
        patience: Patience,
        /// Makes commits durable, where they do not wait for the disk themselves.
        sync: Option<durability::GroupSync>,
        /// Claims of this server follow each other without a connection in their hands.
        claims: Arc<Mutex<()>>,
    },
}

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: Pool,
}

/// Which SQL a statement is for, where the two differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

impl Store {
    /// Opens the database, creating and migrating it as needed.
    ///
    /// # Errors
    /// The database cannot be reached, is locked, or was written by a newer version.
    pub async fn open(location: &DatabaseLocation) -> Result<Self, StoreError> {
        let pool = match location {
            DatabaseLocation::Sqlite(path) => sqlite::open(path).await?,
            DatabaseLocation::Postgres { url, timeout } => postgres::open(url, Some(*timeout)).await?,
        };
        Ok(Self { pool })
    }

    /// As [`Self::open`], for work that no server may be in the way of: PostgreSQL is told that this is none, and may take any time.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub async fn open_offline(location: &DatabaseLocation) -> Result<Self, StoreError> {
        match location {
            DatabaseLocation::Sqlite(_) => Self::open(location).await,
            DatabaseLocation::Postgres { url, .. } => Ok(Self { pool: postgres::open(url, None).await? }),
        }
    }

    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        match self.pool {
            Pool::Sqlite { .. } => Dialect::Sqlite,
            Pool::Postgres { .. } => Dialect::Postgres,
        }
    }

    /// A connection for reading, without a transaction.
    ///
    /// # Errors
    /// No connection became free in time.
    pub async fn read(&self) -> Result<ReadConn, StoreError> {
        Ok(match &self.pool {
            Pool::Sqlite { readers, .. } => ReadConn::Sqlite(readers.acquire().await?),
            Pool::Postgres { pool, patience, .. } => ReadConn::Postgres(pool.acquire().await?, *patience),
        })
    }

    /// Begins a transaction that may write. Dropping it without [`Tx::commit`] rolls it back.
    ///
    /// # Errors
    /// No connection became free in time, or the database refuses to begin.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(match &self.pool {
            // Taking the write lock at once makes a conflict with another process wait here, not fail in the middle.
            Pool::Sqlite { writer, bell, sync, .. } => {
                let tx = writer.begin_with("BEGIN IMMEDIATE").await?;
                Tx::Sqlite(SqliteTx { tx, bell: bell.clone(), sync: sync.clone() })
            }
            Pool::Postgres { pool, patience, sync, .. } => postgres::begin(pool, *patience, sync.clone(), None).await?,
        })
    }

    /// As [`Self::begin`], while no other claim looks at the queue: none of any server until the transaction ends, and none of this one
    /// while what comes with it is kept.
    ///
    /// # Errors
    /// As for [`Self::begin`]; or the claims before this one take too long.
    pub(crate) async fn begin_claim(&self) -> Result<(Tx, Option<OwnedMutexGuard<()>>), StoreError> {
        let Pool::Postgres { pool, patience, sync, claims } = &self.pool else { return Ok((self.begin().await?, None)) };
        let turn = tokio::time::timeout(limits::DATABASE_ACQUIRE_TIMEOUT, claims.clone().lock_owned()).await;
        let turn = turn.map_err(|_| sqlx::Error::PoolTimedOut)?;
        Ok((postgres::begin(pool, *patience, sync.clone(), Some(postgres::BEGIN_CLAIM)).await?, Some(turn)))
    }

    /// Closes every connection, so that SQLite folds its log back into the file.
    pub async fn close(&self) {
        match &self.pool {
            Pool::Sqlite { writer, readers, .. } => {
                readers.close().await;
                writer.close().await;
            }
            Pool::Postgres { pool, sync, .. } => {
                pool.close().await;
                if let Some(sync) = sync {
                    sync.end().await;
                }
            }
        }
    }
}
