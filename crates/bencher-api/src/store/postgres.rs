//! What is particular to PostgreSQL.

mod log;

use std::{str::FromStr as _, sync::Arc, time::Duration};

use bencher_types::Secret;
use sqlx::{
    Connection as _, PgConnection, PgPool, SqlSafeStr, Transaction,
    pool::MaybePoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::timeout;

use super::{Patience, PgTx, Pool, StoreError, Tx, durability::GroupSync};
use crate::limits;

/// Claims follow each other, also those of several servers: the lock ends with the transaction. The number means nothing else.
pub(super) const BEGIN_CLAIM: &str = "BEGIN; SELECT pg_advisory_xact_lock(6610001)";

/// One server at a time looks for change points; whoever does not get the lock does not wait for it.
pub(super) const CHANGE_POINT_LOCK: &str =
    "SELECT CAST(CAST(pg_try_advisory_xact_lock(6610002) AS INTEGER) AS BIGINT) AS is_ours";

/// What the connections of a server are called.
pub const SERVER: &str = "bencher-api";
/// What those of a command are called that no server may be in the way of.
pub const TOOL: &str = "bencher-api command";

/// Opens the database for a server, whose statements are bounded, or without a bound for a command.
pub(super) async fn open(url: &Secret, bound: Option<Duration>) -> Result<Pool, StoreError> {
    let name = if bound.is_some() { SERVER } else { TOOL };
    let options = PgConnectOptions::from_str(url.expose())?.application_name(name);
    migrate(&options).await?;
    let mut pool = PgPoolOptions::new()
        .max_connections(limits::POSTGRES_CONNECTIONS)
        .acquire_timeout(bound.map_or(limits::DATABASE_ACQUIRE_TIMEOUT, |bound| bound.min(limits::DATABASE_ACQUIRE_TIMEOUT)));
    if let Some(bound) = bound {
        pool = watchful(pool, bound);
    }
    let sync = match bound {
        Some(bound) => Some(log::sync(options.clone(), bound).await?),
        None => None,
    };
    let (patience, claims) = (Patience(bound), Arc::default());
    Ok(Pool::Postgres { pool: pool.connect_with(options).await?, patience, sync, claims })
}

/// Begins a transaction, by a statement of its own where that is more than a `BEGIN`.
pub(super) async fn begin(
    pool: &PgPool,
    patience: Patience,
    sync: Option<GroupSync>,
    statement: Option<&'static str>,
) -> Result<Tx, StoreError> {
    let connection = MaybePoolConnection::PoolConnection(pool.acquire().await?);
    let begun = Transaction::begin(connection, statement.map(SqlSafeStr::into_sql_str));
    Ok(Tx::Postgres(PgTx { tx: patience.bound(begun).await?, patience, sync }))
}

/// On a connection of its own: a migration may take longer than any other statement.
async fn migrate(options: &PgConnectOptions) -> Result<(), StoreError> {
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(limits::DATABASE_ACQUIRE_TIMEOUT);
    let pool = pool.connect_with(options.clone()).await?;
    sqlx::migrate!("migrations/postgres").run(&pool).await?;
    pool.close().await;
    Ok(())
}

/// Commits do not wait for the disk: `log` does, for many at once.
///
/// Neither end waits for one that is gone without a word: a connection is tried before it is kept, and before it is used where that was
/// not just now; and PostgreSQL ends what takes too long, with its locks.
fn watchful(pool: PgPoolOptions, bound: Duration) -> PgPoolOptions {
    let silent = bound.min(limits::DATABASE_SILENT_TRANSACTION);
    // There has to be time for another connection, where one does not answer.
    let probe = (bound / 4).min(limits::DATABASE_PROBE_TIMEOUT);
    // The system tries a connection over which nothing is said, and gives it up, in about the time of a statement.
    let (idle, interval) = ((bound.as_secs() / 2).max(1), (bound.as_secs() / 6).max(1));
    let settings = format!(
        "SET synchronous_commit = off; SET statement_timeout = {}; SET idle_in_transaction_session_timeout = {}; SET tcp_user_timeout = {}; \
         SET tcp_keepalives_idle = {idle}; SET tcp_keepalives_interval = {interval}; SET tcp_keepalives_count = 3",
        bound.as_millis(),
        silent.as_millis(),
        bound.as_millis(),
    );
    pool.test_before_acquire(false)
        .after_connect(move |connection, _| {
            let settings = settings.clone();
            Box::pin(async move { sqlx::raw_sql(sqlx::AssertSqlSafe(settings)).execute(connection).await.map(drop) })
        })
        .before_acquire(move |connection, known| {
            let is_fresh = known.idle_for < limits::DATABASE_FRESH;
            Box::pin(async move { if is_fresh { Ok(true) } else { answers(connection, probe).await } })
        })
        .after_release(move |connection, _| Box::pin(answers(connection, probe)))
}

/// Whether somebody is at the other end still. An error makes the pool drop the connection.
async fn answers(connection: &mut PgConnection, bound: Duration) -> Result<bool, sqlx::Error> {
    timeout(bound, connection.ping()).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
    Ok(true)
}

/// Makes a new database on the server that a URL names.
///
/// # Errors
/// The server cannot be reached, or the user may not create databases.
pub async fn create_database(url: &Secret, name: &str) -> Result<(), StoreError> {
    use sqlx::AssertSqlSafe;

    let mut connection = PgConnection::connect(url.expose()).await?;
    // Identifiers cannot be parameters; quoting leaves only quotes themselves to be doubled.
    let sql = format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\""));
    sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}
