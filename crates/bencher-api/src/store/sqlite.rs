//! What is particular to SQLite.

mod log;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use sqlx::{
    ConnectOptions as _, Connection as _,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{Pool, StoreError, bell::LocalBell};
use crate::limits;

pub(super) async fn open(path: &Path) -> Result<Pool, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        // Commits are synced by `log`, many at once.
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(limits::SQLITE_BUSY_TIMEOUT);

    let bell = Arc::new(LocalBell::default());
    let noted = bell.clone();
    let writer = SqlitePoolOptions::new()
        .after_connect(move |connection, _| {
            let bell = noted.clone();
            Box::pin(async move {
                connection.lock_handle().await?.set_update_hook(move |row| bell.note(row.table));
                Ok(())
            })
        })
        .max_connections(1)
        // There is no network that could have cut a connection off since it was used last.
        .test_before_acquire(false)
        .acquire_timeout(limits::DATABASE_ACQUIRE_TIMEOUT)
        .connect_with(
            options
                .clone()
                .pragma("cache_size", format!("-{}", limits::SQLITE_WRITER_CACHE_KIB))
                .pragma("wal_autocheckpoint", limits::SQLITE_CHECKPOINT_PAGES.to_string()),
        )
        .await?;
    sqlx::migrate!("migrations/sqlite").run(&writer).await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(limits::SQLITE_READERS)
        .test_before_acquire(false)
        .acquire_timeout(limits::DATABASE_ACQUIRE_TIMEOUT)
        .connect_with(options.read_only(true))
        .await?;
    let sync = log::sync(path).map_err(sqlx::Error::Io)?;
    Ok(Pool::Sqlite { writer, readers, bell, sync })
}

/// The path of a file that SQLite keeps beside a database.
pub(crate) fn with_suffix(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Copies a database to a file that is empty or not there, as it is at one moment. Writers go on meanwhile.
pub(super) async fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    // A connection of its own: the copy may take longer than requests wait for one of the readers.
    let options = SqliteConnectOptions::new().filename(from).read_only(true).busy_timeout(limits::SQLITE_BUSY_TIMEOUT);
    let mut connection = options.connect().await?;
    sqlx::query("VACUUM INTO $1").bind(to.to_string_lossy().into_owned()).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// What is wrong with a database that nobody else has open; `None` where it is sound.
pub(super) async fn damage(path: &Path) -> Result<Option<String>, StoreError> {
    let mut connection = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true).connect().await?;
    let found: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_all(&mut connection).await?;
    let dangling = sqlx::query("PRAGMA foreign_key_check").fetch_optional(&mut connection).await?;
    connection.close().await?;
    Ok(match found.first() {
        Some(found) if found != "ok" => Some(found.clone()),
        _ => dangling.map(|_| "a row refers to one that is not there".to_owned()),
    })
}

/// Whether a database that nobody has open has a table of this name.
pub(super) async fn has_table(path: &Path, name: &str) -> Result<bool, StoreError> {
    let mut connection = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true).connect().await?;
    let found = sqlx::query("SELECT name FROM sqlite_master WHERE type = 'table' AND name = $1")
        .bind(name.to_owned())
        .fetch_optional(&mut connection)
        .await?;
    connection.close().await?;
    Ok(found.is_some())
}
