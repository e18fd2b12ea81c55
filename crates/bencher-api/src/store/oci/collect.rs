//! What the registry holds and nothing needs: found, marked, and taken away.
//!
//! Whoever comes to need a blob (an upload, a mount, a look-up by somebody who may push, a manifest) writes to the row that says that the
//! repository holds it, which takes back the mark. Taking such a row away looks once more, so the two exclude each other. The row of
//! the content goes when no repository holds it, and its bytes go after that has reached the disk: a crash in between leaves bytes that
//! belong to nothing, which are found by their names.

use std::collections::HashSet;

use bencher_types::{DateTime, Digest};
use uuid::Uuid;

use super::blob::CopyId;
use crate::{
    store::{Among, Micros, Queries, Store, StoreError, Text, Value, among, list},
    values,
};

/// That nothing needs a blob in its repository at the time `$2`.
const UNNEEDED: &str = "held.leased_until < $2 AND NOT EXISTS (SELECT 1 FROM oci_manifest_reference \
    JOIN oci_manifest ON oci_manifest.id = oci_manifest_reference.manifest_id \
    WHERE oci_manifest_reference.digest = held.digest AND oci_manifest.repository_id = held.repository_id)";

/// A repository to be looked through.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RepositoryRow {
    pub id: i64,
    pub project_id: i64,
    /// What follows the project in its name.
    pub name: String,
}

/// Content that no repository holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unheld {
    pub digest: Digest,
    pub copy: CopyId,
    /// Bytes.
    pub size: u64,
}

#[derive(sqlx::FromRow)]
struct DigestRow {
    digest: Text<Digest>,
}

#[derive(sqlx::FromRow)]
struct UnheldRow {
    digest: Text<Digest>,
    copy_id: Text<CopyId>,
    size: i64,
}

impl UnheldRow {
    fn unheld(self) -> Unheld {
        Unheld { digest: self.digest.0, copy: self.copy_id.0, size: u64::try_from(self.size).unwrap_or(0) }
    }
}

/// When something that nothing needs may go.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    pub now: DateTime,
    /// What was found to be unneeded until then has had its time.
    pub marked_until: DateTime,
}

