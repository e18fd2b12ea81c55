//! The names of all repositories.

use crate::{
    store::{Dialect, Queries, Store, StoreError},
    values,
};

#[derive(sqlx::FromRow)]
struct Name {
    name: String,
}

impl Store {
    /// The full names of repositories after `last`, each under its project's slug, in the order of their bytes.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_catalog(&self, last: &str, limit: i64) -> Result<Vec<String>, StoreError> {
        let bytes = match self.dialect() {
            Dialect::Sqlite => "BINARY",
            Dialect::Postgres => "\"C\"",
        };
        let sql = format!(
            "SELECT name FROM (SELECT (project.slug || CASE WHEN oci_repository.name = '' THEN '' ELSE '/' END || oci_repository.name) \
             COLLATE {bytes} AS name FROM oci_repository JOIN project ON project.id = oci_repository.project_id \
             WHERE project.deleted IS NULL) AS named \
             WHERE name > $1 COLLATE {bytes} ORDER BY name COLLATE {bytes} LIMIT $2"
        );
        let rows: Vec<Name> = self.read().await?.all(sql, values![last, limit]).await?;
        Ok(rows.into_iter().map(|row| row.name).collect())
    }
}
