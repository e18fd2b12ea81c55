//! Copies of the database while the server goes on.
//!
//! A copy is written under a temporary name, checked, made safe against a power cut and only then given its name: what is called a
//! backup is one. It holds everything that was stored when it began. Image blobs and job output are files, which are copied as such.
//! Where that is asked for it is then sent to a bucket, under the same name.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bencher_types::{
    DateTime, Secret,
    wire::server::{Backup, BackupDataStore},
};
use flate2::{Compression, write::GzEncoder};
use jiff::tz::TimeZone;
use object_store::ObjectStore;
use tempfile::{NamedTempFile, TempPath};

use crate::{
    app::App,
    blobs::{self, PutError},
    store::{DatabaseLocation, StoreError},
};

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    pub created: DateTime,
    /// The file beside the database, where it was kept.
    pub file: Option<PathBuf>,
    /// Its name in the bucket, where it was sent there.
    pub object: Option<String>,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(
        "this server's database is PostgreSQL, which has its own tool for this; run `{command}` and keep the file that it makes"
    )]
    Postgres { command: String },
    #[error(
        "this server's configuration names no bucket for backups (`database.data_store`); leave `data_store` out and copy the file that \
         is made beside the database"
    )]
    NoDataStore,
    #[error("could not open the bucket of backups")]
    Bucket(#[source] blobs::OpenError),
    #[error("the backup is in {}, but could not be sent to the bucket (`database.data_store`)", file.display())]
    Send {
        file: PathBuf,
        #[source]
        source: PutError,
    },
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
        Ok(DatabaseLocation::Postgres { url, .. }) => return Err(BackupError::Postgres { command: pg_dump(&url) }),
        Err(_) => return Err(BackupError::Panicked),
    };
    let bucket = match (wanted.data_store, app.config.backup_bucket()) {
        (Some(BackupDataStore::AwsS3), Some(s3)) => Some((blobs::bucket(s3).map_err(BackupError::Bucket)?, s3.part_bytes())),
        (Some(BackupDataStore::AwsS3), None) => return Err(BackupError::NoDataStore),
        (None, _) => None,
    };
    let remove = wanted.remove == Some(true);
    if remove && bucket.is_none() {
        return Err(BackupError::NothingLeft);
    }
    let turn = ONE_AT_A_TIME.try_lock().map_err(|_| BackupError::UnderWay)?;
    let (app, compress, created) = (app.clone(), wanted.compress == Some(true), app.clock.now());
    let made = tokio::spawn(async move {
        let _turn = turn;
        let file = copy(&app, &database, compress, created).await?;
        tracing::info!(file = %file.display(), "made a backup of the database");
        let Some((bucket, part_bytes)) = bucket else { return Ok(Made { created, file: Some(file), object: None }) };
        let object = send(&bucket, &file, part_bytes).await?;
        tracing::info!(object, "sent the backup to the bucket");
        let file = if remove { remove_file(file).await } else { Some(file) };
        Ok(Made { created, file, object: Some(object) })
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

/// Sends the file to the bucket, under its own name.
async fn send(bucket: &Arc<dyn ObjectStore>, file: &Path, part_bytes: usize) -> Result<String, BackupError> {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let sent = blobs::put_file(bucket, &object_store::path::Path::from(name.as_str()), file, part_bytes).await;
    sent.map_err(|source| BackupError::Send { file: file.to_owned(), source })?;
    Ok(name)
}

/// Removes the copy that is in the bucket now. One that stays is no failure: there are two then.
async fn remove_file(file: PathBuf) -> Option<PathBuf> {
    match tokio::fs::remove_file(&file).await {
        Ok(()) => None,
        Err(error) => {
            tracing::warn!(file = %file.display(), %error, "could not remove the backup that was sent to the bucket");
            Some(file)
        }
    }
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
