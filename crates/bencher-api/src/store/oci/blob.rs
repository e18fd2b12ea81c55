//! Which repository holds which blob, and under which name the blob store has its content.
//!
//! Each upload brings a copy of the content under a name of its own. The row of a blob says which copy counts; a push of what is there
//! already leaves it, unless it is in quarantine. So a name is written once and removed once, by whoever took the row or never had one,
//! and removing content cannot meet a push of the same.

use std::{fmt, str::FromStr};

use bencher_types::{DateTime, Digest};
use uuid::Uuid;

use super::{Place, RepositoryKey, ensure_repository, quota::Defaults};
use crate::{
    store::{Micros, Queries, Store, StoreError, Text, Tx, Value},
    values,
};

/// Which copy of a blob's content is meant: the upload that brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CopyId(Option<Uuid>);

impl CopyId {
    /// What was stored before copies had ids.
    pub const FIRST: Self = Self(None);

    #[must_use]
    pub const fn of_upload(upload: Uuid) -> Self {
        Self(Some(upload))
    }

    /// The upload that brought it, where that is known.
    #[must_use]
    pub const fn upload(self) -> Option<Uuid> {
        self.0
    }
}

/// Safe as part of a file name.
impl fmt::Display for CopyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(upload) => upload.simple().fmt(f),
            None => Ok(()),
        }
    }
}

impl FromStr for CopyId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        if text.is_empty() { Ok(Self::FIRST) } else { text.parse().map(Some).map(Self) }
    }
}

impl From<CopyId> for Value {
    fn from(copy: CopyId) -> Self {
        Self::from(copy.to_string())
    }
}

/// The content of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// Bytes.
    pub size: u64,
    pub copy: CopyId,
    /// Until when the repository keeps it in any case. Of a blob that was looked for without one, never.
    pub leased_until: Option<DateTime>,
    /// Since when it is known to be damaged or missing, and so not to be served.
    pub quarantined: Option<DateTime>,
}

/// A blob that a repository does not come to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// This copy counts.
    Held(CopyId),
    /// What it is to come from is gone.
    Gone,
    /// There is no room for it.
    NoRoom(super::quota::Exceeded),
}

/// What became of the wish to take a blob out of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobRemoval {
    Removed,
    Unknown,
    /// A manifest of the repository refers to it.
    InUse,
}

#[derive(sqlx::FromRow)]
struct BlobRow {
    size: i64,
    copy_id: Text<CopyId>,
    leased_until: Option<Micros>,
    quarantined: Option<Micros>,
}

impl BlobRow {
    fn content(self) -> Result<Content, StoreError> {
        let size = u64::try_from(self.size).map_err(|_| StoreError::corrupt("oci_blob.size"))?;
        let [leased_until, quarantined] = [self.leased_until, self.quarantined].map(|time| time.map(|time| time.0));
        Ok(Content { size, copy: self.copy_id.0, leased_until, quarantined })
    }
}

#[derive(sqlx::FromRow)]
struct Reference {
    #[expect(dead_code, reason = "only whether there is a row matters")]
    manifest_id: i64,
}

