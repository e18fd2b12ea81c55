//! Branches, their heads and versions.

use std::collections::HashMap;

use bencher_types::{
    BranchName, BranchUuid, DateTime, GitHash, HeadUuid, ProjectUuid, Slug,
    wire::dimension::{Branch, Head, NewBranch, UpdateBranch, Version},
};
use uuid::Uuid;

use super::{
    Id, Micros, Queries, Store, StoreError, Text, Tx, Value,
    dimension::{self, Changes, Dimension},
    placeholders,
    project::ProjectRow,
};
use crate::values;

/// A row of `branch` with its current head and that head's newest version; or with the head and version of a report.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct BranchRow {
    pub id: i64,
    pub uuid: Text<BranchUuid>,
    pub name: Text<BranchName>,
    pub slug: Text<Slug>,
    pub archived: Option<Micros>,
    pub created: Micros,
    pub modified: Micros,
    pub head_row: i64,
    head_uuid: Text<HeadUuid>,
    head_created: Micros,
    head_replaced: Option<Micros>,
    version_number: Option<i64>,
    version_hash: Option<Text<GitHash>>,
}

const COLUMNS: &str = "branch.*, head.id AS head_row, head.uuid AS head_uuid, head.created AS head_created, \
    head.replaced AS head_replaced, version.number AS version_number, version.hash AS version_hash";

impl Dimension for BranchRow {
    const TABLE: &'static str = "branch";
    const KIND: &'static str = "Branch";
    const COLUMNS: &'static str = COLUMNS;
    const FROM: &'static str = "branch JOIN head ON head.id = branch.head_id LEFT JOIN version ON version.id = \
        (SELECT v.id FROM head_version JOIN version v ON v.id = head_version.version_id \
         WHERE head_version.head_id = head.id ORDER BY v.number DESC LIMIT 1)";
    type Json = Branch;

    fn id(&self) -> i64 {
        self.id
    }

    fn archived(&self) -> bool {
        self.archived.is_some()
    }

    async fn json(_: &mut impl Queries, project: ProjectUuid, rows: Vec<Self>) -> Result<Vec<Branch>, StoreError> {
        rows.into_iter().map(|row| row.into_json(project)).collect()
    }
}

impl BranchRow {
    fn into_json(self, project: ProjectUuid) -> Result<Branch, StoreError> {
        let version = match self.version_number {
            Some(number) => Some(Version {
                number: u32::try_from(number).map_err(|_| StoreError::corrupt("version.number"))?,
                hash: self.version_hash.map(|hash| hash.0),
            }),
            None => None,
        };
        Ok(Branch {
            uuid: self.uuid.0,
            project,
            name: self.name.0,
            slug: self.slug.0,
            head: Head {
                uuid: self.head_uuid.0,
                start_point: None,
                version,
                created: self.head_created.0,
                replaced: self.head_replaced.map(|time| time.0),
            },
            created: self.created.0,
            modified: self.modified.0,
            archived: self.archived.map(|time| time.0),
        })
    }
}

#[derive(sqlx::FromRow)]
struct OfReport {
    report_id: i64,
    #[sqlx(flatten)]
    branch: BranchRow,
}

