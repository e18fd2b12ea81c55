//! Which repository holds which blob.

use bencher_types::{DateTime, Digest};

use super::{Place, RepositoryKey, ensure_repository};
use crate::{
    store::{Queries, Store, StoreError, Tx},
    values,
};

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
}

#[derive(sqlx::FromRow)]
struct Reference {
    #[expect(dead_code, reason = "only whether there is a row matters")]
    manifest_id: i64,
}

impl Store {
    /// The size in bytes of a blob that can be read at this place.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_blob(&self, place: &Place, digest: &Digest) -> Result<Option<u64>, StoreError> {
        let mut conn = self.read().await?;
        let sql = "SELECT oci_blob.size FROM oci_repository_blob \
                   JOIN oci_blob ON oci_blob.digest = oci_repository_blob.digest \
                   JOIN oci_repository ON oci_repository.id = oci_repository_blob.repository_id \
                   WHERE oci_repository_blob.digest = $1 AND oci_repository.project_id = $2 \
                   AND ($3 IS NULL OR oci_repository.name = $3) LIMIT 1";
        let row: Option<BlobRow> = conn.optional(sql, values![digest, place.repository.project_id, place.name()]).await?;
        row.map(size).transpose()
    }

    /// Gives a repository the blob of another one, and returns its size; `None` where the source does not hold it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn mount_oci_blob(
        &self,
        target: &RepositoryKey,
        source: &RepositoryKey,
        digest: &Digest,
        leased_until: DateTime,
        now: DateTime,
    ) -> Result<Option<u64>, StoreError> {
        let mut tx = self.begin().await?;
        let sql = "SELECT oci_blob.size FROM oci_repository_blob \
                   JOIN oci_blob ON oci_blob.digest = oci_repository_blob.digest \
                   JOIN oci_repository ON oci_repository.id = oci_repository_blob.repository_id \
                   WHERE oci_repository_blob.digest = $1 AND oci_repository.project_id = $2 AND oci_repository.name = $3";
        let row: Option<BlobRow> = tx.optional(sql, values![digest, source.project_id, &*source.name]).await?;
        let Some(row) = row else { return Ok(None) };
        let repository_id = ensure_repository(&mut tx, target, now).await?;
        hold(&mut tx, repository_id, digest, leased_until).await?;
        tx.commit().await?;
        size(row).map(Some)
    }

    /// Keeps a blob in a repository until a time at least, even where no manifest refers to it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn lease_oci_blob(&self, repository: &RepositoryKey, digest: &Digest, until: DateTime) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE oci_repository_blob SET leased_until = $1 WHERE digest = $2 AND leased_until < $1 \
                   AND repository_id = (SELECT id FROM oci_repository WHERE project_id = $3 AND name = $4)";
        tx.execute(sql, values![until, digest, repository.project_id, &*repository.name]).await?;
        tx.commit().await
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
               ON CONFLICT (repository_id, digest) DO UPDATE SET leased_until = excluded.leased_until";
    tx.execute(sql, values![repository_id, digest, leased_until]).await?;
    Ok(())
}

fn size(row: BlobRow) -> Result<u64, StoreError> {
    u64::try_from(row.size).map_err(|_| StoreError::corrupt("oci_blob.size"))
}
