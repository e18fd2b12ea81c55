//! The rules of a project for what its registry keeps, and what they are applied to.

use bencher_types::{DateTime, Digest, JobStatus};

use crate::{
    store::{Dialect, Id, Micros, Queries, Store, StoreError, Text, Tx},
    values,
};

/// The rules as they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct RulesRow {
    pub keep_tags: Option<i64>,
    pub keep_days: Option<i64>,
    pub keep_used_days: Option<i64>,
}

/// A tag of a repository.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct TagRow {
    pub name: String,
    pub manifest_id: i64,
    pub modified: Micros,
}

/// A manifest of a repository.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ManifestRow {
    pub id: i64,
    pub digest: Text<Digest>,
    pub subject: Option<Text<Digest>>,
    pub created: Micros,
    /// Since when no rule keeps it.
    pub expired: Option<Micros>,
}

/// A manifest and another one that it refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ChildRow {
    pub parent: i64,
    pub child: i64,
}

/// Everything of a repository that rules are applied to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    pub tags: Vec<TagRow>,
    pub manifests: Vec<ManifestRow>,
    pub children: Vec<ChildRow>,
}

/// An image that a job ran or is to run.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct UsedRow {
    pub digest: Option<String>,
}

/// What names the image in a job's configuration.
const fn image_of_job(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "json_extract(job.config, '$.digest')",
        Dialect::Postgres => "(CAST(job.config AS json) ->> 'digest')",
    }
}

/// That a job is not done: its image is needed.
fn unfinished() -> String {
    let [pending, claimed, running] = [JobStatus::Pending, JobStatus::Claimed, JobStatus::Running].map(JobStatus::number);
    format!("job.status IN ({pending}, {claimed}, {running})")
}

