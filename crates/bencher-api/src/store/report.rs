//! Reports. What was measured is `metric.rs`'s.

use std::collections::{BTreeSet, HashMap};

use bencher_types::{
    DateTime, JobUuid, NameId, ReportIdempotencyKey, ReportUuid,
    wire::{
        adapter::Adapter,
        auth::PubUser,
        report::{Report, ReportCounts},
    },
};

use super::{
    Direction, ListQuery, Micros, Page, Queries, Store, StoreError, Text, Tx, Value, alert,
    branch::{self, BranchRow},
    dimension, metric, order, placeholders,
    project::ProjectRow,
    spec,
    testbed::TestbedRow,
    user::UserRow,
};
use crate::values;

/// A row of `report`, with the job that measured it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ReportRow {
    pub id: i64,
    pub uuid: Text<ReportUuid>,
    pub user_id: Option<i64>,
    pub testbed_id: i64,
    pub spec_id: Option<i64>,
    adapter: i64,
    pub start_time: Micros,
    pub end_time: Micros,
    pub created: Micros,
    pub job_uuid: Option<Text<JobUuid>>,
}

pub(super) const COLUMNS: &str = "report.*, job.uuid AS job_uuid";
pub(super) const FROM: &str = "report LEFT JOIN job ON job.report_id = report.id";

/// A report that is to be stored.
#[derive(Clone, Debug)]
pub(crate) struct NewReportRow {
    pub(crate) user: Option<i64>,
    pub(crate) project: i64,
    pub(crate) idempotency_key: Option<ReportIdempotencyKey>,
    pub(crate) head: i64,
    pub(crate) version: i64,
    pub(crate) testbed: i64,
    pub(crate) spec: Option<i64>,
    pub(crate) adapter: Adapter,
    pub(crate) start_time: DateTime,
    pub(crate) end_time: DateTime,
    pub(crate) created: DateTime,
}

/// Which reports a list shows.
#[derive(Clone, Debug, Default)]
pub struct ReportFilter {
    pub branch: Option<NameId>,
    pub testbed: Option<NameId>,
    /// Measured at this time or later.
    pub start_time: Option<DateTime>,
    /// Measured at this time or earlier.
    pub end_time: Option<DateTime>,
    /// Of archived branches and testbeds, instead of the others.
    pub archived: bool,
}

/// What became of a wish to delete a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    Done,
    /// Its job is waiting, running or being processed.
    JobUnderWay(JobUuid),
    Unknown,
}

/// How much of a report is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Only how many results there are.
    Counts,
    Results,
}

impl Store {
    /// One page of a project's reports, and how many there are.
    ///
    /// # Errors
    /// The database failed.
    pub async fn reports(
        &self,
        project: &ProjectRow,
        filter: &ReportFilter,
        direction: Direction,
        page: Page,
        detail: Detail,
    ) -> Result<(Vec<Report>, u64), StoreError> {
        let from = format!(
            "{FROM} JOIN head ON head.id = report.head_id JOIN branch ON branch.id = head.branch_id \
             JOIN testbed ON testbed.id = report.testbed_id"
        );
        let mut query = ListQuery::new(COLUMNS, from).filter("report.project_id = ?", project.id).when(if filter.archived {
            "(branch.archived IS NOT NULL OR testbed.archived IS NOT NULL)"
        } else {
            "branch.archived IS NULL AND testbed.archived IS NULL"
        });
        let mut conn = self.read().await?;
        // Looked up first: what is the name of one may be the slug of another.
        if let Some(id) = &filter.branch {
            let Some(branch) = dimension::find::<BranchRow>(&mut conn, project.id, id).await? else { return Ok((Vec::new(), 0)) };
            query = query.filter("branch.id = ?", branch.id);
        }
        if let Some(id) = &filter.testbed {
            let Some(testbed) = dimension::find::<TestbedRow>(&mut conn, project.id, id).await? else {
                return Ok((Vec::new(), 0));
            };
            query = query.filter("testbed.id = ?", testbed.id);
        }
        if let Some(time) = filter.start_time {
            query = query.filter("report.start_time >= ?", time);
        }
        if let Some(time) = filter.end_time {
            query = query.filter("report.end_time <= ?", time);
        }
        let (rows, total) = query.page::<ReportRow>(&mut conn, &order("report", "start_time", direction), page).await?;
        Ok((show(&mut conn, project, rows, detail).await?, total))
    }

    /// A project's report as clients see it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn report(&self, project: &ProjectRow, uuid: ReportUuid) -> Result<Option<Report>, StoreError> {
        let mut conn = self.read().await?;
        let sql = format!("SELECT {COLUMNS} FROM {FROM} WHERE report.project_id = $1 AND report.uuid = $2");
        match conn.optional::<ReportRow>(sql, values![project.id, uuid]).await? {
            Some(row) => Ok(show(&mut conn, project, vec![row], Detail::Results).await?.into_iter().next()),
            None => Ok(None),
        }
    }

    /// Deletes a project's report with its metrics and its job, unless the job is still to run.
    ///
    /// # Errors
    /// The database failed.
    pub async fn delete_report(&self, project: &ProjectRow, uuid: ReportUuid) -> Result<Deleted, StoreError> {
        #[derive(sqlx::FromRow)]
        struct Job {
            job: Text<JobUuid>,
        }

        let mut tx = self.begin().await?;
        let sql = "SELECT job.uuid AS job FROM job JOIN report ON report.id = job.report_id \
                   WHERE report.project_id = $1 AND report.uuid = $2 AND job.status IN (0, 1, 2, 3)";
        if let Some(Job { job }) = tx.optional(sql, values![project.id, uuid]).await? {
            return Ok(Deleted::JobUnderWay(job.0));
        }
        let changed = tx.execute("DELETE FROM report WHERE project_id = $1 AND uuid = $2", values![project.id, uuid]).await?;
        tx.commit().await?;
        Ok(if changed > 0 { Deleted::Done } else { Deleted::Unknown })
    }

    /// The report that a client made under this key.
    ///
    /// # Errors
    /// The database failed.
    pub async fn report_by_key(&self, project: i64, key: ReportIdempotencyKey) -> Result<Option<ReportUuid>, StoreError> {
        by_key(&mut self.read().await?, project, key).await
    }
}

