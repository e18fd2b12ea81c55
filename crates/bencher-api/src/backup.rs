//! Copies of the database while the server goes on.
//!
//! A copy is written under a temporary name, checked, made safe against a power cut and only then given its name: what is called a
//! backup is one. It holds everything that was stored when it began. Image blobs and job output are files, which are copied as such.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bencher_types::{DateTime, Secret, wire::server::Backup};
use flate2::{Compression, write::GzEncoder};
use jiff::tz::TimeZone;
use tempfile::{NamedTempFile, TempPath};

use crate::{
    app::App,
    store::{DatabaseLocation, StoreError},
};

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    pub created: DateTime,
    pub file: PathBuf,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(
        "this server's database is PostgreSQL, which has its own tool for this; run `{command}` and keep the file that it makes"
    )]
    Postgres { command: String },
    #[error(
        "this server copies backups to no data store; leave `data_store` out and copy the file that is made beside the database"
    )]
    NoDataStore,
    #[error("`remove` would leave no backup, because none is copied to a data store; leave it out")]
    NothingLeft,
    #[error("a backup is being made already; wait for it")]
    UnderWay,
    #[error("could not write the backup {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the copy in {} is damaged and was thrown away: {found}; check the disk, and the database itself", folder.display())]
    Damaged { folder: PathBuf, found: String },
    #[error("could not copy the database")]
    Copy(#[source] StoreError),
    #[error("making the backup panicked")]
    Panicked,
}

/// Makes a backup as it is wanted. Goes on to its end when the caller does not wait for it.
///
/// # Errors
/// It cannot be made as it is wanted, another is being made, or the copy could not be made or is damaged.
pub async fn make(app: &Arc<App>, wanted: &Backup) -> Result<Made, BackupError> {
    static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let database = match app.config.database() {
        Ok(DatabaseLocation::Sqlite(file)) => file,
        Ok(DatabaseLocation::Postgres(url)) => return Err(BackupError::Postgres { command: pg_dump(&url) }),
        Err(_) => return Err(BackupError::Panicked),
    };
    if wanted.data_store.is_some() {
        return Err(BackupError::NoDataStore);
    }
    if wanted.remove == Some(true) {
        return Err(BackupError::NothingLeft);
    }
    let turn = ONE_AT_A_TIME.try_lock().map_err(|_| BackupError::UnderWay)?;
    let (app, compress, created) = (app.clone(), wanted.compress == Some(true), app.clock.now());
    let made = tokio::spawn(async move {
        let _turn = turn;
        let file = copy(&app, &database, compress, created).await?;
        tracing::info!(file = %file.display(), "made a backup of the database");
        Ok(Made { created, file })
    });
    made.await.map_err(|_| BackupError::Panicked)?
}

async fn copy(app: &App, database: &Path, compress: bool, created: DateTime) -> Result<PathBuf, BackupError> {
    let folder = match database.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => parent.to_owned(),
        None => PathBuf::from("."),
    };
    let name = file_name(database, created, compress);
    let copy = partial(&folder)?.into_temp_path();
    app.store.copy_to(database, &copy).await.map_err(BackupError::Copy)?;
    if let Some(found) = app.store.damage_of(&copy).await.map_err(BackupError::Copy)? {
        return Err(BackupError::Damaged { folder, found });
    }
    let path = folder.join(name);
    let finished = tokio::task::spawn_blocking(move || {
        let copy = if compress { compressed(&folder, &copy)? } else { copy };
        finish(copy, &folder, path)
    });
    finished.await.map_err(|_| BackupError::Panicked)?
}

/// A new empty file that only its owner may read. Gone when it is dropped.
fn partial(folder: &Path) -> Result<NamedTempFile, BackupError> {
    let file = tempfile::Builder::new().prefix(".backup-").suffix(".partial").tempfile_in(folder);
    file.map_err(|source| BackupError::Write { path: folder.to_owned(), source })
}

/// The same bytes in another temporary file, as `gzip` writes them.
fn compressed(folder: &Path, copy: &TempPath) -> Result<TempPath, BackupError> {
    let target = partial(folder)?;
    let compress = || {
        let mut encoder = GzEncoder::new(target.as_file(), Compression::default());
        io::copy(&mut File::open(copy)?, &mut encoder)?;
        encoder.finish().map(drop)
    };
    compress().map_err(|source| BackupError::Write { path: target.path().to_owned(), source })?;
    Ok(target.into_temp_path())
}

/// Brings the file to the disk, then gives it its name, then brings the name to the disk.
fn finish(copy: TempPath, folder: &Path, path: PathBuf) -> Result<PathBuf, BackupError> {
    let failed = |source| BackupError::Write { path: path.clone(), source };
    File::open(&copy).and_then(|file| file.sync_all()).map_err(failed)?;
    copy.persist_noclobber(&path).map_err(|error| failed(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(path)
}

/// `bencher-backup-20260101T120000123Z.db`, beside `bencher.db`.
fn file_name(database: &Path, created: DateTime, compress: bool) -> String {
    let stem = database.file_stem().map_or("bencher".into(), |stem| stem.to_string_lossy());
    let time = created.timestamp().to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%S%3fZ");
    format!("{stem}-backup-{time}.db{}", if compress { ".gz" } else { "" })
}

/// The command that makes a backup of a PostgreSQL database, without the password, which is in the configuration.
fn pg_dump(url: &Secret) -> String {
    let shown = url::Url::parse(url.expose()).ok().and_then(|mut url| {
        url.set_password(None).ok()?;
        // Parameters may hold a password too.
        url.set_query(None);
        Some(url.to_string())
    });
    let url = shown.unwrap_or_else(|| "<database.url of the configuration>".to_owned());
    format!("pg_dump --format=custom --file=bencher.dump '{}'", url.replace('\'', "%27"))
}

#[cfg(test)]
mod tests;