impl Store {
    /// The rules of a project; `None` where everything stays.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_retention(&self, project: i64) -> Result<Option<RulesRow>, StoreError> {
        let sql = "SELECT keep_tags, keep_days, keep_used_days FROM oci_retention WHERE project_id = $1";
        self.read().await?.optional(sql, values![project]).await
    }

    /// Sets the rules of a project, or lets everything stay. What no rule kept before has its time again.
    ///
    /// # Errors
    /// The database failed.
    pub async fn set_oci_retention(&self, project: i64, rules: Option<RulesRow>, now: DateTime) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        match rules {
            Some(rules) => {
                let sql = "INSERT INTO oci_retention (project_id, keep_tags, keep_days, keep_used_days, modified) \
                           VALUES ($1, $2, $3, $4, $5) ON CONFLICT (project_id) DO UPDATE SET keep_tags = excluded.keep_tags, \
                           keep_days = excluded.keep_days, keep_used_days = excluded.keep_used_days, modified = excluded.modified";
                tx.execute(sql, values![project, rules.keep_tags, rules.keep_days, rules.keep_used_days, now]).await?;
            }
            None => {
                tx.execute("DELETE FROM oci_retention WHERE project_id = $1", values![project]).await?;
            }
        }
        let sql = "UPDATE oci_manifest SET expired = NULL WHERE expired IS NOT NULL \
                   AND repository_id IN (SELECT id FROM oci_repository WHERE project_id = $1)";
        tx.execute(sql, values![project]).await?;
        tx.commit().await
    }

    /// The repositories of a project.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_repositories_of(&self, project: i64) -> Result<Vec<super::collect::RepositoryRow>, StoreError> {
        let sql = "SELECT id, project_id, name FROM oci_repository WHERE project_id = $1 ORDER BY name";
        self.read().await?.all(sql, values![project]).await
    }

    /// The tags and manifests of a repository.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_inventory(&self, repository: i64) -> Result<Inventory, StoreError> {
        let mut conn = self.read().await?;
        // Tags first: a manifest that is tagged a moment later is younger than any rule looks at, or loses its tag as it had none.
        let sql = "SELECT name, manifest_id, modified FROM oci_tag WHERE repository_id = $1";
        let tags = conn.all(sql, values![repository]).await?;
        let sql = "SELECT id, digest, subject, created, expired FROM oci_manifest WHERE repository_id = $1";
        let manifests = conn.all(sql, values![repository]).await?;
        let sql = "SELECT parent.id AS parent, child.id AS child FROM oci_manifest AS parent \
                   JOIN oci_manifest_reference ON oci_manifest_reference.manifest_id = parent.id \
                   JOIN oci_manifest AS child ON child.digest = oci_manifest_reference.digest \
                   AND child.repository_id = parent.repository_id WHERE parent.repository_id = $1";
        let children = conn.all(sql, values![repository]).await?;
        Ok(Inventory { tags, manifests, children })
    }

    /// The images of a project's jobs that are not done, and of those that were made since then.
    ///
    /// # Errors
    /// The database failed.
    pub async fn images_of_jobs(&self, project: i64, since: Option<DateTime>) -> Result<Vec<String>, StoreError> {
        let image = image_of_job(self.dialect());
        let sql =
            format!("SELECT DISTINCT {image} AS digest FROM job WHERE project_id = $1 AND ({} OR created >= $2)", unfinished());
        let rows: Vec<UsedRow> = self.read().await?.all(sql, values![project, since]).await?;
        Ok(rows.into_iter().filter_map(|row| row.digest).collect())
    }

    /// Removes a tag, unless it was pushed again meanwhile.
    ///
    /// # Errors
    /// The database failed.
    pub async fn expire_oci_tag(&self, repository: i64, tag: &TagRow) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let sql = "DELETE FROM oci_tag WHERE repository_id = $1 AND name = $2 AND manifest_id = $3 AND modified = $4";
        let rows = tx.execute(sql, values![repository, &*tag.name, tag.manifest_id, tag.modified.0]).await?;
        tx.commit().await?;
        Ok(rows > 0)
    }

    /// Notes since when no rule keeps a manifest, or that one does again.
    ///
    /// # Errors
    /// The database failed.
    pub async fn set_oci_manifest_expired(&self, manifest: i64, since: Option<DateTime>) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.execute("UPDATE oci_manifest SET expired = $2 WHERE id = $1", values![manifest, since]).await?;
        tx.commit().await
    }

    /// Removes a manifest that no rule kept since then, unless something has come to need it: a tag, an index or a job.
    ///
    /// # Errors
    /// The database failed.
    pub async fn expire_oci_manifest(&self, manifest: i64, until: DateTime) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if matches!(tx, Tx::Postgres(_)) {
            // Keeps tags from being put on it, so that the next statement sees all there are.
            let sql = "SELECT id FROM oci_manifest WHERE id = $1 FOR UPDATE";
            let _locked: Option<Id> = tx.optional(sql, values![manifest]).await?;
        }
        let sql = format!(
            "DELETE FROM oci_manifest WHERE id = $1 AND expired <= $2 \
             AND NOT EXISTS (SELECT 1 FROM oci_tag WHERE oci_tag.manifest_id = oci_manifest.id) \
             AND NOT EXISTS (SELECT 1 FROM oci_manifest_reference JOIN oci_manifest AS parent \
                 ON parent.id = oci_manifest_reference.manifest_id WHERE oci_manifest_reference.digest = oci_manifest.digest \
                 AND parent.repository_id = oci_manifest.repository_id) \
             AND NOT EXISTS (SELECT 1 FROM job JOIN oci_repository ON oci_repository.project_id = job.project_id \
                 WHERE oci_repository.id = oci_manifest.repository_id AND {} AND {} = oci_manifest.digest)",
            unfinished(),
            image_of_job(self.dialect())
        );
        let rows = tx.execute(sql, values![manifest, until]).await?;
        tx.commit().await?;
        Ok(rows > 0)
    }
}
