//! Whose signatures a project's images carry, and what refers to a manifest anywhere in a project.

use bencher_types::{
    DateTime, Digest,
    oci::manifest::{DOCKER_LIST, OCI_INDEX},
};

use crate::{
    store::{Micros, Queries, Store, StoreError, Text},
    values,
};

/// The policy of a project as it is stored.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SigningRow {
    required: i64,
    /// JSON.
    pub keys: String,
    pub modified: Micros,
}

impl SigningRow {
    /// Whether jobs run nothing that is not signed.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        self.required != 0
    }
}

/// A manifest that refers to another one, by its subject or by a tag that is made of the other's digest.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AttachedRow {
    /// What follows the project in the repository's name.
    pub repository: String,
    pub digest: Text<Digest>,
    pub artifact_type: Option<String>,
    /// Bytes of the manifest.
    pub size: i64,
    pub created: Micros,
}

#[derive(sqlx::FromRow)]
struct Name {
    name: String,
}

#[derive(sqlx::FromRow)]
struct DigestRow {
    digest: Text<Digest>,
}

impl Store {
    /// The policy of a project; `None` where its jobs run anything.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_signing(&self, project: i64) -> Result<Option<SigningRow>, StoreError> {
        let sql = "SELECT required, keys, modified FROM oci_signing WHERE project_id = $1";
        self.read().await?.optional(sql, values![project]).await
    }

    /// Sets the policy of a project. `keys` is JSON.
    ///
    /// # Errors
    /// The database failed.
    pub async fn set_oci_signing(&self, project: i64, required: bool, keys: &str, now: DateTime) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sql = "INSERT INTO oci_signing (project_id, required, keys, modified) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (project_id) DO UPDATE SET required = excluded.required, keys = excluded.keys, \
                   modified = excluded.modified";
        tx.execute(sql, values![project, required, keys, now]).await?;
        tx.commit().await
    }

    /// Lets a project's jobs run anything again.
    ///
    /// # Errors
    /// The database failed.
    pub async fn remove_oci_signing(&self, project: i64) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.execute("DELETE FROM oci_signing WHERE project_id = $1", values![project]).await?;
        tx.commit().await
    }

    /// The manifests of a project that have this subject, or one of two tags, the newest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_attached(
        &self,
        project: i64,
        subject: &Digest,
        tags: [&str; 2],
        limit: i64,
    ) -> Result<Vec<AttachedRow>, StoreError> {
        let sql = "SELECT oci_repository.name AS repository, oci_manifest.digest, oci_manifest.artifact_type, oci_manifest.size, \
                   oci_manifest.created FROM oci_manifest JOIN oci_repository ON oci_repository.id = oci_manifest.repository_id \
                   WHERE oci_manifest.id IN ( \
                       SELECT referrer.id FROM oci_manifest AS referrer JOIN oci_repository AS place \
                           ON place.id = referrer.repository_id WHERE place.project_id = $1 AND referrer.subject = $2 \
                       UNION SELECT oci_tag.manifest_id FROM oci_tag JOIN oci_repository AS place \
                           ON place.id = oci_tag.repository_id WHERE place.project_id = $1 AND oci_tag.name IN ($3, $4)) \
                   ORDER BY oci_manifest.created DESC, oci_manifest.id DESC LIMIT $5";
        self.read().await?.all(sql, values![project, subject, tags[0], tags[1], limit]).await
    }

    /// Indexes of a project that list a manifest, the newest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_indexes_of(&self, project: i64, digest: &Digest, limit: i64) -> Result<Vec<Digest>, StoreError> {
        let sql = "SELECT parent.digest FROM oci_manifest_reference JOIN oci_manifest AS parent \
                   ON parent.id = oci_manifest_reference.manifest_id JOIN oci_repository ON oci_repository.id = parent.repository_id \
                   WHERE oci_manifest_reference.digest = $1 AND oci_repository.project_id = $2 AND parent.media_type IN ($3, $4) \
                   GROUP BY parent.digest ORDER BY MAX(parent.id) DESC LIMIT $5";
        let rows: Vec<DigestRow> = self.read().await?.all(sql, values![digest, project, OCI_INDEX, DOCKER_LIST, limit]).await?;
        Ok(rows.into_iter().map(|row| row.digest.0).collect())
    }

    /// A repository of a project that has a manifest: what follows the project in its name.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_repository_with(&self, project: i64, digest: &Digest) -> Result<Option<String>, StoreError> {
        let sql = "SELECT oci_repository.name FROM oci_manifest JOIN oci_repository ON oci_repository.id = oci_manifest.repository_id \
                   WHERE oci_manifest.digest = $1 AND oci_repository.project_id = $2 ORDER BY oci_manifest.id LIMIT 1";
        let row: Option<Name> = self.read().await?.optional(sql, values![digest, project]).await?;
        Ok(row.map(|row| row.name))
    }
}