impl Store {
    /// The content of a blob that can be read at this place, unless it is in quarantine.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_blob(&self, place: &Place, digest: &Digest) -> Result<Option<Content>, StoreError> {
        let mut conn = self.read().await?;
        let sql = "SELECT oci_blob.size, oci_blob.copy_id, oci_repository_blob.leased_until, oci_blob.quarantined FROM oci_repository_blob \
                   JOIN oci_blob ON oci_blob.digest = oci_repository_blob.digest \
                   JOIN oci_repository ON oci_repository.id = oci_repository_blob.repository_id \
                   WHERE oci_repository_blob.digest = $1 AND oci_repository.project_id = $2 \
                   AND ($3 IS NULL OR oci_repository.name = $3) \
                   ORDER BY oci_repository_blob.leased_until DESC LIMIT 1";
        let row: Option<BlobRow> = conn.optional(sql, values![digest, place.repository.project_id, place.name()]).await?;
        row.map(BlobRow::content).transpose()
    }

    /// The content of a blob, whoever holds it. For the server's own use: nobody may learn from it what others have.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_content(&self, digest: &Digest) -> Result<Option<Content>, StoreError> {
        let sql = "SELECT size, copy_id, CAST(NULL AS BIGINT) AS leased_until, quarantined FROM oci_blob WHERE digest = $1";
        let row: Option<BlobRow> = self.read().await?.optional(sql, values![digest]).await?;
        row.map(BlobRow::content).transpose()
    }

    /// Lets another copy of a blob's content count, and be served. `false` where meanwhile yet another one does.
    ///
    /// # Errors
    /// The database failed.
    pub async fn replace_oci_copy(&self, digest: &Digest, old: CopyId, new: CopyId) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE oci_blob SET copy_id = $3, quarantined = NULL, verified = NULL WHERE digest = $1 AND copy_id = $2";
        let rows = tx.execute(sql, values![digest, old, new]).await?;
        tx.commit().await?;
        Ok(rows > 0)
    }

    /// Gives a repository the blob of another one, unless that does not hold it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn mount_oci_blob(
        &self,
        target: &RepositoryKey,
        source: &RepositoryKey,
        digest: &Digest,
        (leased_until, now): (DateTime, DateTime),
        defaults: &Defaults,
    ) -> Result<Held, StoreError> {
        let mut tx = self.begin().await?;
        let sql = "SELECT oci_blob.size, oci_blob.copy_id, oci_repository_blob.leased_until, oci_blob.quarantined FROM oci_repository_blob \
                   JOIN oci_blob ON oci_blob.digest = oci_repository_blob.digest \
                   JOIN oci_repository ON oci_repository.id = oci_repository_blob.repository_id \
                   WHERE oci_repository_blob.digest = $1 AND oci_repository.project_id = $2 AND oci_repository.name = $3 \
                   AND oci_blob.quarantined IS NULL";
        let row: Option<BlobRow> = tx.optional(sql, values![digest, source.project_id, &*source.name]).await?;
        let Some(row) = row else { return Ok(Held::Gone) };
        let repository_id = ensure_repository(&mut tx, target, now).await?;
        match hold(&mut tx, repository_id, digest, leased_until).await {
            Ok(()) => {}
            // Nobody held it any more a moment later, and so it was removed.
            Err(StoreError::ForeignKey) => return Ok(Held::Gone),
            Err(error) => return Err(error),
        }
        if let Some(exceeded) = defaults.exceeded(&mut tx, target.project_id).await? {
            return Ok(Held::NoRoom(exceeded));
        }
        tx.commit().await?;
        Ok(Held::Held(row.copy_id.0))
    }

    /// Keeps a blob in a repository until a time at least, even where no manifest refers to it. `false` where it is not there any more.
    ///
    /// # Errors
    /// The database failed.
    pub async fn lease_oci_blob(&self, repository: &RepositoryKey, digest: &Digest, until: DateTime) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE oci_repository_blob SET leased_until = CASE WHEN leased_until < $1 THEN $1 ELSE leased_until END, \
                   unreferenced = NULL WHERE digest = $2 AND repository_id = (SELECT id FROM oci_repository WHERE project_id = $3 AND name = $4)";
        let rows = tx.execute(sql, values![until, digest, repository.project_id, &*repository.name]).await?;
        tx.commit().await?;
        Ok(rows > 0)
    }

    /// Takes a blob out of a repository. Its content stays for other repositories.
    ///
    /// # Errors
    /// The database failed.
    pub async fn remove_oci_blob(&self, repository: &RepositoryKey, digest: &Digest) -> Result<BlobRemoval, StoreError> {
        let mut tx = self.begin().await?;
        // Deleting first locks the row against a manifest that is pushed at the same time; see `put_oci_manifest`.
        let sql = "DELETE FROM oci_repository_blob WHERE digest = $1 \
                   AND repository_id = (SELECT id FROM oci_repository WHERE project_id = $2 AND name = $3)";
        if tx.execute(sql, values![digest, repository.project_id, &*repository.name]).await? == 0 {
            return Ok(BlobRemoval::Unknown);
        }
        let sql = "SELECT oci_manifest_reference.manifest_id FROM oci_manifest_reference \
                   JOIN oci_manifest ON oci_manifest.id = oci_manifest_reference.manifest_id \
                   JOIN oci_repository ON oci_repository.id = oci_manifest.repository_id \
                   WHERE oci_manifest_reference.digest = $1 AND oci_repository.project_id = $2 AND oci_repository.name = $3 LIMIT 1";
        let reference: Option<Reference> = tx.optional(sql, values![digest, repository.project_id, &*repository.name]).await?;
        if reference.is_some() {
            return Ok(BlobRemoval::InUse);
        }
        tx.commit().await?;
        Ok(BlobRemoval::Removed)
    }
}

/// Enters a blob in a repository, or lengthens its lease where it is there.
pub(super) async fn hold(tx: &mut Tx, repository_id: i64, digest: &Digest, leased_until: DateTime) -> Result<(), StoreError> {
    let sql = "INSERT INTO oci_repository_blob (repository_id, digest, leased_until) VALUES ($1, $2, $3) \
               ON CONFLICT (repository_id, digest) DO UPDATE SET leased_until = excluded.leased_until, unreferenced = NULL";
    tx.execute(sql, values![repository_id, digest, leased_until]).await?;
    Ok(())
}
