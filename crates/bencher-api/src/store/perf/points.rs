//! The points of series, whatever form they are shown in. Values come from the index of series alone; everything else of a point is
//! read only where it is asked for, and what points share (reports, thresholds) once.

use std::collections::{HashMap, HashSet};

use bencher_types::{
    AlertUuid, DateTime, GitHash, MetricUuid, ReportUuid,
    wire::{alert::PerfAlert, dimension::Version, threshold::ThresholdModel},
};

use super::{PerfError, Scope};
use crate::store::{
    Among, Micros, Queries, ReadConn, StoreError, Text, Value, alert, among, list, project::ProjectRow, threshold,
};

/// The rows of a series: of its head, testbed, benchmark and measure.
pub(super) type Key = [i64; 4];

/// What points have beside their values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Nothing.
    Values,
    /// Bounds, thresholds, alerts and UUIDs.
    Everything,
}

/// A report that a point is of.
#[derive(Clone, Debug)]
pub(super) struct ReportOfPoints {
    pub(super) uuid: ReportUuid,
    pub(super) start_time: DateTime,
    pub(super) end_time: DateTime,
    pub(super) version: Version,
}

/// One point of a series.
#[derive(Clone, Debug)]
pub(super) struct Point {
    /// The place of its report.
    pub(super) report: usize,
    pub(super) iteration: u32,
    /// The row of the spec that it was measured on.
    pub(super) spec: Option<i64>,
    pub(super) value: f64,
    pub(super) more: Option<More>,
}

/// What a point has beside its value.
#[derive(Clone, Debug)]
pub(super) struct More {
    pub(super) uuid: MetricUuid,
    pub(super) lower_value: Option<f64>,
    pub(super) upper_value: Option<f64>,
    /// The place of the threshold that it was checked with.
    pub(super) threshold: Option<usize>,
    pub(super) baseline: Option<f64>,
    pub(super) lower_limit: Option<f64>,
    pub(super) upper_limit: Option<f64>,
    pub(super) alert: Option<PerfAlert>,
}

/// Everything that a query found.
#[derive(Clone, Debug, Default)]
pub(super) struct Points {
    /// In the order of points: by version, then by time.
    pub(super) reports: Vec<ReportOfPoints>,
    pub(super) thresholds: Vec<ThresholdModel>,
    /// The points of each series that shows them, the oldest first.
    pub(super) of_series: HashMap<Key, Vec<Point>>,
}

#[derive(Clone, Debug, sqlx::FromRow)]
struct MetricRow {
    head_id: i64,
    testbed_id: i64,
    benchmark_id: i64,
    measure_id: i64,
    report_id: i64,
    iteration: i64,
    spec_id: Option<i64>,
    value: f64,
}

const VALUES: &str = "metric.head_id, metric.testbed_id, metric.benchmark_id, metric.measure_id, metric.report_id, metric.iteration, \
    metric.spec_id, metric.value";

#[derive(Clone, Debug, sqlx::FromRow)]
struct DetailedRow {
    #[sqlx(flatten)]
    metric: MetricRow,
    uuid: Text<MetricUuid>,
    lower_value: Option<f64>,
    upper_value: Option<f64>,
    model_id: Option<i64>,
    baseline: Option<f64>,
    lower_limit: Option<f64>,
    upper_limit: Option<f64>,
}

const DETAILS: &str = "metric.uuid, metric.lower_value, metric.upper_value, metric.model_id, metric.baseline, metric.lower_limit, \
    metric.upper_limit";

impl MetricRow {
    const fn key(&self) -> Key {
        [self.head_id, self.testbed_id, self.benchmark_id, self.measure_id]
    }
}

impl Points {
    /// Reads the points of a query that were measured in a span of time; more than `most` are refused.
    pub(super) async fn read(
        conn: &mut ReadConn,
        (project, scope): (&ProjectRow, &Scope),
        span: (Option<DateTime>, Option<DateTime>),
        (detail, most): (Detail, usize),
    ) -> Result<Self, PerfError> {
        let (condition, values) = condition(conn, scope, span, most);
        let (rows, details): (Vec<MetricRow>, Vec<DetailedRow>) = match detail {
            Detail::Values => (conn.all(format!("SELECT {VALUES} {condition}"), values).await?, Vec::new()),
            Detail::Everything => (Vec::new(), conn.all(format!("SELECT {VALUES}, {DETAILS} {condition}"), values).await?),
        };
        if rows.len().max(details.len()) > most {
            return Err(PerfError::TooManyPoints(most));
        }
        let metrics = || rows.iter().chain(details.iter().map(|row| &row.metric));
        let (reports, places) = reports(conn, metrics().map(|row| row.report_id).collect()).await?;
        let (thresholds, models) = thresholds(conn, project, &details).await?;
        let mut alerts = if details.is_empty() { HashMap::new() } else { alerts(conn, &places).await? };

        let mut points = Self { reports, thresholds, of_series: HashMap::new() };
        for row in rows {
            points.add(scope, &places, &row, None)?;
        }
        for DetailedRow { metric, uuid, lower_value, upper_value, model_id, baseline, lower_limit, upper_limit } in details {
            let alert = if alerts.is_empty() { None } else { alerts.remove(&(metric.key(), metric.report_id, metric.iteration)) };
            let threshold = model_id.and_then(|model| models.get(&model).copied());
            let more = More { uuid: uuid.0, lower_value, upper_value, threshold, baseline, lower_limit, upper_limit, alert };
            points.add(scope, &places, &metric, Some(more))?;
        }
        for points in points.of_series.values_mut() {
            points.sort_by_key(|point| (point.report, point.iteration));
        }
        Ok(points)
    }

