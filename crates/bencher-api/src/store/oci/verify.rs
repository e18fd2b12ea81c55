//! What is known of the soundness of blobs at rest.

use bencher_types::{DateTime, Digest};

use super::{blob::CopyId, full_name};
use crate::{
    store::{Micros, Queries, Store, StoreError, Text},
    values,
};

/// A blob to be read, or in quarantine.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AtRestRow {
    pub digest: Text<Digest>,
    pub copy_id: Text<CopyId>,
    /// Bytes.
    pub size: i64,
    pub quarantined: Option<Micros>,
}

/// All blobs of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Everything {
    pub blobs: u64,
    /// Bytes.
    pub bytes: u64,
}

const COLUMNS: &str = "digest, copy_id, size, quarantined";

impl Store {
    /// Some blobs that were last found to be sound before then, or never, the longest ago first. None in quarantine.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_blobs_to_verify(&self, before: DateTime, limit: i64) -> Result<Vec<AtRestRow>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM oci_blob WHERE quarantined IS NULL AND (verified IS NULL OR verified < $1) \
             ORDER BY verified NULLS FIRST LIMIT $2"
        );
        self.read().await?.all(sql, values![before, limit]).await
    }

    /// Some blobs in the order of their digests, after this one, those in quarantine too.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_blobs_at_rest(&self, after: &str, limit: i64) -> Result<Vec<AtRestRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM oci_blob WHERE digest > $1 ORDER BY digest LIMIT $2");
        self.read().await?.all(sql, values![after, limit]).await
    }

    /// Notes that a copy is sound, and so is served.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_blob_is_sound(&self, digest: &Digest, copy: CopyId, now: DateTime) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE oci_blob SET verified = $3, quarantined = NULL WHERE digest = $1 AND copy_id = $2";
        tx.execute(sql, values![digest, copy, now]).await?;
        tx.commit().await
    }

    /// Puts a copy into quarantine: it is served no more, and the next push of the same content takes its place. `false` where it is
    /// there already, or another copy counts by now.
    ///
    /// # Errors
    /// The database failed.
    pub async fn quarantine_oci_blob(&self, digest: &Digest, copy: CopyId, now: DateTime) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE oci_blob SET quarantined = $3 WHERE digest = $1 AND copy_id = $2 AND quarantined IS NULL";
        let rows = tx.execute(sql, values![digest, copy, now]).await?;
        tx.commit().await?;
        Ok(rows > 0)
    }

    /// Blobs in quarantine, those that are there longest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn quarantined_oci_blobs(&self, limit: i64) -> Result<Vec<AtRestRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM oci_blob WHERE quarantined IS NOT NULL ORDER BY quarantined, digest LIMIT $1");
        self.read().await?.all(sql, values![limit]).await
    }

    /// The repositories that hold a blob, a project's slug first, such as `shop/http`.
    ///
    /// # Errors
    /// The database failed.
    pub async fn holders_of_oci_blob(&self, digest: &Digest, limit: i64) -> Result<Vec<String>, StoreError> {
        #[derive(sqlx::FromRow)]
        struct Holder {
            slug: String,
            name: String,
        }
        let sql = "SELECT project.slug, oci_repository.name FROM oci_repository_blob \
                   JOIN oci_repository ON oci_repository.id = oci_repository_blob.repository_id \
                   JOIN project ON project.id = oci_repository.project_id \
                   WHERE oci_repository_blob.digest = $1 ORDER BY project.slug, oci_repository.name LIMIT $2";
        let rows: Vec<Holder> = self.read().await?.all(sql, values![digest, limit]).await?;
        Ok(rows.into_iter().map(|row| full_name(&row.slug, &row.name)).collect())
    }

    /// How much there is.
    ///
    /// # Errors
    /// The database failed.
    pub async fn all_oci_blobs(&self) -> Result<Everything, StoreError> {
        #[derive(sqlx::FromRow)]
        struct Sum {
            blobs: i64,
            bytes: i64,
        }
        let sql = "SELECT COUNT(*) AS blobs, CAST(COALESCE(SUM(size), 0) AS BIGINT) AS bytes FROM oci_blob";
        let row: Sum = self.read().await?.one(sql, values![]).await?;
        let number = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(Everything { blobs: number(row.blobs), bytes: number(row.bytes) })
    }
}
