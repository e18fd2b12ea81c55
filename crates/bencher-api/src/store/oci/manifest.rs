//! Manifests, what they refer to, and tags.

use std::collections::{BTreeMap, BTreeSet};

use bencher_types::{DateTime, Digest};

use super::{Place, RepositoryKey, ensure_repository};
use crate::{
    limits,
    store::{Id, Queries, Store, StoreError, Text, Tx, Value},
    values,
};

/// A manifest to be stored.
#[derive(Clone, Debug)]
pub struct NewManifest<'a> {
    pub repository: &'a RepositoryKey,
    pub digest: &'a Digest,
    pub media_type: &'a str,
    pub artifact_type: Option<&'a str>,
    pub subject: Option<&'a Digest>,
    pub content: &'a [u8],
    /// The one of its blobs that must be in the repository.
    pub config: Option<&'a Digest>,
    /// The blobs it refers to, with the sizes it gives for them.
    pub blobs: &'a BTreeMap<Digest, u64>,
    /// The manifests it refers to.
    pub children: &'a BTreeSet<Digest>,
    pub tags: Vec<&'a str>,
    /// Until when its blobs are kept should it be deleted at once.
    pub leased_until: DateTime,
    pub now: DateTime,
}

/// How a push of a manifest ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a manifest that lacks its config is not stored"]
pub enum Stored {
    Stored {
        /// What it refers to and is not in the repository.
        missing: Vec<Digest>,
    },
    /// Its config is not in the repository.
    NoConfig(Digest),
    /// It makes for too many manifests in each other.
    TooDeep,
    /// This blob has another size than the manifest says.
    WrongSize { digest: Digest, actual: u64 },
}

/// How a request names a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestReference {
    Tag(String),
    Digest(Digest),
}

impl std::fmt::Display for ManifestReference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

/// What is known of a manifest without its content.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ManifestRow {
    pub digest: Text<Digest>,
    pub media_type: String,
    /// Bytes.
    pub size: i64,
}

/// A manifest with its content.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ManifestDocument {
    #[sqlx(flatten)]
    pub row: ManifestRow,
    pub content: Vec<u8>,
}

#[derive(sqlx::FromRow)]
struct Size {
    size: i64,
}

#[derive(sqlx::FromRow)]
struct Name {
    name: String,
}

#[derive(sqlx::FromRow)]
struct Depth {
    depth: i64,
}

/// What is selected of a manifest, and what with its content.
const COLUMNS: &str = "oci_manifest.digest, oci_manifest.media_type, oci_manifest.size";
const DOCUMENT: &str = "oci_manifest.digest, oci_manifest.media_type, oci_manifest.size, oci_manifest.content";

impl Store {
    /// Stores a manifest and lets the tags point to it, if its config is in its repository.
    ///
    /// # Errors
    /// The database failed.
    pub async fn put_oci_manifest(&self, new: &NewManifest<'_>) -> Result<Stored, StoreError> {
        let mut tx = self.begin().await?;
        let repository_id = ensure_repository(&mut tx, new.repository, new.now).await?;
        let mut missing = Vec::new();
        // In the order of digests, so that two pushes at once never wait for each other.
        for (digest, &size) in new.blobs {
            match lock_blob(&mut tx, repository_id, digest, new.leased_until).await? {
                None => missing.push(digest.clone()),
                Some(actual) if actual != size => return Ok(Stored::WrongSize { digest: digest.clone(), actual }),
                Some(_) => {}
            }
        }
        for digest in new.children {
            // The update keeps the row from being deleted before we commit.
            let sql = "UPDATE oci_manifest SET expired = NULL WHERE repository_id = $1 AND digest = $2";
            if tx.execute(sql, values![repository_id, digest]).await? == 0 {
                missing.push(digest.clone());
            }
        }
        if let Some(config) = new.config.filter(|config| missing.contains(config)) {
            return Ok(Stored::NoConfig(config.clone()));
        }
        let manifest_id = insert(&mut tx, repository_id, new).await?;
        if !new.children.is_empty() && depth(&mut tx, repository_id, manifest_id).await? > limits::MAX_MANIFEST_DEPTH {
            return Ok(Stored::TooDeep);
        }
        for &tag in &new.tags {
            let sql = "INSERT INTO oci_tag (repository_id, name, manifest_id, created, modified) VALUES ($1, $2, $3, $4, $4) \
                       ON CONFLICT (repository_id, name) DO UPDATE SET manifest_id = excluded.manifest_id, modified = excluded.modified";
            tx.execute(sql, values![repository_id, tag, manifest_id, new.now]).await?;
        }
        tx.commit().await?;
        Ok(Stored::Stored { missing })
    }

