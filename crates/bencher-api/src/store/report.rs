//! Reports. What was measured is `metric.rs`'s.

use std::collections::HashMap;

use bencher_types::{
    DateTime, JobUuid, NameId, ReportIdempotencyKey, ReportUuid,
    wire::{
        adapter::Adapter,
        alert::Alert,
        auth::PubUser,
        change_point::ReportChangePoint,
        dimension::Branch,
        report::{Report, ReportCounts, ReportProblem, ReportResult},
        spec::Spec,
    },
};

use super::{
    Direction, ListQuery, Micros, Page, Queries, Store, StoreError, Text, Tx, alert,
    branch::{self, BranchRow},
    change_point, dimension, metric, order,
    project::ProjectRow,
    spec,
    testbed::TestbedRow,
    user,
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
    problems: Option<String>,
    pub job_uuid: Option<Text<JobUuid>>,
}

/// What a report is shown with, beside its own row.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) user: Option<PubUser>,
    /// With the head and the version of the report.
    pub(crate) branch: Branch,
    pub(crate) testbed: TestbedRow,
    pub(crate) spec: Option<Spec>,
    /// What could not be read.
    pub(crate) problems: Vec<ReportProblem>,
    pub(crate) content: Content,
}

/// What of the content of a report is shown.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Counts(ReportCounts),
    Full { results: Vec<Vec<ReportResult>>, alerts: Vec<Alert>, change_points: Vec<ReportChangePoint> },
}

impl ReportRow {
    fn problems(&self) -> Result<Vec<ReportProblem>, StoreError> {
        let problems = self.problems.as_deref().map(serde_json::from_str).transpose();
        Ok(problems.map_err(|_| StoreError::corrupt("report.problems"))?.unwrap_or_default())
    }

    /// The report as clients see it.
    pub(crate) fn into_json(self, project: &ProjectRow, parts: Parts) -> Result<Report, StoreError> {
        let Parts { user, branch, testbed, spec, problems, content } = parts;
        let (counts, results, alerts, change_points) = match content {
            Content::Counts(counts) => (counts, None, None, Vec::new()),
            // What is shown in full need not be counted by the database.
            Content::Full { results, alerts, change_points } => {
                let counts = ReportCounts { results: metric::counted(&results), alerts: alert::counted(&alerts) };
                (counts, Some(results), Some(alerts), change_points)
            }
        };
        Ok(Report {
            uuid: self.uuid.0,
            user,
            project: project.clone().into(),
            branch,
            testbed: testbed.into_json(project.uuid.0, spec),
            adapter: Adapter::from_number(self.adapter).ok_or(StoreError::corrupt("report.adapter"))?,
            start_time: self.start_time.0,
            end_time: self.end_time.0,
            results,
            alerts,
            change_points: (!change_points.is_empty()).then_some(change_points),
            counts: Some(counts),
            problems: (!problems.is_empty()).then_some(problems),
            job: self.job_uuid.map(|uuid| uuid.0),
            created: self.created.0,
            repeated: None,
        })
    }
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
        change_point::series::due_without(&mut tx, project.id, uuid).await?;
        let changed = tx.execute("DELETE FROM report WHERE project_id = $1 AND uuid = $2", values![project.id, uuid]).await?;
        tx.commit().await?;
        Ok(if changed > 0 { Deleted::Done } else { Deleted::Unknown })
    }

    /// The report that a client made under this key.
    ///
    /// # Errors
    /// The database failed.
    pub async fn report_by_key(&self, project: i64, key: ReportIdempotencyKey) -> Result<Option<ReportUuid>, StoreError> {
        #[derive(sqlx::FromRow)]
        struct Made {
            uuid: Text<ReportUuid>,
        }

        let sql = "SELECT uuid FROM report WHERE project_id = $1 AND idempotency_key = $2";
        Ok(self.read().await?.optional::<Made>(sql, values![project, key]).await?.map(|made| made.uuid.0))
    }
}

/// Inserts a report without results. `None` where there is one of the same key: then nothing may be committed.
pub(crate) async fn insert(tx: &mut Tx, new: &NewReportRow) -> Result<Option<ReportRow>, StoreError> {
    let uuid = ReportUuid::random();
    let inserted: Option<super::Id> = tx
        .optional(
            "INSERT INTO report (uuid, user_id, project_id, idempotency_key, head_id, version_id, testbed_id, spec_id, adapter, \
             start_time, end_time, created) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
             ON CONFLICT (project_id, idempotency_key) DO NOTHING RETURNING id",
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
    Ok(inserted.map(|row| ReportRow {
        id: row.id,
        uuid: Text(uuid),
        user_id: new.user,
        testbed_id: new.testbed,
        spec_id: new.spec,
        adapter: new.adapter.number(),
        start_time: Micros(new.start_time),
        end_time: Micros(new.end_time),
        created: Micros(new.created),
        problems: None,
        job_uuid: None,
    }))
}

/// When a job's results were measured.
pub(crate) async fn set_times(tx: &mut Tx, report: i64, start: DateTime, end: DateTime) -> Result<(), StoreError> {
    tx.execute("UPDATE report SET start_time = $2, end_time = $3 WHERE id = $1", values![report, start, end]).await?;
    Ok(())
}

/// What could not be read of a report's results.
pub(crate) async fn set_problems(tx: &mut Tx, report: i64, problems: &[ReportProblem]) -> Result<(), StoreError> {
    let problems = serde_json::to_string(problems).expect("numbers and texts are JSON");
    tx.execute("UPDATE report SET problems = $2 WHERE id = $1", values![report, problems]).await?;
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
    let users = user::by_ids(conn, rows.iter().filter_map(|row| row.user_id)).await?;
    let mut results = match detail {
        Detail::Results => metric::results(conn, project, &ids).await?,
        Detail::Counts => HashMap::new(),
    };
    let mut alerts = match detail {
        Detail::Results => alert::of_reports(conn, project, &ids).await?,
        Detail::Counts => HashMap::new(),
    };
    let mut change_points = match detail {
        Detail::Results => change_point::of_reports(conn, project, &ids).await?,
        Detail::Counts => HashMap::new(),
    };
    let (mut counts, alert_counts) = match detail {
        Detail::Results => (HashMap::new(), HashMap::new()),
        Detail::Counts => (metric::counts(conn, &ids).await?, alert::counts(conn, &ids).await?),
    };
    rows.into_iter()
        .map(|row| {
            let testbed = testbeds.get(&row.testbed_id).cloned().ok_or(StoreError::corrupt("report.testbed_id"))?;
            let content = match detail {
                Detail::Results => Content::Full {
                    results: results.remove(&row.id).unwrap_or_default(),
                    alerts: alerts.remove(&row.id).unwrap_or_default(),
                    change_points: change_points.remove(&row.id).unwrap_or_default(),
                },
                Detail::Counts => Content::Counts(ReportCounts {
                    results: counts.remove(&row.id).unwrap_or_default(),
                    alerts: alert_counts.get(&row.id).copied().unwrap_or_default(),
                }),
            };
            let parts = Parts {
                user: row.user_id.and_then(|id| users.get(&id).cloned()),
                branch: branches.remove(&row.id).ok_or(StoreError::corrupt("report.head_id"))?,
                testbed,
                spec: row.spec_id.and_then(|id| specs.get(&id).cloned()),
                problems: row.problems()?,
                content,
            };
            row.into_json(project, parts)
        })
        .collect()
}
