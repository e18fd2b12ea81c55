//! One way to run a statement, whichever database and whether in a transaction or not.

use std::{borrow::Cow, future::Future, io, sync::Arc, time::Duration};

use sqlx::{
    AssertSqlSafe, FromRow, PgConnection, Postgres, Sqlite, SqliteConnection, Transaction,
    pool::PoolConnection,
    postgres::{PgArguments, PgRow},
    query::{Query, QueryAs},
    sqlite::{SqliteArguments, SqliteRow},
};

use super::{
    Dialect, StoreError, Value,
    bell::{LocalBell, Ringer},
    durability::{GroupSync, Since},
};

/// A connection for reading.
#[derive(Debug)]
pub enum ReadConn {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>, Patience),
}

/// How long PostgreSQL may take for one statement, where that is bounded. The line to it may be gone without a word.
#[derive(Clone, Copy, Debug)]
pub struct Patience(pub(super) Option<Duration>);

impl Patience {
    /// A statement that is given up leaves a connection behind that is tried before anybody uses it again.
    pub(super) async fn bound<T>(self, statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
        let Some(bound) = self.0 else { return statement.await };
        tokio::time::timeout(bound, statement).await.unwrap_or_else(|_| {
            let late = format!("the database did not answer within {} seconds", bound.as_secs());
            Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, late)))
        })
    }
}

/// A transaction. Rolls back unless it is committed.
#[must_use = "a transaction that is not committed is rolled back"]
#[derive(Debug)]
pub enum Tx {
    Sqlite(SqliteTx),
    Postgres(PgTx),
}

/// A transaction of SQLite.
#[derive(Debug)]
pub struct SqliteTx {
    pub(super) tx: Transaction<'static, Sqlite>,
    pub(super) bell: Arc<LocalBell>,
    pub(super) sync: GroupSync,
}

/// A transaction of PostgreSQL.
#[derive(Debug)]
pub struct PgTx {
    pub(super) tx: Transaction<'static, Postgres>,
    pub(super) patience: Patience,
    /// Where a commit does not wait for the disk itself.
    pub(super) sync: Option<GroupSync>,
}

/// A transaction that was committed, and may not be on the disk yet.
#[derive(Debug)]
pub(crate) struct Committed {
    sync: Option<(GroupSync, Since)>,
    /// Tells of it when this is dropped, too.
    ringer: Option<Ringer>,
}

impl Committed {
    /// Returns when it is on the disk.
    ///
    /// # Errors
    /// The disk did not confirm it, and it may be lost.
    pub(crate) async fn synced(self) -> Result<(), StoreError> {
        if let Some((sync, since)) = &self.sync {
            sync.durable(*since).await?;
        }
        drop(self.ringer);
        Ok(())
    }
}

impl Tx {
    /// Commits, and returns when that is on the disk.
    ///
    /// # Errors
    /// The database did not accept the transaction; nothing of it was kept. Or the disk did not confirm it: then it may be lost.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.commit_ahead().await?.synced().await
    }

    /// Commits, for who has other work to do until that is on the disk, or does not mind when the power takes it back.
    ///
    /// # Errors
    /// The database did not accept the transaction; nothing of it was kept.
    pub(crate) async fn commit_ahead(self) -> Result<Committed, StoreError> {
        Ok(match self {
            Self::Sqlite(SqliteTx { tx, bell, sync }) => {
                let (since, ringer) = (sync.since(), bell.ringer());
                tx.commit().await?;
                Committed { sync: Some((sync, since)), ringer }
            }
            Self::Postgres(PgTx { tx, patience, sync }) => {
                let sync = sync.map(|sync| (sync.clone(), sync.since()));
                patience.bound(tx.commit()).await?;
                Committed { sync, ringer: None }
            }
        })
    }

    /// Keeps other transactions that lock the same row waiting until this one ends. Where there is one writer, it has the lock.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn lock_row(&mut self, table: &'static str, id: i64) -> Result<(), StoreError> {
        if matches!(self, Self::Postgres(_)) {
            // Not FOR UPDATE: rows that refer to this one may still be written meanwhile.
            self.execute(format!("SELECT id FROM {table} WHERE id = $1 FOR NO KEY UPDATE"), crate::values![id]).await?;
        }
        Ok(())
    }
}

