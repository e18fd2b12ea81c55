//! Uploads that are under way. Their bytes are in the uploads folder, under the same id.

use bencher_types::{DateTime, Digest};
use uuid::Uuid;

use super::{
    RepositoryKey,
    blob::{CopyId, Held, hold},
    ensure_repository,
    quota::Defaults,
};
use crate::{
    store::{Queries, Store, StoreError, Text},
    values,
};

/// Whether something that was to be changed was still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an upload may have been removed meanwhile"]
pub enum Outcome {
    Done,
    Gone,
}

impl Outcome {
    const fn of(rows: u64) -> Self {
        if rows == 0 { Self::Gone } else { Self::Done }
    }
}

#[derive(sqlx::FromRow)]
struct UploadRow {
    uuid: Text<Uuid>,
}

impl Store {
    /// Enters a new upload, and its repository where that is new too, unless this principal has so many already.
    ///
    /// # Errors
    /// The database failed.
    pub async fn create_oci_upload(
        &self,
        repository: &RepositoryKey,
        upload: Uuid,
        principal: &str,
        most: i64,
        now: DateTime,
    ) -> Result<Outcome, StoreError> {
        let mut tx = self.begin().await?;
        let repository_id = ensure_repository(&mut tx, repository, now).await?;
        let sql = "INSERT INTO oci_upload (uuid, repository_id, principal, created, modified) \
                   SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT), CAST($3 AS TEXT), CAST($4 AS BIGINT), CAST($4 AS BIGINT) \
                   WHERE (SELECT COUNT(*) FROM oci_upload WHERE principal = $3) < $5";
        let rows = tx.execute(sql, values![upload.to_string(), repository_id, principal, now, most]).await?;
        tx.commit().await?;
        Ok(Outcome::of(rows))
    }

    /// Whether there is such an upload of this principal in this repository.
    ///
    /// # Errors
    /// The database failed.
    pub async fn has_oci_upload(&self, repository: &RepositoryKey, upload: Uuid, principal: &str) -> Result<bool, StoreError> {
        let sql = "SELECT oci_upload.uuid FROM oci_upload JOIN oci_repository ON oci_repository.id = oci_upload.repository_id \
                   WHERE oci_upload.uuid = $1 AND oci_upload.principal = $2 \
                   AND oci_repository.project_id = $3 AND oci_repository.name = $4";
        let values = values![upload.to_string(), principal, repository.project_id, &*repository.name];
        let row: Option<UploadRow> = self.read().await?.optional(sql, values).await?;
        Ok(row.is_some())
    }

    /// Notes that an upload is alive.
    ///
    /// # Errors
    /// The database failed.
    pub async fn touch_oci_upload(&self, upload: Uuid, now: DateTime) -> Result<Outcome, StoreError> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE oci_upload SET modified = $2 WHERE uuid = $1";
        let rows = tx.execute(sql, values![upload.to_string(), now]).await?;
        tx.commit().await?;
        Ok(Outcome::of(rows))
    }

    /// Turns an upload whose bytes are in the blob store, as the copy that is called like it, into a blob of its repository. Where there
    /// is the same blob already and it can be served, that copy stays the one that counts.
    ///
    /// # Errors
    /// The database failed.
    pub async fn finish_oci_upload(
        &self,
        upload: Uuid,
        digest: &Digest,
        size: u64,
        (leased_until, now): (DateTime, DateTime),
        defaults: &Defaults,
    ) -> Result<Held, StoreError> {
        #[derive(sqlx::FromRow)]
        struct Deleted {
            repository_id: i64,
            project_id: i64,
        }
        #[derive(sqlx::FromRow)]
        struct Kept {
            copy_id: Text<CopyId>,
        }
        let mut tx = self.begin().await?;
        let sql = "DELETE FROM oci_upload WHERE uuid = $1 RETURNING repository_id, \
                   (SELECT project_id FROM oci_repository WHERE id = oci_upload.repository_id) AS project_id";
        let deleted: Option<Deleted> = tx.optional(sql, values![upload.to_string()]).await?;
        let Some(Deleted { repository_id, project_id }) = deleted else { return Ok(Held::Gone) };
        let size = i64::try_from(size).map_err(|_| StoreError::corrupt("oci_blob.size"))?;
        // The update takes the row, so that nobody removes it or puts it into quarantine before we commit.
        let sql = "INSERT INTO oci_blob (digest, size, created, copy_id, verified) VALUES ($1, $2, $3, $4, $3) \
                   ON CONFLICT (digest) DO UPDATE SET quarantined = NULL, \
                   verified = CASE WHEN oci_blob.quarantined IS NULL THEN oci_blob.verified ELSE excluded.verified END, \
                   copy_id = CASE WHEN oci_blob.quarantined IS NULL THEN oci_blob.copy_id ELSE excluded.copy_id END \
                   RETURNING copy_id";
        let kept: Kept = tx.one(sql, values![digest, size, now, CopyId::of_upload(upload)]).await?;
        hold(&mut tx, repository_id, digest, leased_until).await?;
        if let Some(exceeded) = defaults.exceeded(&mut tx, project_id).await? {
            return Ok(Held::NoRoom(exceeded));
        }
        tx.commit().await?;
        Ok(Held::Held(kept.copy_id.0))
    }

    /// Forgets an upload.
    ///
    /// # Errors
    /// The database failed.
    pub async fn delete_oci_upload(&self, upload: Uuid) -> Result<Outcome, StoreError> {
        let mut tx = self.begin().await?;
        let rows = tx.execute("DELETE FROM oci_upload WHERE uuid = $1", values![upload.to_string()]).await?;
        tx.commit().await?;
        Ok(Outcome::of(rows))
    }

    /// Forgets every upload that was not touched since `before`.
    ///
    /// # Errors
    /// The database failed.
    pub async fn delete_oci_uploads(&self, before: DateTime) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let rows = tx.execute("DELETE FROM oci_upload WHERE modified < $1", values![before]).await?;
        tx.commit().await?;
        Ok(rows)
    }

    /// The ids of all uploads.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_uploads(&self) -> Result<Vec<Uuid>, StoreError> {
        let rows: Vec<UploadRow> = self.read().await?.all("SELECT uuid FROM oci_upload", values![]).await?;
        Ok(rows.into_iter().map(|row| row.uuid.0).collect())
    }
}
