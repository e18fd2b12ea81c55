//! Alerts: metrics outside of a limit, and what people made of them.

use std::collections::HashMap;

use bencher_types::{
    AlertUuid, DateTime, MetricUuid, ReportUuid,
    wire::{
        alert::{Alert, AlertStatus, Boundary, BoundaryLimit, PerfAlert, UpdateAlertStatus},
        report::{AlertCounts, Metric},
        threshold::Threshold,
    },
};

use super::{
    Direction, ListQuery, Micros, Page, Queries, Store, StoreError, Text, Tx, Value, benchmark::BenchmarkRow, branch, dimension,
    measure::MeasureRow, order, placeholders, project::ProjectRow, spec, testbed::TestbedRow, threshold,
};
use crate::values;

/// A row of `alert`, with its metric and what of its report is shown.
#[derive(Clone, Debug, sqlx::FromRow)]
struct AlertRow {
    uuid: Text<AlertUuid>,
    report_id: i64,
    report_uuid: Text<ReportUuid>,
    report_testbed: i64,
    report_spec: Option<i64>,
    model_id: i64,
    boundary_limit: String,
    status: String,
    created: Micros,
    modified: Micros,
    metric_uuid: Text<MetricUuid>,
    value: f64,
    lower_value: Option<f64>,
    upper_value: Option<f64>,
    baseline: Option<f64>,
    lower_limit: Option<f64>,
    upper_limit: Option<f64>,
    iteration: i64,
    benchmark_id: i64,
}

const COLUMNS: &str = "alert.uuid, alert.report_id, report.uuid AS report_uuid, report.testbed_id AS report_testbed, \
    report.spec_id AS report_spec, alert.model_id, alert.boundary_limit, alert.status, alert.created, alert.modified, \
    metric.uuid AS metric_uuid, metric.value, metric.lower_value, metric.upper_value, metric.baseline, metric.lower_limit, \
    metric.upper_limit, report_benchmark.iteration, report_benchmark.benchmark_id";
const FROM: &str = "alert JOIN report ON report.id = alert.report_id JOIN metric ON metric.id = alert.metric_id \
    JOIN report_benchmark ON report_benchmark.id = metric.report_benchmark_id";

/// Which alerts a list shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct AlertFilter {
    pub status: Option<AlertStatus>,
    /// Of archived branches, testbeds, benchmarks and measures, instead of the others.
    pub archived: bool,
}

/// An alert that is to be stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewAlert {
    pub(crate) metric: i64,
    pub(crate) model: i64,
    pub(crate) limit: BoundaryLimit,
    pub(crate) status: AlertStatus,
}

