//! The manifests of a repository that refer to another one as their subject.

use std::collections::HashMap;

use bencher_types::Digest;

use super::RepositoryKey;
use crate::{
    store::{Queries, Store, StoreError, Text, Value},
    values,
};

/// Which ones are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub repository: &'a RepositoryKey,
    pub subject: &'a Digest,
    /// Only those of this type.
    pub artifact_type: Option<&'a str>,
    /// Only those whose digest comes after this.
    pub after: &'a str,
}

/// A manifest that refers to another one as its subject.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ReferrerRow {
    pub digest: Text<Digest>,
    pub media_type: String,
    pub artifact_type: Option<String>,
    /// Bytes.
    pub size: i64,
}

#[derive(sqlx::FromRow)]
struct Document {
    digest: Text<Digest>,
    content: Vec<u8>,
}

const FROM: &str = "FROM oci_manifest JOIN oci_repository ON oci_repository.id = oci_manifest.repository_id \
    WHERE oci_manifest.subject = $1 AND oci_repository.project_id = $2 AND oci_repository.name = $3 \
    AND ($4 IS NULL OR oci_manifest.artifact_type = $4) AND oci_manifest.digest > $5";

impl Wanted<'_> {
    fn values(&self, last: Value) -> Vec<Value> {
        let RepositoryKey { project_id, name } = self.repository;
        values![self.subject, *project_id, &**name, self.artifact_type, self.after, last]
    }
}

impl Store {
    /// So many of them at most, by their digests.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_referrers(&self, wanted: Wanted<'_>, limit: i64) -> Result<Vec<ReferrerRow>, StoreError> {
        let columns = "oci_manifest.digest, oci_manifest.media_type, oci_manifest.artifact_type, oci_manifest.size";
        let sql = format!("SELECT {columns} {FROM} ORDER BY oci_manifest.digest LIMIT $6");
        self.read().await?.all(sql, wanted.values(limit.into())).await
    }

    /// The documents of those whose digests come no later than `through`.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_referrer_documents(
        &self,
        wanted: Wanted<'_>,
        through: &str,
    ) -> Result<HashMap<Digest, Vec<u8>>, StoreError> {
        let sql = format!("SELECT oci_manifest.digest, oci_manifest.content {FROM} AND oci_manifest.digest <= $6");
        let rows: Vec<Document> = self.read().await?.all(sql, wanted.values(through.into())).await?;
        Ok(rows.into_iter().map(|row| (row.digest.0, row.content)).collect())
    }
}
