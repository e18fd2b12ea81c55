//! What is particular to SQLite.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::{Pool, StoreError};
use crate::limits;

/// Nothing to add: SQLite has one writer at a time.
pub const CLAIM_ROW_LOCK: &str = "";

pub(super) async fn open(path: &Path) -> Result<Pool, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A committed result survives a power cut.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(limits::SQLITE_BUSY_TIMEOUT);

    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(limits::DATABASE_ACQUIRE_TIMEOUT)
        .connect_with(options.clone())
        .await?;
    sqlx::migrate!("migrations/sqlite").run(&writer).await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(limits::SQLITE_READERS)
        .acquire_timeout(limits::DATABASE_ACQUIRE_TIMEOUT)
        .connect_with(options.read_only(true))
        .await?;
    Ok(Pool::Sqlite { writer, readers })
}