impl Store {
    /// One page of a project's alerts by one of their times, and how many there are.
    ///
    /// # Errors
    /// The database failed.
    pub async fn alerts(
        &self,
        project: &ProjectRow,
        filter: &AlertFilter,
        (column, direction): (&'static str, Direction),
        page: Page,
    ) -> Result<(Vec<Alert>, u64), StoreError> {
        let from = format!(
            "{FROM} JOIN head ON head.id = report.head_id JOIN branch ON branch.id = head.branch_id \
             JOIN testbed ON testbed.id = report.testbed_id JOIN benchmark ON benchmark.id = report_benchmark.benchmark_id \
             JOIN measure ON measure.id = metric.measure_id"
        );
        let tables = ["branch", "testbed", "benchmark", "measure"];
        let condition = if filter.archived {
            format!("({})", tables.map(|table| format!("{table}.archived IS NOT NULL")).join(" OR "))
        } else {
            tables.map(|table| format!("{table}.archived IS NULL")).join(" AND ")
        };
        let mut query = ListQuery::new(COLUMNS, from).filter("alert.project_id = ?", project.id).when(&condition);
        if let Some(status) = filter.status {
            query = query.filter("alert.status = ?", status.as_str());
        }
        let mut conn = self.read().await?;
        let (rows, total) = query.page::<AlertRow>(&mut conn, &order("alert", column, direction), page).await?;
        Ok((show(&mut conn, project, rows).await?, total))
    }

    /// A project's alert.
    ///
    /// # Errors
    /// The database failed.
    pub async fn alert(&self, project: &ProjectRow, uuid: AlertUuid) -> Result<Option<Alert>, StoreError> {
        let mut conn = self.read().await?;
        let sql = format!("SELECT {COLUMNS} FROM {FROM} WHERE alert.project_id = $1 AND alert.uuid = $2");
        match conn.optional::<AlertRow>(sql, values![project.id, uuid]).await? {
            Some(row) => Ok(show(&mut conn, project, vec![row]).await?.into_iter().next()),
            None => Ok(None),
        }
    }

    /// Gives a project's alert another status; whether there is such an alert.
    ///
    /// # Errors
    /// The database failed.
    pub async fn set_alert_status(
        &self,
        project: &ProjectRow,
        uuid: AlertUuid,
        status: UpdateAlertStatus,
        now: DateTime,
    ) -> Result<bool, StoreError> {
        let status = match status {
            UpdateAlertStatus::Active => AlertStatus::Active,
            UpdateAlertStatus::Dismissed => AlertStatus::Dismissed,
        };
        let mut tx = self.begin().await?;
        let sql = "UPDATE alert SET status = $3, modified = $4 WHERE project_id = $1 AND uuid = $2";
        let changed = tx.execute(sql, values![project.id, uuid, status.as_str(), now]).await?;
        tx.commit().await?;
        Ok(changed > 0)
    }
}

/// Stores the alerts of one report.
pub(crate) async fn insert(
    tx: &mut Tx,
    (project, report): (i64, i64),
    alerts: &[NewAlert],
    now: DateTime,
) -> Result<(), StoreError> {
    let rows = alerts.iter().map(|new| {
        let (limit, status) = (new.limit.as_str(), new.status.as_str());
        values![AlertUuid::random(), project, report, new.metric, new.model, limit, status, now, now]
    });
    let columns = ["uuid", "project_id", "report_id", "metric_id", "model_id", "boundary_limit", "status", "created", "modified"];
    tx.insert_all("alert", &columns, rows.collect()).await
}

/// The alerts of reports, by report, in the order in which they were raised.
pub(crate) async fn of_reports(
    conn: &mut impl Queries,
    project: &ProjectRow,
    reports: &[i64],
) -> Result<HashMap<i64, Vec<Alert>>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM {FROM} WHERE alert.report_id IN ({}) ORDER BY alert.report_id, alert.id",
        placeholders(1, reports.len())
    );
    let rows: Vec<AlertRow> = conn.all(sql, reports.iter().copied().map(Value::from).collect::<Vec<_>>()).await?;
    let of: Vec<i64> = rows.iter().map(|row| row.report_id).collect();
    let mut alerts: HashMap<i64, Vec<Alert>> = HashMap::new();
    for (report, alert) in of.into_iter().zip(show(conn, project, rows).await?) {
        alerts.entry(report).or_default().push(alert);
    }
    Ok(alerts)
}

/// How many alerts reports have, by report; nothing of those that have none.
pub(crate) async fn counts(conn: &mut impl Queries, reports: &[i64]) -> Result<HashMap<i64, AlertCounts>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        report_id: i64,
        total: i64,
        active: i64,
    }

    let sql = format!(
        "SELECT report_id, COUNT(*) AS total, COUNT(CASE WHEN status = 'active' THEN 1 END) AS active FROM alert \
         WHERE report_id IN ({}) GROUP BY report_id",
        placeholders(1, reports.len())
    );
    let rows: Vec<Row> = conn.all(sql, reports.iter().copied().map(Value::from).collect::<Vec<_>>()).await?;
    let number = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
    let counts = |row: Row| (row.report_id, AlertCounts { total: number(row.total), active: number(row.active) });
    Ok(rows.into_iter().map(counts).collect())
}

/// As [`counts`], of the alerts of one report that are at hand.
pub(crate) fn counted(alerts: &[Alert]) -> AlertCounts {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let active = alerts.iter().filter(|alert| alert.status == AlertStatus::Active).count();
    AlertCounts { total: number(alerts.len()), active: number(active) }
}

