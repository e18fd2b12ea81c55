//! Moving an installation: from SQLite and a folder to PostgreSQL and a bucket, back, or between any two of these.
//!
//! No server may run meanwhile. Blobs go first, each compared with its digest once it has arrived; a move that was interrupted finds
//! those that are there already. Then all rows go in one transaction at the target, which is kept only if what is there then adds up
//! to what was read. So a target either is the whole installation or has no row at all. The source is only read.

mod blobs;

use std::path::PathBuf;

use crate::{
    app::{self, StartError},
    blobs::OpenError,
    config::{Config, ConfigError},
    store::{
        DatabaseLocation, Store, StoreError,
        transfer::{self, Table, TransferError},
    },
};

pub use self::blobs::BlobsError;

/// A move that did not take place.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("the configuration of the {0} is not usable")]
    Config(Side, #[source] ConfigError),
    #[error("both configurations name the same database; the target must be a new one")]
    SameDatabase,
    #[error(
        "the configurations have different secret keys (`security.secret_key`): what is sealed with the one cannot be opened with the \
         other, and everybody would be logged out; give the target the key of the source"
    )]
    OtherKey,
    #[error("there is no database {}, the source", path.display())]
    NoSource { path: PathBuf },
    #[error("a server may be at work on the {0}")]
    Lock(Side, #[source] Box<StartError>),
    #[error("could not open the database of the {0}")]
    Open(Side, #[source] StoreError),
    #[error("could not open the blob store of the {0}")]
    OpenBlobs(Side, #[source] OpenError),
    #[error("the database of the {0} cannot be used for this")]
    Database(Side, #[source] TransferError),
    #[error("could not copy the table {table}")]
    Rows {
        table: String,
        #[source]
        source: TransferError,
    },
    #[error("could not copy the blobs; start again to go on with those that are missing")]
    Blobs(#[source] BlobsError),
    #[error("could not complete what was copied into the database; nothing was kept")]
    Complete(#[source] TransferError),
}

/// Of the two installations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Source,
    Target,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Source => "source (`--from`)",
            Self::Target => "target (`--to`)",
        })
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// So many bytes of blobs are to be looked at in all.
    Blobs { bytes: u64 },
    /// So many of them are there now.
    BlobBytes(u64),
    /// The rows of a table are next.
    Table(&'a str),
    /// So many more of them were read.
    Rows(u64),
}

/// What was moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    pub tables: u64,
    pub rows: u64,
    pub blobs: u64,
    /// Of all blobs.
    pub bytes: u64,
    /// How many blobs were there already.
    pub found: u64,
}

/// Moves everything.
///
/// # Errors
/// It is not to be done, or something failed; the target's database is then as it was.
pub async fn migrate(from: &Config, to: &Config, told: &mut (dyn FnMut(Progress<'_>) + Send)) -> Result<Moved, MigrateError> {
    let (source, target) = check(from, to)?;
    let locked = |side, config| app::claim_database(config).map_err(|error| MigrateError::Lock(side, error.into()));
    let _locks = (locked(Side::Source, from)?, locked(Side::Target, to)?);
    let from_store = open(Side::Source, &source).await?;
    let to_store = open(Side::Target, &target).await?;
    let moved = move_all((from, &from_store), (to, &to_store), told).await;
    from_store.close().await;
    to_store.close().await;
    moved
}

/// What can be said without opening anything.
fn check(from: &Config, to: &Config) -> Result<(DatabaseLocation, DatabaseLocation), MigrateError> {
    let source = from.database().map_err(|error| MigrateError::Config(Side::Source, error))?;
    let target = to.database().map_err(|error| MigrateError::Config(Side::Target, error))?;
    if source == target {
        return Err(MigrateError::SameDatabase);
    }
    if from.security.secret_key.expose() != to.security.secret_key.expose() {
        return Err(MigrateError::OtherKey);
    }
    // Opening it would make one.
    if let DatabaseLocation::Sqlite(path) = &source
        && !path.exists()
    {
        return Err(MigrateError::NoSource { path: path.clone() });
    }
    if from.issuer() != to.issuer() {
        tracing::warn!(
            "the target has another issuer (`security.issuer`, else `console.url`): log-ins and API tokens will not be valid there"
        );
    }
    Ok((source, target))
}

async fn open(side: Side, location: &DatabaseLocation) -> Result<Store, MigrateError> {
    let store = Store::open_offline(location).await.map_err(|error| MigrateError::Open(side, error))?;
    store.check_unused().await.map_err(|error| MigrateError::Database(side, error))?;
    Ok(store)
}

async fn move_all(
    (from, from_store): (&Config, &Store),
    (to, to_store): (&Config, &Store),
    told: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Moved, MigrateError> {
    let on = |side| move |error| MigrateError::Database(side, error);
    let tables = from_store.tables().await.map_err(on(Side::Source))?;
    transfer::check_same(&tables, &to_store.tables().await.map_err(on(Side::Target))?).map_err(on(Side::Target))?;
    let mut source = from_store.lock_tables(&tables).await.map_err(on(Side::Source))?;
    {
        // Before hours are spent on blobs, and without a lock that would be held meanwhile.
        let mut target = to_store.begin().await.map_err(|error| MigrateError::Open(Side::Target, error))?;
        transfer::check_empty(&mut target, &tables).await.map_err(on(Side::Target))?;
    }

    let open_blobs = |side, config| crate::blobs::open(config).map_err(|error| MigrateError::OpenBlobs(side, error));
    let (from_blobs, to_blobs) = (open_blobs(Side::Source, from)?, open_blobs(Side::Target, to)?);
    let blobs = blobs::copy(&from_blobs, &to_blobs, told).await.map_err(MigrateError::Blobs)?;

    let mut target = to_store.lock_tables(&tables).await.map_err(on(Side::Target))?;
    transfer::check_empty(&mut target, &tables).await.map_err(on(Side::Target))?;
    let mut moved = Moved { tables: 0, rows: 0, blobs: blobs.blobs, bytes: blobs.bytes, found: blobs.found };
    for table in &tables {
        told(Progress::Table(&table.name));
        moved.tables += 1;
        moved.rows += copy_table(&mut source, &mut target, table, told).await?;
    }
    transfer::set_sequences(&mut target).await.map_err(MigrateError::Complete)?;
    target.commit().await.map_err(|error| MigrateError::Complete(error.into()))?;
    Ok(moved)
}

/// Copies a table and compares what came of it. Returns how many rows it has.
async fn copy_table(
    source: &mut crate::store::Tx,
    target: &mut crate::store::Tx,
    table: &Table,
    told: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<u64, MigrateError> {
    let failed = |source| MigrateError::Rows { table: table.name.clone(), source };
    let expected = transfer::copy_rows(source, target, table, |rows| told(Progress::Rows(rows))).await.map_err(failed)?;
    let found = transfer::sum(target, table).await.map_err(failed)?;
    if found != expected {
        return Err(failed(TransferError::Differs { table: table.name.clone(), expected: expected.into(), found: found.into() }));
    }
    Ok(expected.rows)
}
