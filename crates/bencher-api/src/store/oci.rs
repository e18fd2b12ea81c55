//! The image registry in the database: which repository holds which blobs, manifests, tags and uploads.
//!
//! Content of blobs is not here; manifests are, because they are small. Every look-up goes through the repository, so that a blob of
//! one project is unknown to all others.

pub mod blob;
pub mod care;
pub mod catalog;
pub mod collect;
pub mod manifest;
pub mod quota;
pub mod referrer;
pub mod retention;
pub mod signing;
pub mod source;
pub mod tag;
pub mod upload;
pub mod verify;

use bencher_types::DateTime;

use super::{Id, Queries, Store, StoreError, Tx};
use crate::values;

/// A repository, by its project and what follows the project in its name (empty for the project itself).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryKey {
    pub project_id: i64,
    pub name: String,
}

/// What a repository is called in full, under one of its project's names.
pub(crate) fn full_name(project: &str, rest: &str) -> String {
    if rest.is_empty() { project.to_owned() } else { format!("{project}/{rest}") }
}

/// Where content is looked for by its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// In the repository that was named.
    Repository,
    /// In every repository of its project. Runners name only the project and the digest of a job's image.
    Project,
}

/// A repository to read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub repository: RepositoryKey,
    pub reach: Reach,
}

impl Place {
    /// The repository's name as a parameter, NULL where any will do.
    fn name(&self) -> Option<String> {
        match self.reach {
            Reach::Repository => Some(self.repository.name.clone()),
            Reach::Project => None,
        }
    }
}

impl Store {
    /// Whether a repository exists: something was pushed to it once.
    ///
    /// # Errors
    /// The database failed.
    pub async fn has_oci_repository(&self, repository: &RepositoryKey) -> Result<bool, StoreError> {
        let sql = "SELECT id FROM oci_repository WHERE project_id = $1 AND name = $2";
        let row: Option<Id> = self.read().await?.optional(sql, values![repository.project_id, &*repository.name]).await?;
        Ok(row.is_some())
    }
}

/// The row of a repository, made where there is none yet.
async fn ensure_repository(tx: &mut Tx, repository: &RepositoryKey, now: DateTime) -> Result<i64, StoreError> {
    // The update changes nothing; it makes the statement return the row that is there.
    let sql = "INSERT INTO oci_repository (project_id, name, created) VALUES ($1, $2, $3) \
               ON CONFLICT (project_id, name) DO UPDATE SET name = excluded.name RETURNING id";
    let row: Id = tx.one(sql, values![repository.project_id, &*repository.name, now]).await?;
    Ok(row.id)
}