/// The report that a client made under this key.
pub(crate) async fn by_key(
    conn: &mut impl Queries,
    project: i64,
    key: ReportIdempotencyKey,
) -> Result<Option<ReportUuid>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Made {
        uuid: Text<ReportUuid>,
    }

    let sql = "SELECT uuid FROM report WHERE project_id = $1 AND idempotency_key = $2".to_owned();
    Ok(conn.optional::<Made>(sql, values![project, key]).await?.map(|made| made.uuid.0))
}

/// Inserts a report without results.
pub(crate) async fn insert(tx: &mut Tx, new: &NewReportRow) -> Result<(i64, ReportUuid), StoreError> {
    let uuid = ReportUuid::random();
    let row: super::Id = tx
        .one(
            "INSERT INTO report (uuid, user_id, project_id, idempotency_key, head_id, version_id, testbed_id, spec_id, adapter, \
             start_time, end_time, created) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id",
            values![
                uuid,
                new.user,
                new.project,
                new.idempotency_key,
                new.head,
                new.version,
                new.testbed,
                new.spec,
                new.adapter.number(),
                new.start_time,
                new.end_time,
                new.created,
            ],
        )
        .await?;
    Ok((row.id, uuid))
}

/// When a job's results were measured.
pub(crate) async fn set_times(tx: &mut Tx, report: i64, start: DateTime, end: DateTime) -> Result<(), StoreError> {
    tx.execute("UPDATE report SET start_time = $2, end_time = $3 WHERE id = $1", values![report, start, end]).await?;
    Ok(())
}

/// Reports of one project as clients see them, in the same order.
pub(super) async fn show(
    conn: &mut impl Queries,
    project: &ProjectRow,
    rows: Vec<ReportRow>,
    detail: Detail,
) -> Result<Vec<Report>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let mut branches = branch::of_reports(conn, project.uuid.0, &ids).await?;
    let testbeds: HashMap<i64, TestbedRow> = dimension::by_ids(conn, rows.iter().map(|row| row.testbed_id)).await?;
    let specs = spec::by_ids(conn, rows.iter().filter_map(|row| row.spec_id)).await?;
    let users = users(conn, rows.iter().filter_map(|row| row.user_id)).await?;
    let mut results = match detail {
        Detail::Results => metric::results(conn, project, &ids).await?,
        Detail::Counts => HashMap::new(),
    };
    let mut alerts = match detail {
        Detail::Results => alert::of_reports(conn, project, &ids).await?,
        Detail::Counts => HashMap::new(),
    };
    // What is shown in full need not be counted by the database.
    let (mut counts, alert_counts) = match detail {
        Detail::Results => (
            results.iter().map(|(id, results)| (*id, metric::counted(results))).collect(),
            alerts.iter().map(|(id, alerts)| (*id, alert::counted(alerts))).collect(),
        ),
        Detail::Counts => (metric::counts(conn, &ids).await?, alert::counts(conn, &ids).await?),
    };
    rows.into_iter()
        .map(|row| {
            let testbed = testbeds.get(&row.testbed_id).cloned().ok_or(StoreError::corrupt("report.testbed_id"))?;
            let spec = row.spec_id.and_then(|id| specs.get(&id).cloned());
            let counts = ReportCounts {
                results: counts.remove(&row.id).unwrap_or_default(),
                alerts: alert_counts.get(&row.id).copied().unwrap_or_default(),
            };
            Ok(Report {
                uuid: row.uuid.0,
                user: row.user_id.and_then(|id| users.get(&id).cloned()),
                project: project.clone().into(),
                branch: branches.remove(&row.id).ok_or(StoreError::corrupt("report.head_id"))?,
                testbed: testbed.into_json(project.uuid.0, spec),
                adapter: Adapter::from_number(row.adapter).ok_or(StoreError::corrupt("report.adapter"))?,
                start_time: row.start_time.0,
                end_time: row.end_time.0,
                results: (detail == Detail::Results).then(|| results.remove(&row.id).unwrap_or_default()),
                alerts: (detail == Detail::Results).then(|| alerts.remove(&row.id).unwrap_or_default()),
                counts: Some(counts),
                job: row.job_uuid.map(|uuid| uuid.0),
                created: row.created.0,
            })
        })
        .collect()
}

async fn users(conn: &mut impl Queries, ids: impl Iterator<Item = i64>) -> Result<HashMap<i64, PubUser>, StoreError> {
    let ids: BTreeSet<i64> = ids.collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!("SELECT * FROM users WHERE id IN ({})", placeholders(1, ids.len()));
    let rows: Vec<UserRow> = conn.all(sql, ids.into_iter().map(Value::from).collect::<Vec<_>>()).await?;
    Ok(rows.into_iter().map(|row| (row.id, PubUser::from(row))).collect())
}