    /// Adds a point to every series that shows it.
    fn add(
        &mut self,
        scope: &Scope,
        places: &HashMap<i64, usize>,
        row: &MetricRow,
        more: Option<More>,
    ) -> Result<(), StoreError> {
        // A report that was deleted between two statements takes its points with it.
        let Some(report) = places.get(&row.report_id).copied() else { return Ok(()) };
        let iteration = u32::try_from(row.iteration).map_err(|_| StoreError::corrupt("metric.iteration"))?;
        let version = i64::from(self.reports[report].version.number);
        let point = Point { report, iteration, spec: row.spec_id, value: row.value, more };
        for head in scope.lineages.showing(row.head_id, version) {
            let series = self.of_series.entry([head, row.testbed_id, row.benchmark_id, row.measure_id]).or_default();
            series.push(point.clone());
        }
        Ok(())
    }
}

/// The end of a statement that reads metrics, and its values.
fn condition(
    conn: &mut ReadConn,
    scope: &Scope,
    (start, end): (Option<DateTime>, Option<DateTime>),
    most: usize,
) -> (String, Vec<Value>) {
    let mut values = Vec::new();
    let mut conditions = vec![scope.condition(conn, &mut values)];
    if let Some(start) = start {
        values.push(start.into());
        conditions.push(format!("metric.start_time >= ${}", values.len()));
    }
    if let Some(end) = end {
        values.push(end.into());
        conditions.push(format!("(SELECT report.end_time FROM report WHERE report.id = metric.report_id) <= ${}", values.len()));
    }
    values.push(Value::from(i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1)));
    (format!("FROM metric WHERE {} LIMIT ${}", conditions.join(" AND "), values.len()), values)
}

/// Reports in the order of points, and the place of each row.
async fn reports(conn: &mut ReadConn, ids: HashSet<i64>) -> Result<(Vec<ReportOfPoints>, HashMap<i64, usize>), StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        id: i64,
        uuid: Text<ReportUuid>,
        start_time: Micros,
        end_time: Micros,
        number: i64,
        hash: Option<Text<GitHash>>,
    }

    let wanted = among(conn, "report.id", Among::Integers, 1);
    let sql = format!(
        "SELECT report.id, report.uuid, report.start_time, report.end_time, version.number, version.hash \
         FROM report JOIN version ON version.id = report.version_id WHERE {wanted}"
    );
    let mut rows: Vec<Row> = conn.all(sql, vec![list(ids)]).await?;
    rows.sort_by_key(|row| (row.number, row.start_time.0, row.id));
    let places = rows.iter().enumerate().map(|(place, row)| (row.id, place)).collect();
    let report = |row: Row| {
        let number = u32::try_from(row.number).map_err(|_| StoreError::corrupt("version.number"))?;
        let version = Version { number, hash: row.hash.map(|hash| hash.0) };
        Ok(ReportOfPoints { uuid: row.uuid.0, start_time: row.start_time.0, end_time: row.end_time.0, version })
    };
    Ok((rows.into_iter().map(report).collect::<Result<_, StoreError>>()?, places))
}

/// The thresholds that points were checked with, and the place of each model.
async fn thresholds(
    conn: &mut ReadConn,
    project: &ProjectRow,
    rows: &[DetailedRow],
) -> Result<(Vec<ThresholdModel>, HashMap<i64, usize>), StoreError> {
    let models = threshold::of_models(conn, rows.iter().filter_map(|row| row.model_id)).await?;
    let mut models: Vec<_> = models.into_iter().collect();
    models.sort_by_key(|(model, _)| *model);
    let places = models.iter().enumerate().map(|(place, (model, _))| (*model, place)).collect();
    let shown = models.iter().map(|(_, row)| threshold::as_checked(project, row)).collect::<Result<_, _>>()?;
    Ok((shown, places))
}

/// The alerts of reports, by the series, the report and the iteration of their metrics.
async fn alerts(conn: &mut ReadConn, reports: &HashMap<i64, usize>) -> Result<HashMap<(Key, i64, i64), PerfAlert>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        #[sqlx(flatten)]
        metric: MetricRow,
        uuid: Text<AlertUuid>,
        boundary_limit: String,
        status: String,
        modified: Micros,
    }

    let of_reports = among(conn, "alert.report_id", Among::Integers, 1);
    let sql = format!(
        "SELECT {VALUES}, alert.uuid, alert.boundary_limit, alert.status, alert.modified \
         FROM alert JOIN metric ON metric.id = alert.metric_id WHERE {of_reports}"
    );
    let mut found = HashMap::new();
    for row in conn.all::<Row>(sql, vec![list(reports.keys())]).await? {
        let alert = alert::beside_metric(row.uuid.0, &row.boundary_limit, &row.status, row.modified.0)?;
        found.insert((row.metric.key(), row.metric.report_id, row.metric.iteration), alert);
    }
    Ok(found)
}
