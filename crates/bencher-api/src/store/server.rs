//! The one row that says which installation this is.

use std::path::Path;

use bencher_types::{DateTime, Digest, ServerUuid};

use super::{Queries, Store, StoreError, Text, oci::blob::CopyId, sqlite};
use crate::values;

#[derive(sqlx::FromRow)]
struct ServerRow {
    uuid: Text<ServerUuid>,
}

#[derive(sqlx::FromRow)]
struct DigestRow {
    digest: Text<Digest>,
    copy_id: Text<CopyId>,
}

#[derive(sqlx::FromRow)]
struct OutputRow {
    output_key: String,
}

impl Store {
    /// This installation's id, made at the first call.
    ///
    /// # Errors
    /// The database failed.
    pub async fn server_uuid(&self, now: DateTime) -> Result<ServerUuid, StoreError> {
        let mut tx = self.begin().await?;
        tx.execute(
            "INSERT INTO server (id, uuid, created) VALUES (1, $1, $2) ON CONFLICT (id) DO NOTHING",
            values![ServerUuid::random(), now],
        )
        .await?;
        let row: ServerRow = tx.one("SELECT uuid FROM server WHERE id = 1", values![]).await?;
        tx.commit().await?;
        Ok(row.uuid.0)
    }
}

impl Store {
    /// Copies the SQLite database in a file to another, which is empty or not there, as it is at one moment.
    ///
    /// # Errors
    /// The database cannot be read, or the copy not be written.
    pub async fn copy_to(&self, database: &Path, to: &Path) -> Result<(), StoreError> {
        sqlite::copy(database, to).await
    }

    /// What is wrong with a copy; `None` where it is sound.
    ///
    /// # Errors
    /// The copy cannot be read.
    pub async fn damage_of(&self, copy: &Path) -> Result<Option<String>, StoreError> {
        Self::damage_in(copy).await
    }

    /// What is wrong with a database that nobody has open; `None` where it is sound.
    ///
    /// # Errors
    /// It cannot be read, or is no database.
    pub async fn damage_in(file: &Path) -> Result<Option<String>, StoreError> {
        sqlite::damage(file).await
    }

    /// Whether a sound SQLite database is one that a server made, whatever its version.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn is_ours(file: &Path) -> Result<bool, StoreError> {
        sqlite::has_table(file, "server").await
    }

    /// The digests of all image blobs with the copies that count, and the names of everything else that the database says is in the blob store.
    ///
    /// # Errors
    /// The database failed.
    pub async fn blob_keys(&self) -> Result<(Vec<(Digest, CopyId)>, Vec<String>), StoreError> {
        let mut conn = self.read().await?;
        let digests: Vec<DigestRow> = conn.all("SELECT digest, copy_id FROM oci_blob ORDER BY digest", values![]).await?;
        let sql = "SELECT output_key FROM job WHERE output_key IS NOT NULL UNION \
                   SELECT output_key FROM job_attempt WHERE output_key IS NOT NULL ORDER BY 1";
        let outputs: Vec<OutputRow> = conn.all(sql, values![]).await?;
        Ok((
            digests.into_iter().map(|row| (row.digest.0, row.copy_id.0)).collect(),
            outputs.into_iter().map(|row| row.output_key).collect(),
        ))
    }
}