    /// A manifest that can be read at this place.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_manifest(&self, place: &Place, reference: &ManifestReference) -> Result<Option<ManifestRow>, StoreError> {
        let (sql, values) = find(COLUMNS, place, reference);
        self.read().await?.optional(sql, values).await
    }

    /// The same with its content.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_manifest_document(
        &self,
        place: &Place,
        reference: &ManifestReference,
    ) -> Result<Option<ManifestDocument>, StoreError> {
        let (sql, values) = find(DOCUMENT, place, reference);
        self.read().await?.optional(sql, values).await
    }

    /// Deletes a tag, or a manifest with every tag that points to it. Returns whether there was one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn delete_oci_manifest(
        &self,
        repository: &RepositoryKey,
        reference: &ManifestReference,
    ) -> Result<bool, StoreError> {
        let (sql, name) = match reference {
            ManifestReference::Tag(tag) => (
                "DELETE FROM oci_tag WHERE name = $1 \
                 AND repository_id = (SELECT id FROM oci_repository WHERE project_id = $2 AND name = $3)",
                tag.clone(),
            ),
            ManifestReference::Digest(digest) => (
                "DELETE FROM oci_manifest WHERE digest = $1 \
                 AND repository_id = (SELECT id FROM oci_repository WHERE project_id = $2 AND name = $3)",
                digest.to_string(),
            ),
        };
        let mut tx = self.begin().await?;
        let rows = tx.execute(sql, values![name, repository.project_id, &*repository.name]).await?;
        tx.commit().await?;
        Ok(rows > 0)
    }

    /// The names of a repository's tags after `last`, in the order of their bytes.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_tags(&self, repository: &RepositoryKey, last: &str, limit: i64) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT oci_tag.name FROM oci_tag JOIN oci_repository ON oci_repository.id = oci_tag.repository_id \
                   WHERE oci_repository.project_id = $1 AND oci_repository.name = $2 AND oci_tag.name > $3 \
                   ORDER BY oci_tag.name LIMIT $4";
        let values = values![repository.project_id, &*repository.name, last, limit];
        let rows: Vec<Name> = self.read().await?.all(sql, values).await?;
        Ok(rows.into_iter().map(|row| row.name).collect())
    }

    /// What a manifest refers to and no repository of its project holds: blobs, and manifests of an index.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_missing(&self, project_id: i64, digest: &Digest) -> Result<Vec<Digest>, StoreError> {
        #[derive(sqlx::FromRow)]
        struct Missing {
            digest: Text<Digest>,
        }
        let sql = "SELECT DISTINCT oci_manifest_reference.digest FROM oci_manifest_reference \
                   JOIN oci_manifest ON oci_manifest.id = oci_manifest_reference.manifest_id \
                   JOIN oci_repository ON oci_repository.id = oci_manifest.repository_id \
                   WHERE oci_manifest.digest = $1 AND oci_repository.project_id = $2 \
                   AND NOT EXISTS (SELECT 1 FROM oci_repository_blob AS held \
                       JOIN oci_repository AS holder ON holder.id = held.repository_id \
                       WHERE held.digest = oci_manifest_reference.digest AND holder.project_id = $2) \
                   AND NOT EXISTS (SELECT 1 FROM oci_manifest AS child \
                       JOIN oci_repository AS holder ON holder.id = child.repository_id \
                       WHERE child.digest = oci_manifest_reference.digest AND holder.project_id = $2) \
                   ORDER BY oci_manifest_reference.digest";
        let rows: Vec<Missing> = self.read().await?.all(sql, values![digest, project_id]).await?;
        Ok(rows.into_iter().map(|row| row.digest.0).collect())
    }
}

