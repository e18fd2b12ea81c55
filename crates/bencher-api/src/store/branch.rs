//! Branches as people see them, each with a head and a version.

use std::collections::HashMap;

use bencher_types::{
    BranchName, BranchUuid, DateTime, GitHash, HeadUuid, ProjectUuid, Slug,
    wire::dimension::{Branch, Head, StartPoint, UpdateBranch, Version},
};

use super::{
    Micros, Queries, Store, StoreError, Text, Tx, Value,
    dimension::{self, Changes, Dimension},
    head::{self, Beginning, VersionRow},
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
    pub(crate) head_replaced: Option<Micros>,
    pub(crate) version_row: Option<i64>,
    pub(crate) version_number: Option<i64>,
    pub(crate) version_hash: Option<Text<GitHash>>,
    start_branch: Option<Text<BranchUuid>>,
    start_head: Option<Text<HeadUuid>>,
    start_number: Option<i64>,
    start_hash: Option<Text<GitHash>>,
}

const COLUMNS: &str = "branch.*, head.id AS head_row, head.uuid AS head_uuid, head.created AS head_created, \
    head.replaced AS head_replaced, version.id AS version_row, version.number AS version_number, version.hash AS version_hash, \
    start_branch.uuid AS start_branch, start_head.uuid AS start_head, start_version.number AS start_number, \
    start_version.hash AS start_hash";

/// What is joined to `head`.
macro_rules! of_head {
    (newest_version) => {
        "LEFT JOIN version ON version.id = (SELECT newest.version_id FROM head_version AS newest \
         WHERE newest.head_id = head.id ORDER BY newest.number DESC LIMIT 1)"
    };
    (start_point) => {
        "LEFT JOIN head_version start_point ON start_point.id = head.start_point_id \
         LEFT JOIN head start_head ON start_head.id = start_point.head_id \
         LEFT JOIN branch start_branch ON start_branch.id = start_head.branch_id \
         LEFT JOIN version start_version ON start_version.id = start_point.version_id"
    };
}

/// A branch with each head that it ever had, and that head's newest version.
pub(crate) const EACH_HEAD: &str =
    concat!("branch JOIN head ON head.branch_id = branch.id ", of_head!(newest_version), " ", of_head!(start_point));

impl Dimension for BranchRow {
    const TABLE: &'static str = "branch";
    const KIND: &'static str = "Branch";
    const COLUMNS: &'static str = COLUMNS;
    const FROM: &'static str =
        concat!("branch JOIN head ON head.id = branch.head_id ", of_head!(newest_version), " ", of_head!(start_point));
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
    /// The branch at another version of its head, which has this hash.
    pub(crate) fn at(self, version: VersionRow, hash: Option<GitHash>) -> Self {
        Self { version_row: Some(version.id), version_number: Some(version.number), version_hash: hash.map(Text), ..self }
    }

    pub(crate) fn into_json(self, project: ProjectUuid) -> Result<Branch, StoreError> {
        let version = self.version_number.map(|number| version_of(number, self.version_hash)).transpose()?;
        let start_point = match (self.start_branch, self.start_head, self.start_number) {
            (Some(branch), Some(head), Some(number)) => {
                Some(StartPoint { branch: branch.0, head: head.0, version: version_of(number, self.start_hash)? })
            }
            _ => None,
        };
        Ok(Branch {
            uuid: self.uuid.0,
            project,
            name: self.name.0,
            slug: self.slug.0,
            head: Head {
                uuid: self.head_uuid.0,
                start_point,
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

fn version_of(number: i64, hash: Option<Text<GitHash>>) -> Result<Version, StoreError> {
    let number = u32::try_from(number).map_err(|_| StoreError::corrupt("version.number"))?;
    Ok(Version { number, hash: hash.map(|hash| hash.0) })
}

#[derive(sqlx::FromRow)]
struct OfReport {
    report_id: i64,
    #[sqlx(flatten)]
    branch: BranchRow,
}

impl Store {
    /// A branch as clients see it, with one of its heads instead of the current one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn branch_with_head(
        &self,
        project: &ProjectRow,
        branch: i64,
        head: HeadUuid,
    ) -> Result<Option<Branch>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM {EACH_HEAD} WHERE branch.id = $1 AND head.uuid = $2");
        let row: Option<BranchRow> = self.read().await?.optional(sql, values![branch, head]).await?;
        row.map(|row| row.into_json(project.uuid.0)).transpose()
    }
}

/// Creates a branch with a head that is empty or begins at a version of another one.
pub(crate) async fn create(
    tx: &mut Tx,
    project: i64,
    (name, slug): (&BranchName, Option<&Slug>),
    beginning: Option<Beginning<'_>>,
    now: DateTime,
) -> Result<BranchRow, StoreError> {
    let id = dimension::insert::<BranchRow>(tx, project, (name.as_str(), slug), None, now).await?;
    head::begin(tx, id, beginning, now).await?;
    dimension::by_id(tx, id).await
}

/// Changes what is named, but not the head.
pub(crate) async fn update(tx: &mut Tx, id: i64, update: &UpdateBranch, now: DateTime) -> Result<(), StoreError> {
    let changes =
        Changes { name: update.name.as_ref().map(BranchName::as_str), slug: update.slug.as_ref(), archived: update.archived };
    dimension::update::<BranchRow>(tx, id, &changes, now).await
}

/// The branches of reports, each with the head and version of the report, by the report's row.
pub(crate) async fn of_reports(
    conn: &mut impl Queries,
    project: ProjectUuid,
    reports: &[i64],
) -> Result<HashMap<i64, Branch>, StoreError> {
    let sql = format!(
        "SELECT report.id AS report_id, {COLUMNS} FROM report JOIN head ON head.id = report.head_id \
         JOIN branch ON branch.id = head.branch_id JOIN version ON version.id = report.version_id {} \
         WHERE report.id IN ({})",
        of_head!(start_point),
        placeholders(1, reports.len())
    );
    let rows: Vec<OfReport> = conn.all(sql, reports.iter().copied().map(Value::from).collect::<Vec<_>>()).await?;
    rows.into_iter().map(|row| Ok((row.report_id, row.branch.into_json(project)?))).collect()
}
