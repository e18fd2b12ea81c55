//! Putting a backup in the place of the database. For SQLite; PostgreSQL has tools of its own.
//!
//! No server may run meanwhile. The backup is unpacked beside the database, checked and brought up to date there, and takes its name
//! only then. The database that was there keeps its content under another name.

use std::{
    fs::File,
    io::{self, BufReader, Read as _},
    path::{Path, PathBuf},
};

use bencher_types::DateTime;
use flate2::read::MultiGzDecoder;
use jiff::tz::TimeZone;
use object_store::ObjectStoreExt as _;
use tempfile::TempPath;

use crate::{
    app::{self, StartError},
    blobs::{self, OpenError},
    config::{Config, ConfigError},
    store::{DatabaseLocation, Store, StoreError, sqlite::with_suffix},
};

/// Where a backup is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backup {
    File(PathBuf),
    /// A name in the bucket of backups.
    InBucket(String),
}

/// A backup that took the database's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    pub database: PathBuf,
    /// Where the database is that was there.
    pub before: Option<PathBuf>,
    /// Blobs that the database knows.
    pub blobs: u64,
    /// How many of those are gone from the blob store.
    pub missing: u64,
}

/// A backup that was not restored. The database is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("the configuration is not usable")]
    Config(#[source] ConfigError),
    #[error(
        "the database is PostgreSQL, which has its own tool for this: `pg_restore` into a new database, and name that in `database.url`"
    )]
    Postgres,
    #[error("a server may be at work on the database; stop it")]
    Lock(#[source] StartError),
    #[error("the configuration names no bucket for backups (`database.data_store`)")]
    NoBucket,
    #[error("could not open the bucket of backups")]
    OpenBucket(#[source] OpenError),
    #[error("could not open the blob store")]
    OpenBlobs(#[source] OpenError),
    #[error("could not fetch {name} from the bucket of backups")]
    Fetch {
        name: String,
        #[source]
        source: object_store::Error,
    },
    #[error("could not read the backup {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("could not write to {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the backup is damaged: {0}")]
    Damaged(String),
    #[error("the backup is no database of this server's, or of a newer version of it")]
    Foreign(#[source] StoreError),
    #[error("could not put the database aside that is there now")]
    PutAside(#[source] StoreError),
    #[error("could not look for the blobs of the backup")]
    Blobs(#[source] object_store::Error),
}

/// Restores a backup.
///
/// # Errors
/// It cannot be read, is damaged or is none, or a server is at work.
pub async fn restore(config: &Config, backup: &Backup, now: DateTime) -> Result<Restored, RestoreError> {
    let DatabaseLocation::Sqlite(database) = config.database().map_err(RestoreError::Config)? else {
        return Err(RestoreError::Postgres);
    };
    let _lock = app::claim_database(config).map_err(RestoreError::Lock)?;
    let folder = match database.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => parent.to_owned(),
        None => PathBuf::from("."),
    };
    let copy = match backup {
        Backup::File(path) => unpacked(path, &folder)?,
        Backup::InBucket(name) => {
            let packed = fetched(config, name, &folder).await?;
            unpacked(&packed, &folder)?
        }
    };
    let (blobs, missing) = check(config, &copy).await?;
    let before = if database.exists() { Some(put_aside(&database, now).await?) } else { None };
    take_place(copy, &database, &folder)?;
    Ok(Restored { database, before, blobs, missing })
}

/// A new empty file beside the database. Gone when it is dropped.
fn partial(folder: &Path) -> Result<tempfile::NamedTempFile, RestoreError> {
    let file = tempfile::Builder::new().prefix(".restore-").suffix(".partial").tempfile_in(folder);
    file.map_err(|source| RestoreError::Write { path: folder.to_owned(), source })
}

async fn fetched(config: &Config, name: &str, folder: &Path) -> Result<TempPath, RestoreError> {
    use futures::TryStreamExt as _;
    use tokio::io::AsyncWriteExt as _;

    let s3 = config.backup_bucket().ok_or(RestoreError::NoBucket)?;
    let bucket = blobs::bucket(s3).map_err(RestoreError::OpenBucket)?;
    let failed = |source| RestoreError::Fetch { name: name.to_owned(), source };
    let mut body = bucket.get(&object_store::path::Path::from(name)).await.map_err(failed)?.into_stream();
    let (file, path) = partial(folder)?.into_parts();
    let written = |source| RestoreError::Write { path: path.to_path_buf(), source };
    let mut file = tokio::fs::File::from_std(file);
    while let Some(bytes) = body.try_next().await.map_err(failed)? {
        file.write_all(&bytes).await.map_err(written)?;
    }
    file.flush().await.map_err(written)?;
    Ok(path)
}

/// The database in a backup, which is compressed or not: its first bytes tell.
fn unpacked(backup: &Path, folder: &Path) -> Result<TempPath, RestoreError> {
    const GZIP: [u8; 2] = [0x1f, 0x8b];

    let read = |source| RestoreError::Read { path: backup.to_owned(), source };
    let mut magic = Vec::new();
    File::open(backup).and_then(|file| file.take(2).read_to_end(&mut magic)).map_err(read)?;
    let mut file = BufReader::new(File::open(backup).map_err(read)?);
    let mut copy = partial(folder)?;
    // Only the two together tell a bad backup from a full disk; what to do is the same.
    if magic == GZIP { io::copy(&mut MultiGzDecoder::new(file), &mut copy) } else { io::copy(&mut file, &mut copy) }
        .map_err(read)?;
    copy.as_file().sync_all().map_err(|source| RestoreError::Write { path: copy.path().to_owned(), source })?;
    Ok(copy.into_temp_path())
}

/// Whether the copy is a sound database of ours, and how many of its blobs there are and are missing. Brings it up to date.
async fn check(config: &Config, copy: &Path) -> Result<(u64, u64), RestoreError> {
    if let Some(found) = Store::damage_in(copy).await.map_err(RestoreError::Foreign)? {
        return Err(RestoreError::Damaged(found));
    }
    if !Store::is_ours(copy).await.map_err(RestoreError::Foreign)? {
        return Err(RestoreError::Damaged("it has none of the tables of a server".to_owned()));
    }
    let store = Store::open(&DatabaseLocation::Sqlite(copy.to_owned())).await.map_err(RestoreError::Foreign)?;
    let keys = store.blob_keys().await.map_err(RestoreError::Foreign);
    // Folds the log of what was brought up to date into the file.
    store.close().await;
    let (digests, outputs) = keys?;
    let blobs = blobs::open(config).map_err(RestoreError::OpenBlobs)?.store;
    let keys = digests
        .iter()
        .map(|(digest, copy)| crate::registry::blob::key(digest, *copy))
        .chain(outputs.iter().map(|key| object_store::path::Path::from(key.as_str())));
    let (mut found, mut missing) = (0, 0);
    for key in keys {
        found += 1;
        match blobs.head(&key).await {
            Ok(_) => {}
            Err(object_store::Error::NotFound { .. }) => missing += 1,
            Err(error) => return Err(RestoreError::Blobs(error)),
        }
    }
    Ok((found, missing))
}

/// Gives the database that is there another name as well, with everything that it holds.
async fn put_aside(database: &Path, now: DateTime) -> Result<PathBuf, RestoreError> {
    // Opening and closing it folds its log back into it; a log that stayed would be taken for the new one's.
    match Store::open(&DatabaseLocation::Sqlite(database.to_owned())).await {
        Ok(store) => store.close().await,
        Err(error) if is_damaged(&error) => {
            tracing::warn!(cause = crate::chain::chain(&error), "the database that is there is damaged")
        }
        Err(error) => return Err(RestoreError::PutAside(error)),
    }
    let time = now.timestamp().to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%S%3fZ");
    let before = with_suffix(database, &format!(".before-{time}"));
    let failed = |source| RestoreError::Write { path: before.clone(), source };
    std::fs::hard_link(database, &before).map_err(failed)?;
    for log in ["-wal", "-shm"] {
        match std::fs::rename(with_suffix(database, log), with_suffix(&before, log)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    Ok(before)
}

/// Whether opening failed on what is in the file, and not on the way to it.
const fn is_damaged(error: &StoreError) -> bool {
    !matches!(error, StoreError::Unavailable(_) | StoreError::NotDurable(_))
}

/// Gives the copy the database's name, and brings the name to the disk.
fn take_place(copy: TempPath, database: &Path, folder: &Path) -> Result<(), RestoreError> {
    let failed = |source| RestoreError::Write { path: database.to_owned(), source };
    File::open(&copy).and_then(|file| file.sync_all()).map_err(failed)?;
    copy.persist(database).map_err(|error| failed(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}
