//! Where a blob is that a client would rather not send.

use bencher_types::{Digest, Slug};

use super::RepositoryKey;
use crate::{
    store::{Queries, Store, StoreError, Text},
    values,
};

/// A repository that holds a blob.
#[derive(Clone, Debug)]
pub struct Source {
    pub repository: RepositoryKey,
    pub project: Slug,
}

#[derive(sqlx::FromRow)]
struct SourceRow {
    project_id: i64,
    name: String,
    slug: Text<Slug>,
}

impl Store {
    /// Some repositories that hold a blob, those of one project first, then those that everybody may see. Who may read them is for the
    /// caller to find out.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_sources(&self, digest: &Digest, project_id: i64, limit: i64) -> Result<Vec<Source>, StoreError> {
        let sql = "SELECT oci_repository.project_id, oci_repository.name, project.slug FROM oci_repository_blob \
                   JOIN oci_repository ON oci_repository.id = oci_repository_blob.repository_id \
                   JOIN project ON project.id = oci_repository.project_id \
                   WHERE oci_repository_blob.digest = $1 AND project.deleted IS NULL \
                   ORDER BY CASE WHEN oci_repository.project_id = $2 THEN 0 WHEN project.visibility = 'public' THEN 1 ELSE 2 END, \
                   oci_repository.id LIMIT $3";
        let rows: Vec<SourceRow> = self.read().await?.all(sql, values![digest, project_id, limit]).await?;
        let source = |row: SourceRow| Source {
            repository: RepositoryKey { project_id: row.project_id, name: row.name },
            project: row.slug.0,
        };
        Ok(rows.into_iter().map(source).collect())
    }
}
