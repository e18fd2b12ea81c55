//! Heads and versions: the history that a branch has now, those that it had, and where each began.
//!
//! A head that began at a version of another one holds that version and those before it, under the same numbers. What was measured of
//! them stays with the head that it was measured for; `lineage` says where to look.

use bencher_types::{DateTime, GitHash, HeadUuid};
use uuid::Uuid;

use super::{Id, Queries, StoreError, Text, Tx, branch::BranchRow};
use crate::{limits, values};

/// A version of a head, as something to begin at.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct HeadVersion {
    /// The row of `head_version`.
    id: i64,
    head_id: i64,
    version_id: i64,
    number: i64,
}

/// Where a head began.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Origin {
    pub(crate) branch_id: i64,
    pub(crate) hash: Option<Text<GitHash>>,
}

/// What another head began with, and how much of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beginning<'a> {
    pub(crate) version: &'a HeadVersion,
    pub(crate) max_versions: u32,
}

/// A head, and the versions whose results in it belong to a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) head: i64,
    /// From which number to which; all of them where it is the history's own head.
    pub(crate) versions: Option<(i64, i64)>,
}

impl Link {
    /// The condition that a row of a table with `head_id` and `version_number` is of this history.
    pub(crate) fn condition(&self, table: &str) -> String {
        match self.versions {
            None => format!("{table}.head_id = {}", self.head),
            Some((oldest, newest)) => {
                format!("({table}.head_id = {} AND {table}.version_number BETWEEN {oldest} AND {newest})", self.head)
            }
        }
    }
}

/// Gives a branch another head: an empty one, or one that begins at a version of another head.
///
/// The caller has locked the project.
pub(crate) async fn begin(tx: &mut Tx, branch: i64, beginning: Option<Beginning<'_>>, now: DateTime) -> Result<i64, StoreError> {
    let start = beginning.map(|beginning| beginning.version.id);
    let head: Id = tx
        .one(
            "INSERT INTO head (uuid, branch_id, start_point_id, created) VALUES ($1, $2, $3, $4) RETURNING id",
            values![HeadUuid::random(), branch, start, now],
        )
        .await?;
    if let Some(Beginning { version, max_versions }) = beginning {
        tx.execute(
            "INSERT INTO head_version (head_id, version_id, number) SELECT $2, version_id, number FROM head_version \
             WHERE head_id = $1 AND number <= $3 ORDER BY number DESC LIMIT $4",
            values![version.head_id, head.id, version.number, max_versions],
        )
        .await?;
    }
    // The head that is replaced is past: nobody has to act on what its results raised.
    tx.execute(
        "UPDATE alert SET status = 'silenced', modified = $2 WHERE status = 'active' AND report_id IN \
         (SELECT report.id FROM report JOIN branch ON branch.head_id = report.head_id WHERE branch.id = $1)",
        values![branch, now],
    )
    .await?;
    tx.execute(
        "UPDATE head SET replaced = $2 WHERE id = (SELECT head_id FROM branch WHERE id = $1) AND replaced IS NULL",
        values![branch, now],
    )
    .await?;
    tx.execute("UPDATE branch SET head_id = $2 WHERE id = $1", values![branch, head.id]).await?;
    Ok(head.id)
}

/// The newest version of a project's head, or its newest of a commit.
pub(crate) async fn find_version(
    conn: &mut impl Queries,
    project: i64,
    head: i64,
    hash: Option<&GitHash>,
) -> Result<Option<HeadVersion>, StoreError> {
    let Some(hash) = hash else {
        let sql =
            "SELECT id, head_id, version_id, number FROM head_version WHERE head_id = $1 ORDER BY number DESC LIMIT 1".to_owned();
        return conn.optional(sql, values![head]).await;
    };
    // By the index of commits: a commit is in few heads, and a head has many versions.
    let sql = "SELECT held.id, held.head_id, held.version_id, held.number FROM version \
               JOIN head_version AS held ON held.version_id = version.id AND held.head_id = $1 \
               WHERE version.project_id = $2 AND version.hash = $3 ORDER BY held.number DESC LIMIT 1"
        .to_owned();
    conn.optional(sql, values![head, project, hash]).await
}

/// Where a head began, if it did not begin empty and that is still there.
pub(crate) async fn origin(conn: &mut impl Queries, head: i64) -> Result<Option<Origin>, StoreError> {
    let sql = "SELECT start.branch_id, version.hash FROM head JOIN head_version ON head_version.id = head.start_point_id \
               JOIN head start ON start.id = head_version.head_id JOIN version ON version.id = head_version.version_id \
               WHERE head.id = $1"
        .to_owned();
    conn.optional(sql, values![head]).await
}

/// The heads whose results are a head's history: its own, then those that it and they began from, as far as it holds their versions.
pub(crate) async fn lineage(conn: &mut impl Queries, head: i64) -> Result<Vec<Link>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Step {
        head_id: i64,
        number: i64,
        oldest: Option<i64>,
    }

    let mut lineage = vec![Link { head, versions: None }];
    let (mut at, mut oldest, mut newest) = (head, 0, i64::MAX);
    while lineage.len() < limits::MAX_LINEAGE {
        let sql = "SELECT start.head_id, start.number, (SELECT MIN(number) FROM head_version WHERE head_id = $1) AS oldest \
                   FROM head JOIN head_version start ON start.id = head.start_point_id WHERE head.id = $1"
            .to_owned();
        let Some(Step { head_id, number, oldest: Some(held) }) = conn.optional(sql, values![at]).await? else { break };
        (at, oldest, newest) = (head_id, held.max(oldest), number.min(newest));
        if oldest > newest {
            break;
        }
        lineage.push(Link { head: at, versions: Some((oldest, newest)) });
    }
    Ok(lineage)
}

/// A version that something is filed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct VersionRow {
    pub(crate) id: i64,
    pub(crate) number: i64,
}

/// The version of this hash of a branch's head; the next one where it has none, or where there is no hash to know it by.
///
/// The caller has locked the project, so that no number is given twice, and has read the branch since: its row says what is newest.
pub(crate) async fn version(
    tx: &mut Tx,
    project: i64,
    branch: &BranchRow,
    hash: Option<&GitHash>,
) -> Result<VersionRow, StoreError> {
    let newest = branch.version_row.zip(branch.version_number).map(|(id, number)| VersionRow { id, number });
    if let (Some(hash), Some(newest)) = (hash, newest) {
        if branch.version_hash.as_ref().is_some_and(|of_newest| of_newest.0 == *hash) {
            return Ok(newest);
        }
        if let Some(known) = find_version(tx, project, branch.head_row, Some(hash)).await? {
            return Ok(VersionRow { id: known.version_id, number: known.number });
        }
    }
    let number = newest.map_or(0, |newest| newest.number + 1);
    let Id { id } = tx
        .one(
            "INSERT INTO version (uuid, project_id, number, hash) VALUES ($1, $2, $3, $4) RETURNING id",
            values![Uuid::new_v4().to_string(), project, number, hash],
        )
        .await?;
    let sql = "INSERT INTO head_version (head_id, version_id, number) VALUES ($1, $2, $3)";
    tx.execute(sql, values![branch.head_row, id, number]).await?;
    Ok(VersionRow { id, number })
}