impl Store {
    /// A branch with one of its heads, which need not be the current one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn branch_with_head(&self, branch: i64, head: HeadUuid) -> Result<Option<BranchRow>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM branch JOIN head ON head.branch_id = branch.id LEFT JOIN version ON version.id = \
             (SELECT v.id FROM head_version JOIN version v ON v.id = head_version.version_id \
              WHERE head_version.head_id = head.id ORDER BY v.number DESC LIMIT 1) \
             WHERE branch.id = $1 AND head.uuid = $2"
        );
        self.read().await?.optional(sql, values![branch, head]).await
    }

    /// Creates a branch with an empty head.
    ///
    /// # Errors
    /// The name or slug is taken, or the database failed.
    pub async fn create_branch(&self, project: &ProjectRow, new: &NewBranch, now: DateTime) -> Result<Branch, StoreError> {
        let mut tx = self.begin().await?;
        let row = create(&mut tx, project.id, &new.name, new.slug.as_ref(), now).await?;
        tx.commit().await?;
        row.into_json(project.uuid.0)
    }

    /// Changes what is named, and returns the branch as it is then.
    ///
    /// # Errors
    /// The name or slug is taken, or the database failed.
    pub async fn update_branch(
        &self,
        project: &ProjectRow,
        id: i64,
        update: &UpdateBranch,
        now: DateTime,
    ) -> Result<Branch, StoreError> {
        let mut tx = self.begin().await?;
        let changes =
            Changes { name: update.name.as_ref().map(BranchName::as_str), slug: update.slug.as_ref(), archived: update.archived };
        dimension::update::<BranchRow>(&mut tx, id, &changes, now).await?;
        let row: BranchRow = dimension::by_id(&mut tx, id).await?;
        tx.commit().await?;
        row.into_json(project.uuid.0)
    }
}

/// Creates a branch with an empty head.
pub(crate) async fn create(
    tx: &mut Tx,
    project: i64,
    name: &BranchName,
    slug: Option<&Slug>,
    now: DateTime,
) -> Result<BranchRow, StoreError> {
    let id = dimension::insert::<BranchRow>(tx, project, (name.as_str(), slug), None, now).await?;
    let head: Id = tx
        .one("INSERT INTO head (uuid, branch_id, created) VALUES ($1, $2, $3) RETURNING id", values![HeadUuid::random(), id, now])
        .await?;
    tx.execute("UPDATE branch SET head_id = $2 WHERE id = $1", values![id, head.id]).await?;
    dimension::by_id(tx, id).await
}

/// The head's version of this hash; the next one where it has none, or where there is no hash to know it by.
///
/// The caller has locked the project, so that no number is given twice.
pub(crate) async fn version(tx: &mut Tx, project: i64, head: i64, hash: Option<&GitHash>) -> Result<i64, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Newest {
        number: Option<i64>,
    }

    const OF_HEAD: &str = "version JOIN head_version ON head_version.version_id = version.id WHERE head_version.head_id = $1";
    if let Some(hash) = hash {
        let sql = format!("SELECT version.id FROM {OF_HEAD} AND version.hash = $2 ORDER BY version.number DESC LIMIT 1");
        if let Some(Id { id }) = tx.optional(sql, values![head, hash]).await? {
            return Ok(id);
        }
    }
    let newest: Newest = tx.one(format!("SELECT MAX(version.number) AS number FROM {OF_HEAD}"), values![head]).await?;
    let version: Id = tx
        .one(
            "INSERT INTO version (uuid, project_id, number, hash) VALUES ($1, $2, $3, $4) RETURNING id",
            values![Uuid::new_v4().to_string(), project, newest.number.map_or(0, |number| number + 1), hash],
        )
        .await?;
    tx.execute("INSERT INTO head_version (head_id, version_id) VALUES ($1, $2)", values![head, version.id]).await?;
    Ok(version.id)
}

/// The branches of reports, each with the head and version of the report, by the report's row.
pub(crate) async fn of_reports(
    conn: &mut impl Queries,
    project: ProjectUuid,
    reports: &[i64],
) -> Result<HashMap<i64, Branch>, StoreError> {
    let sql = format!(
        "SELECT report.id AS report_id, {COLUMNS} FROM report JOIN head ON head.id = report.head_id \
         JOIN branch ON branch.id = head.branch_id JOIN version ON version.id = report.version_id \
         WHERE report.id IN ({})",
        placeholders(1, reports.len())
    );
    let rows: Vec<OfReport> = conn.all(sql, reports.iter().copied().map(Value::from).collect::<Vec<_>>()).await?;
    rows.into_iter().map(|row| Ok((row.report_id, row.branch.into_json(project)?))).collect()
}
