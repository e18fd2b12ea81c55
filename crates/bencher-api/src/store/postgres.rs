//! What is particular to PostgreSQL.

use std::str::FromStr as _;

use bencher_types::Secret;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::{Pool, StoreError};
use crate::limits;

/// Claims follow each other, also those of several servers: the lock ends with the transaction. The number means nothing else.
pub(super) const CLAIM_LOCK: &str = "SELECT pg_advisory_xact_lock(6610001)";

/// One server at a time looks for change points; whoever does not get the lock does not wait for it.
pub(super) const CHANGE_POINT_LOCK: &str =
    "SELECT CAST(CAST(pg_try_advisory_xact_lock(6610002) AS INTEGER) AS BIGINT) AS is_ours";

/// What the connections of a server are called.
pub const SERVER: &str = "bencher-api";
/// What those of a command are called that no server may be in the way of.
pub const TOOL: &str = "bencher-api command";

pub(super) async fn open(url: &Secret, name: &str) -> Result<Pool, StoreError> {
    let options = PgConnectOptions::from_str(url.expose())?.application_name(name);
    let pool = PgPoolOptions::new()
        .max_connections(limits::POSTGRES_CONNECTIONS)
        .acquire_timeout(limits::DATABASE_ACQUIRE_TIMEOUT)
        .connect_with(options)
        .await?;
    sqlx::migrate!("migrations/postgres").run(&pool).await?;
    Ok(Pool::Postgres(pool))
}

/// Makes a new database on the server that a URL names.
///
/// # Errors
/// The server cannot be reached, or the user may not create databases.
pub async fn create_database(url: &Secret, name: &str) -> Result<(), StoreError> {
    use sqlx::{AssertSqlSafe, Connection as _};

    let mut connection = sqlx::PgConnection::connect(url.expose()).await?;
    // Identifiers cannot be parameters; quoting leaves only quotes themselves to be doubled.
    let sql = format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\""));
    sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}