/// The placeholders `$first, …` of a list of values, for `IN (…)`.
pub(crate) fn placeholders(first: usize, count: usize) -> String {
    (first..first + count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}

/// A row type that can be read from either database: derive [`sqlx::FromRow`].
pub trait Row: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin + 'static {}

impl<T> Row for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin + 'static {}

/// Runs statements. `sql` is written by us: values only ever travel as parameters.
///
/// In functions that are generic over `Queries`, pass a `String`: the compiler cannot prove there that the future of a literal is
/// `Send` (it forgets that the literal is `'static`).
pub trait Queries: Send {
    /// The underlying connection.
    fn connection(&mut self) -> Connection<'_>;

    /// Which SQL it understands.
    fn dialect(&mut self) -> Dialect {
        match self.connection() {
            Connection::Sqlite(_) => Dialect::Sqlite,
            Connection::Postgres(..) => Dialect::Postgres,
        }
    }

    /// Every row.
    fn all<T: Row>(
        &mut self,
        sql: impl Into<Cow<'static, str>> + Send,
        values: impl Into<Vec<Value>> + Send,
    ) -> impl Future<Output = Result<Vec<T>, StoreError>> + Send {
        let (sql, values) = (sql.into(), values.into());
        tell(&sql);
        async move {
            Ok(match self.connection() {
                Connection::Sqlite(connection) => sqlite_as(sql, values).fetch_all(connection).await?,
                Connection::Postgres(connection, patience) => {
                    patience.bound(postgres_as(sql, values).fetch_all(connection)).await?
                }
            })
        }
    }

    /// The first row, if there is one.
    fn optional<T: Row>(
        &mut self,
        sql: impl Into<Cow<'static, str>> + Send,
        values: impl Into<Vec<Value>> + Send,
    ) -> impl Future<Output = Result<Option<T>, StoreError>> + Send {
        let (sql, values) = (sql.into(), values.into());
        tell(&sql);
        async move {
            Ok(match self.connection() {
                Connection::Sqlite(connection) => sqlite_as(sql, values).fetch_optional(connection).await?,
                Connection::Postgres(connection, patience) => {
                    patience.bound(postgres_as(sql, values).fetch_optional(connection)).await?
                }
            })
        }
    }

    /// The first row of a statement that always has one (`COUNT`, `RETURNING` after an insert).
    fn one<T: Row>(
        &mut self,
        sql: impl Into<Cow<'static, str>> + Send,
        values: impl Into<Vec<Value>> + Send,
    ) -> impl Future<Output = Result<T, StoreError>> + Send {
        let (sql, values) = (sql.into(), values.into());
        tell(&sql);
        async move {
            Ok(match self.connection() {
                Connection::Sqlite(connection) => sqlite_as(sql, values).fetch_one(connection).await?,
                Connection::Postgres(connection, patience) => {
                    patience.bound(postgres_as(sql, values).fetch_one(connection)).await?
                }
            })
        }
    }

    /// Runs a statement and returns how many rows it changed.
    fn execute(
        &mut self,
        sql: impl Into<Cow<'static, str>> + Send,
        values: impl Into<Vec<Value>> + Send,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send {
        let (sql, values) = (sql.into(), values.into());
        tell(&sql);
        async move {
            Ok(match self.connection() {
                Connection::Sqlite(connection) => sqlite(sql, values).execute(connection).await?.rows_affected(),
                Connection::Postgres(connection, patience) => {
                    patience.bound(postgres(sql, values).execute(connection)).await?.rows_affected()
                }
            })
        }
    }
}

/// A borrowed connection of either kind.
#[derive(Debug)]
pub enum Connection<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection, Patience),
}

impl Queries for ReadConn {
    fn connection(&mut self) -> Connection<'_> {
        match self {
            Self::Sqlite(connection) => Connection::Sqlite(connection),
            Self::Postgres(connection, patience) => Connection::Postgres(connection, *patience),
        }
    }
}

impl Queries for Tx {
    fn connection(&mut self) -> Connection<'_> {
        match self {
            Self::Sqlite(SqliteTx { tx, .. }) => Connection::Sqlite(tx),
            Self::Postgres(PgTx { tx, patience, .. }) => Connection::Postgres(tx, *patience),
        }
    }
}

/// Says what is about to be run. Values are not said: they may be secrets.
pub(super) fn tell(sql: &str) {
    tracing::trace!(target: "bencher_api::sql", sql);
}

macro_rules! bound {
    ($query:expr, $values:expr) => {{
        let mut query = $query;
        for value in $values {
            query = match value {
                Value::Integer(integer) => query.bind(integer),
                Value::Double(double) => query.bind(double),
                Value::Text(text) => query.bind(text),
                Value::Bytes(bytes) => query.bind(bytes),
            };
        }
        query
    }};
}

fn sqlite(sql: Cow<'static, str>, values: Vec<Value>) -> Query<'static, Sqlite, SqliteArguments> {
    bound!(sqlx::query(AssertSqlSafe(sql.into_owned())), values)
}

fn postgres(sql: Cow<'static, str>, values: Vec<Value>) -> Query<'static, Postgres, PgArguments> {
    bound!(sqlx::query(AssertSqlSafe(sql.into_owned())), values)
}

pub(super) fn sqlite_as<T: Row>(sql: Cow<'static, str>, values: Vec<Value>) -> QueryAs<'static, Sqlite, T, SqliteArguments> {
    bound!(sqlx::query_as(AssertSqlSafe(sql.into_owned())), values)
}

fn postgres_as<T: Row>(sql: Cow<'static, str>, values: Vec<Value>) -> QueryAs<'static, Postgres, T, PgArguments> {
    bound!(sqlx::query_as(AssertSqlSafe(sql.into_owned())), values)
}

/// The parameters of a statement, in order: `values![uuid, &name, now]`.
#[macro_export]
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        vec![$($crate::store::Value::from($value)),*]
    };
}