/// The alert of a metric.
pub(crate) async fn of_metric(conn: &mut impl Queries, metric: MetricUuid) -> Result<Option<PerfAlert>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM {FROM} WHERE metric.uuid = $1");
    let row: Option<AlertRow> = conn.optional(sql, values![metric]).await?;
    row.map(|row| beside_metric(row.uuid.0, &row.boundary_limit, &row.status, row.modified.0)).transpose()
}

/// An alert as it is shown beside its metric.
pub(crate) fn beside_metric(uuid: AlertUuid, limit: &str, status: &str, modified: DateTime) -> Result<PerfAlert, StoreError> {
    Ok(PerfAlert { uuid, limit: limit_of(limit)?, status: status_of(status)?, modified })
}

fn limit_of(text: &str) -> Result<BoundaryLimit, StoreError> {
    let known = [BoundaryLimit::Lower, BoundaryLimit::Upper];
    known.into_iter().find(|known| known.as_str() == text).ok_or(StoreError::corrupt("alert.boundary_limit"))
}

fn status_of(text: &str) -> Result<AlertStatus, StoreError> {
    let known = [AlertStatus::Active, AlertStatus::Dismissed, AlertStatus::Silenced];
    known.into_iter().find(|known| known.as_str() == text).ok_or(StoreError::corrupt("alert.status"))
}

/// Alerts of one project as clients see them, in the same order: each with its threshold as it stood, on the head and the spec of the
/// report.
async fn show(conn: &mut impl Queries, project: &ProjectRow, rows: Vec<AlertRow>) -> Result<Vec<Alert>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut reports: Vec<i64> = rows.iter().map(|row| row.report_id).collect();
    reports.sort_unstable();
    reports.dedup();
    let branches = branch::of_reports(conn, project.uuid.0, &reports).await?;
    let testbeds: HashMap<i64, TestbedRow> = dimension::by_ids(conn, rows.iter().map(|row| row.report_testbed)).await?;
    let specs = spec::by_ids(conn, rows.iter().filter_map(|row| row.report_spec)).await?;
    let benchmarks: HashMap<i64, BenchmarkRow> = dimension::by_ids(conn, rows.iter().map(|row| row.benchmark_id)).await?;
    let thresholds = threshold::of_models(conn, rows.iter().map(|row| row.model_id)).await?;
    let measures: HashMap<i64, MeasureRow> = dimension::by_ids(conn, thresholds.values().map(|row| row.measure_id)).await?;
    rows.into_iter()
        .map(|row| {
            let threshold = thresholds.get(&row.model_id).ok_or(StoreError::corrupt("alert.model_id"))?;
            let branch = branches.get(&row.report_id).cloned().ok_or(StoreError::corrupt("alert.report_id"))?;
            let testbed = testbeds.get(&row.report_testbed).cloned().ok_or(StoreError::corrupt("report.testbed_id"))?;
            let measure = measures.get(&threshold.measure_id).cloned().ok_or(StoreError::corrupt("threshold.measure_id"))?;
            let benchmark =
                benchmarks.get(&row.benchmark_id).cloned().ok_or(StoreError::corrupt("report_benchmark.benchmark_id"))?;
            let spec = row.report_spec.and_then(|id| specs.get(&id).cloned());
            Ok(Alert {
                uuid: row.uuid.0,
                report: row.report_uuid.0,
                iteration: u32::try_from(row.iteration).map_err(|_| StoreError::corrupt("report_benchmark.iteration"))?,
                benchmark: benchmark.into_json(project.uuid.0),
                metric: Metric {
                    uuid: row.metric_uuid.0,
                    value: row.value,
                    lower_value: row.lower_value,
                    upper_value: row.upper_value,
                },
                threshold: Threshold {
                    uuid: threshold.uuid.0,
                    project: project.uuid.0,
                    branch,
                    testbed: testbed.into_json(project.uuid.0, spec),
                    measure: measure.into_json(project.uuid.0),
                    model: threshold.model()?.map(|(_, model)| model),
                    created: threshold.created.0,
                    modified: threshold.modified.0,
                },
                boundary: Boundary { baseline: row.baseline, lower_limit: row.lower_limit, upper_limit: row.upper_limit },
                limit: limit_of(&row.boundary_limit)?,
                status: status_of(&row.status)?,
                created: row.created.0,
                modified: row.modified.0,
            })
        })
        .collect()
}