/// The statement that finds a manifest, by its digest or by a tag.
fn find(columns: &str, place: &Place, reference: &ManifestReference) -> (String, Vec<Value>) {
    let RepositoryKey { project_id, name } = &place.repository;
    match reference {
        ManifestReference::Digest(digest) => (
            format!(
                "SELECT {columns} FROM oci_manifest JOIN oci_repository ON oci_repository.id = oci_manifest.repository_id \
                 WHERE oci_manifest.digest = $1 AND oci_repository.project_id = $2 \
                 AND ($3 IS NULL OR oci_repository.name = $3) ORDER BY oci_manifest.id LIMIT 1"
            ),
            values![digest, *project_id, place.name()],
        ),
        ManifestReference::Tag(tag) => (
            format!(
                "SELECT {columns} FROM oci_tag JOIN oci_manifest ON oci_manifest.id = oci_tag.manifest_id \
                 JOIN oci_repository ON oci_repository.id = oci_tag.repository_id \
                 WHERE oci_tag.name = $1 AND oci_repository.project_id = $2 AND oci_repository.name = $3"
            ),
            values![&**tag, *project_id, &**name],
        ),
    }
}

/// How many manifests are in each other where this one is: those in it, itself and those that it is in. Counts no further than one
/// more than is allowed on either side.
async fn depth(tx: &mut Tx, repository_id: i64, manifest_id: i64) -> Result<u32, StoreError> {
    let sql = "WITH RECURSIVE \
               down (id, depth) AS (SELECT CAST($1 AS BIGINT), CAST(1 AS BIGINT) \
                   UNION SELECT child.id, down.depth + 1 FROM down \
                   JOIN oci_manifest_reference ON oci_manifest_reference.manifest_id = down.id \
                   JOIN oci_manifest AS child ON child.digest = oci_manifest_reference.digest AND child.repository_id = $2 \
                   WHERE down.depth < $3), \
               up (id, depth) AS (SELECT CAST($1 AS BIGINT), CAST(0 AS BIGINT) \
                   UNION SELECT parent.id, up.depth + 1 FROM up \
                   JOIN oci_manifest AS child ON child.id = up.id \
                   JOIN oci_manifest_reference ON oci_manifest_reference.digest = child.digest \
                   JOIN oci_manifest AS parent ON parent.id = oci_manifest_reference.manifest_id AND parent.repository_id = $2 \
                   WHERE up.depth < $3) \
               SELECT (SELECT MAX(depth) FROM down) + (SELECT MAX(depth) FROM up) AS depth";
    let most = i64::from(limits::MAX_MANIFEST_DEPTH) + 1;
    let row: Depth = tx.one(sql, values![manifest_id, repository_id, most]).await?;
    u32::try_from(row.depth).map_err(|_| StoreError::corrupt("oci_manifest"))
}

/// The size of a blob in a repository, whose row is locked by renewing its lease.
async fn lock_blob(tx: &mut Tx, repository_id: i64, digest: &Digest, until: DateTime) -> Result<Option<u64>, StoreError> {
    let sql = "UPDATE oci_repository_blob SET leased_until = $3, unreferenced = NULL WHERE repository_id = $1 AND digest = $2";
    if tx.execute(sql, values![repository_id, digest, until]).await? == 0 {
        return Ok(None);
    }
    // What is in quarantine has to be pushed again.
    let sql = "SELECT size FROM oci_blob WHERE digest = $1 AND quarantined IS NULL";
    let row: Option<Size> = tx.optional(sql, values![digest]).await?;
    row.map(|row| u64::try_from(row.size).map_err(|_| StoreError::corrupt("oci_blob.size"))).transpose()
}

async fn insert(tx: &mut Tx, repository_id: i64, new: &NewManifest<'_>) -> Result<i64, StoreError> {
    let size = i64::try_from(new.content.len()).map_err(|_| StoreError::corrupt("oci_manifest.size"))?;
    let row: Id = tx
        .one(
            "INSERT INTO oci_manifest (repository_id, digest, media_type, artifact_type, subject, size, content, created) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             ON CONFLICT (repository_id, digest) DO UPDATE SET media_type = excluded.media_type, expired = NULL RETURNING id",
            values![
                repository_id,
                new.digest,
                new.media_type,
                new.artifact_type,
                new.subject.map(ToString::to_string),
                size,
                new.content.to_vec(),
                new.now,
            ],
        )
        .await?;
    for digest in new.blobs.keys().chain(new.children) {
        let sql = "INSERT INTO oci_manifest_reference (manifest_id, digest) VALUES ($1, $2) ON CONFLICT (manifest_id, digest) DO NOTHING";
        tx.execute(sql, values![row.id, digest]).await?;
    }
    Ok(row.id)
}