impl Store {
    /// Some repositories, in the order of their ids, after this one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_repositories(&self, after: i64, limit: i64) -> Result<Vec<RepositoryRow>, StoreError> {
        let sql = "SELECT id, project_id, name FROM oci_repository WHERE id > $1 ORDER BY id LIMIT $2";
        self.read().await?.all(sql, values![after, limit]).await
    }

    /// Marks some blobs of a repository that nothing needs; how many. None means that all of them are marked.
    ///
    /// # Errors
    /// The database failed.
    pub async fn mark_oci_blobs(&self, repository: i64, now: DateTime, limit: i64) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT digest FROM oci_repository_blob AS held WHERE repository_id = $1 AND unreferenced IS NULL AND {UNNEEDED} LIMIT $3"
        );
        let found: Vec<DigestRow> = self.read().await?.all(sql, values![repository, now, limit]).await?;
        let sql = format!(
            "UPDATE oci_repository_blob AS held SET unreferenced = $2 WHERE repository_id = $1 AND digest = $3 \
             AND unreferenced IS NULL AND {UNNEEDED}"
        );
        self.change_each(found, sql, values![repository, now]).await
    }

    /// Takes some blobs that nothing needs, and that were marked long enough ago, out of a repository; how many. None means that no
    /// more are due.
    ///
    /// # Errors
    /// The database failed.
    pub async fn release_oci_blobs(&self, repository: i64, due: Due, limit: i64) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT digest FROM oci_repository_blob AS held WHERE repository_id = $1 AND unreferenced <= $3 AND {UNNEEDED} LIMIT $4"
        );
        let found: Vec<DigestRow> = self.read().await?.all(sql, values![repository, due.now, due.marked_until, limit]).await?;
        let sql = format!(
            "DELETE FROM oci_repository_blob AS held WHERE repository_id = $1 AND digest = $4 AND unreferenced <= $3 AND {UNNEEDED}"
        );
        self.change_each(found, sql, values![repository, due.now, due.marked_until]).await
    }

    /// Runs a statement for each digest, its last parameter, in one transaction and in the order in which pushes lock them. Counts the
    /// rows that it changed.
    async fn change_each(&self, found: Vec<DigestRow>, sql: String, values: Vec<Value>) -> Result<u64, StoreError> {
        if found.is_empty() {
            return Ok(0);
        }
        let mut digests: Vec<Digest> = found.into_iter().map(|row| row.digest.0).collect();
        digests.sort_unstable();
        let mut tx = self.begin().await?;
        let mut changed = 0;
        for digest in &digests {
            let mut values = values.clone();
            values.push(digest.into());
            changed += tx.execute(sql.clone(), values).await?;
        }
        tx.commit().await?;
        Ok(changed)
    }

    /// Some content that no repository holds, in the order of digests, after this one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn unheld_oci_blobs(&self, after: &str, limit: i64) -> Result<Vec<Unheld>, StoreError> {
        let sql = "SELECT digest, copy_id, size FROM oci_blob WHERE digest > $1 AND NOT EXISTS \
                   (SELECT 1 FROM oci_repository_blob AS held WHERE held.digest = oci_blob.digest) ORDER BY digest LIMIT $2";
        let rows: Vec<UnheldRow> = self.read().await?.all(sql, values![after, limit]).await?;
        Ok(rows.into_iter().map(UnheldRow::unheld).collect())
    }

    /// Forgets content that no repository holds; returns which, so that its bytes can be removed. `None` where a repository has come to
    /// hold it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn forget_oci_blob(&self, digest: &Digest) -> Result<Option<Unheld>, StoreError> {
        let mut tx = self.begin().await?;
        let sql = "DELETE FROM oci_blob WHERE digest = $1 AND NOT EXISTS \
                   (SELECT 1 FROM oci_repository_blob AS held WHERE held.digest = oci_blob.digest) RETURNING digest, copy_id, size";
        let row: Option<UnheldRow> = match tx.optional(sql, values![digest]).await {
            Err(StoreError::ForeignKey) => return Ok(None),
            other => other?,
        };
        match tx.commit().await {
            Ok(()) => Ok(row.map(UnheldRow::unheld)),
            Err(StoreError::ForeignKey) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What would go if everything were done now: blobs to be taken out of repositories, and the number and bytes of blobs that nobody
    /// would hold then.
    ///
    /// # Errors
    /// The database failed.
    pub async fn due_oci_blobs(&self, due: Due) -> Result<(u64, u64, u64), StoreError> {
        #[derive(sqlx::FromRow)]
        struct Sum {
            number: i64,
            bytes: i64,
        }
        let is_due = format!("COALESCE(held.unreferenced, $2) <= $1 AND {UNNEEDED}");
        let mut conn = self.read().await?;
        let sql =
            format!("SELECT COUNT(*) AS number, CAST(0 AS BIGINT) AS bytes FROM oci_repository_blob AS held WHERE {is_due}");
        let released: Sum = conn.one(sql, values![due.marked_until, due.now]).await?;
        let sql = format!(
            "SELECT COUNT(*) AS number, CAST(COALESCE(SUM(size), 0) AS BIGINT) AS bytes FROM oci_blob WHERE NOT EXISTS \
             (SELECT 1 FROM oci_repository_blob AS held WHERE held.digest = oci_blob.digest AND NOT ({is_due}))"
        );
        let removed: Sum = conn.one(sql, values![due.marked_until, due.now]).await?;
        let number = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok((number(released.number), number(removed.number), number(removed.bytes)))
    }

    /// Which of these copies belong to nothing: to no blob, and to no upload under way. None of those can come to belong to one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn strays_among(&self, found: Vec<(Digest, CopyId)>) -> Result<Vec<(Digest, CopyId)>, StoreError> {
        #[derive(sqlx::FromRow)]
        struct UploadRow {
            uuid: Text<Uuid>,
        }
        let mut conn = self.read().await?;
        // First the uploads: one that ends in between has a blob then, or never will.
        let ids = found.iter().filter_map(|(_, copy)| copy.upload()).map(|upload| upload.to_string());
        let is_named = among(&mut conn, "uuid", Among::Texts, 1);
        let alive: Vec<UploadRow> = conn.all(format!("SELECT uuid FROM oci_upload WHERE {is_named}"), vec![list(ids)]).await?;
        let alive: HashSet<Uuid> = alive.into_iter().map(|row| row.uuid.0).collect();
        let is_named = among(&mut conn, "digest", Among::Texts, 1);
        let sql = format!("SELECT digest, copy_id, size FROM oci_blob WHERE {is_named}");
        let known: Vec<UnheldRow> = conn.all(sql, vec![list(found.iter().map(|(digest, _)| digest.to_string()))]).await?;
        let known: HashSet<(Digest, CopyId)> = known.into_iter().map(|row| (row.digest.0, row.copy_id.0)).collect();
        let is_stray = |(digest, copy): &(Digest, CopyId)| {
            copy.upload().is_none_or(|upload| !alive.contains(&upload)) && !known.contains(&(digest.clone(), *copy))
        };
        Ok(found.into_iter().filter(is_stray).collect())
    }

    /// Notes when strays were first seen, and returns those that were seen until then.
    ///
    /// # Errors
    /// The database failed.
    pub async fn note_oci_strays(
        &self,
        names: &HashSet<String>,
        now: DateTime,
        until: DateTime,
    ) -> Result<HashSet<String>, StoreError> {
        if names.is_empty() {
            return Ok(HashSet::new());
        }
        let mut tx = self.begin().await?;
        for name in names {
            let sql = "INSERT INTO oci_stray (name, seen) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
            tx.execute(sql, values![name.as_str(), now]).await?;
        }
        tx.commit().await?;
        let seen = self.oci_strays().await?;
        Ok(seen.into_iter().filter(|(name, seen)| *seen <= until && names.contains(name)).map(|(name, _)| name).collect())
    }

    /// What belongs to nothing, by its name, and when that was first seen.
    ///
    /// # Errors
    /// The database failed.
    pub async fn oci_strays(&self) -> Result<Vec<(String, DateTime)>, StoreError> {
        #[derive(sqlx::FromRow)]
        struct StrayRow {
            name: String,
            seen: Micros,
        }
        let rows: Vec<StrayRow> = self.read().await?.all("SELECT name, seen FROM oci_stray", values![]).await?;
        Ok(rows.into_iter().map(|row| (row.name, row.seen.0)).collect())
    }

    /// Forgets strays that are no more, or are none any more.
    ///
    /// # Errors
    /// The database failed.
    pub async fn forget_oci_strays(&self, names: &[String]) -> Result<(), StoreError> {
        if names.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        for name in names {
            tx.execute("DELETE FROM oci_stray WHERE name = $1", values![name.as_str()]).await?;
        }
        tx.commit().await
    }
}
