//! Reports and the metrics in them.

use std::collections::{BTreeSet, HashMap};

use bencher_analysis::Metrics;
use bencher_types::{
    BenchmarkName, DateTime, JobUuid, MetricUuid, NameId, ReportIdempotencyKey, ReportUuid, ResourceName,
    wire::{
        adapter::Adapter,
        auth::PubUser,
        report::{AlertCounts, IterationCounts, Metric, OneMetric, Report, ReportCounts, ReportMeasure, ReportResult},
    },
};
use uuid::Uuid;

use super::{
    Direction, ListQuery, Micros, Page, Queries, Store, StoreError, Text, Tx, Value, benchmark,
    benchmark::BenchmarkRow,
    branch::{self, BranchRow},
    dimension,
    measure::{self, MeasureDefinition, MeasureRow},
    order, placeholders,
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

const COLUMNS: &str = "report.*, job.uuid AS job_uuid";
const FROM: &str = "report LEFT JOIN job ON job.report_id = report.id";

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

/// Metrics that could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("benchmark `{benchmark}` has the measure `{measure}` twice, under two of its names; keep one of them")]
    SameMeasure { benchmark: BenchmarkName, measure: ResourceName },
    #[error(transparent)]
    Store(#[from] StoreError),
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

    /// A project's metric with everything it is filed under.
    ///
    /// # Errors
    /// The database failed.
    pub async fn metric(&self, project: &ProjectRow, uuid: MetricUuid) -> Result<Option<OneMetric>, StoreError> {
        let mut conn = self.read().await?;
        let sql = format!(
            "SELECT {METRIC_COLUMNS} FROM {METRIC_FROM} JOIN report ON report.id = report_benchmark.report_id \
             WHERE report.project_id = $1 AND metric.uuid = $2"
        );
        let Some(row): Option<MetricRow> = conn.optional(sql, values![project.id, uuid]).await? else { return Ok(None) };
        let report: ReportRow =
            conn.one(format!("SELECT {COLUMNS} FROM {FROM} WHERE report.id = $1"), values![row.report_id]).await?;
        let report = show(&mut conn, project, vec![report], Detail::Counts).await?;
        let report = report.into_iter().next().ok_or(StoreError::corrupt("metric.report_benchmark_id"))?;
        let benchmark: BenchmarkRow = dimension::by_id(&mut conn, row.benchmark_id).await?;
        let measure: MeasureRow = dimension::by_id(&mut conn, row.measure_id).await?;
        Ok(Some(OneMetric {
            uuid,
            report: report.uuid,
            iteration: row.iteration()?,
            start_time: report.start_time,
            end_time: report.end_time,
            branch: report.branch,
            testbed: report.testbed,
            benchmark: benchmark.into_json(project.uuid.0),
            measure: measure.into_json(project.uuid.0),
            metric: row.metric(),
            threshold: None,
            boundary: None,
            alert: None,
        }))
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

/// Files metrics under a report, by the number of their iteration. The caller has locked the project.
pub(crate) async fn record(
    tx: &mut Tx,
    project: i64,
    report: i64,
    iterations: &[(u32, Metrics)],
    now: DateTime,
) -> Result<(), RecordError> {
    #[derive(sqlx::FromRow)]
    struct Made {
        id: i64,
        iteration: i64,
        benchmark_id: i64,
    }

    let all = || iterations.iter().flat_map(|(_, metrics)| metrics.iter());
    let names: BTreeSet<&BenchmarkName> = all().map(|(name, _)| name).collect();
    let measured: BTreeSet<&ResourceName> = all().flat_map(|(_, benchmark)| benchmark.measures.keys()).collect();
    let (names, measured) = (Vec::from_iter(names), Vec::from_iter(measured));
    let benchmarks = benchmark::get_or_create(tx, project, &names, now).await?;
    let measures = measure::get_or_create(tx, project, &measured, define, now).await?;

    let mut rows = Vec::new();
    for (iteration, metrics) in iterations {
        for (name, _) in metrics.iter() {
            rows.push(values![Uuid::new_v4().to_string(), report, *iteration, benchmarks[name]]);
        }
    }
    let columns = ["uuid", "report_id", "iteration", "benchmark_id"];
    let made: Vec<Made> = tx.insert_all("report_benchmark", &columns, rows, "id, iteration, benchmark_id").await?;
    let made: HashMap<(i64, i64), i64> = made.into_iter().map(|row| ((row.iteration, row.benchmark_id), row.id)).collect();

    let mut rows = Vec::new();
    for (iteration, metrics) in iterations {
        for (name, benchmark) in metrics.iter() {
            let row = made[&(i64::from(*iteration), benchmarks[name])];
            let mut seen = BTreeSet::new();
            for (measure, value) in &benchmark.measures {
                if !seen.insert(measures[measure]) {
                    return Err(RecordError::SameMeasure { benchmark: name.clone(), measure: measure.clone() });
                }
                let (lower, upper) = (value.lower_value, value.upper_value);
                rows.push(values![MetricUuid::random(), row, measures[measure], value.value, lower, upper]);
            }
        }
    }
    let columns = ["uuid", "report_benchmark_id", "measure_id", "value", "lower_value", "upper_value"];
    let _: Vec<super::Id> = tx.insert_all("metric", &columns, rows, "id").await?;
    Ok(())
}

/// When a job's results were measured.
pub(crate) async fn set_times(tx: &mut Tx, report: i64, start: DateTime, end: DateTime) -> Result<(), StoreError> {
    tx.execute("UPDATE report SET start_time = $2, end_time = $3 WHERE id = $1", values![report, start, end]).await?;
    Ok(())
}

/// What a measure is called that nobody has defined: as the built-in one of its name, else as the results call it.
fn define(named: &ResourceName) -> MeasureDefinition {
    let text = |text: &str| ResourceName::new(text).expect("the built-in measures have valid names");
    match bencher_analysis::measure::built_in(named.as_str()) {
        Some(measure) => {
            MeasureDefinition { name: text(measure.name), slug: measure.slug.parse().ok(), units: text(measure.units) }
        }
        None => MeasureDefinition { name: named.clone(), slug: None, units: text("units") },
    }
}

#[derive(Clone, Debug, sqlx::FromRow)]
struct MetricRow {
    report_id: i64,
    report_benchmark_id: i64,
    iteration: i64,
    benchmark_id: i64,
    measure_id: i64,
    uuid: Text<MetricUuid>,
    value: f64,
    lower_value: Option<f64>,
    upper_value: Option<f64>,
}

const METRIC_COLUMNS: &str = "report_benchmark.report_id, report_benchmark.id AS report_benchmark_id, \
    report_benchmark.iteration, report_benchmark.benchmark_id, metric.measure_id, metric.uuid, metric.value, \
    metric.lower_value, metric.upper_value";
const METRIC_FROM: &str = "report_benchmark JOIN metric ON metric.report_benchmark_id = report_benchmark.id";

impl MetricRow {
    fn iteration(&self) -> Result<u32, StoreError> {
        u32::try_from(self.iteration).map_err(|_| StoreError::corrupt("report_benchmark.iteration"))
    }

    fn metric(&self) -> Metric {
        Metric { uuid: self.uuid.0, value: self.value, lower_value: self.lower_value, upper_value: self.upper_value }
    }
}

/// Reports of one project as clients see them, in the same order.
async fn show(
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
        Detail::Results => results(conn, project, &ids).await?,
        Detail::Counts => HashMap::new(),
    };
    let mut counts = counts(conn, &ids).await?;
    rows.into_iter()
        .map(|row| {
            let testbed = testbeds.get(&row.testbed_id).cloned().ok_or(StoreError::corrupt("report.testbed_id"))?;
            let spec = row.spec_id.and_then(|id| specs.get(&id).cloned());
            let counts = ReportCounts { results: counts.remove(&row.id).unwrap_or_default(), alerts: AlertCounts::default() };
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
                alerts: (detail == Detail::Results).then(Vec::new),
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

/// How many benchmarks and measures each iteration of each report has.
async fn counts(conn: &mut impl Queries, reports: &[i64]) -> Result<HashMap<i64, Vec<IterationCounts>>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        report_id: i64,
        benchmarks: i64,
        measures: i64,
    }

    let sql = format!(
        "SELECT report_benchmark.report_id, COUNT(DISTINCT report_benchmark.id) AS benchmarks, \
         COUNT(DISTINCT metric.measure_id) AS measures FROM {METRIC_FROM} WHERE report_benchmark.report_id IN ({}) \
         GROUP BY report_benchmark.report_id, report_benchmark.iteration \
         ORDER BY report_benchmark.report_id, report_benchmark.iteration",
        placeholders(1, reports.len())
    );
    let mut counts: HashMap<i64, Vec<IterationCounts>> = HashMap::new();
    for row in conn.all::<Row>(sql, reports.iter().copied().map(Value::from).collect::<Vec<_>>()).await? {
        let number = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
        let of_iteration = IterationCounts { benchmarks: number(row.benchmarks), measures: number(row.measures) };
        counts.entry(row.report_id).or_default().push(of_iteration);
    }
    Ok(counts)
}

/// The results of reports: a list per iteration, in the order in which they were stored.
async fn results(
    conn: &mut impl Queries,
    project: &ProjectRow,
    reports: &[i64],
) -> Result<HashMap<i64, Vec<Vec<ReportResult>>>, StoreError> {
    let sql = format!(
        "SELECT {METRIC_COLUMNS} FROM {METRIC_FROM} WHERE report_benchmark.report_id IN ({}) \
         ORDER BY report_benchmark.report_id, report_benchmark.iteration, report_benchmark.id, metric.id",
        placeholders(1, reports.len())
    );
    let rows: Vec<MetricRow> = conn.all(sql, reports.iter().copied().map(Value::from).collect::<Vec<_>>()).await?;
    let benchmarks: HashMap<i64, BenchmarkRow> = dimension::by_ids(conn, rows.iter().map(|row| row.benchmark_id)).await?;
    let measures: HashMap<i64, MeasureRow> = dimension::by_ids(conn, rows.iter().map(|row| row.measure_id)).await?;

    let mut results: HashMap<i64, Vec<Vec<ReportResult>>> = HashMap::new();
    let mut last = None;
    for row in rows {
        let iteration = row.iteration()?;
        let iterations = results.entry(row.report_id).or_default();
        if iterations.last().and_then(|results| results.first()).is_none_or(|first| first.iteration != iteration) {
            iterations.push(Vec::new());
        }
        let of_iteration = iterations.last_mut().expect("one was just made sure of");
        if last != Some(row.report_benchmark_id) {
            last = Some(row.report_benchmark_id);
            let benchmark =
                benchmarks.get(&row.benchmark_id).cloned().ok_or(StoreError::corrupt("report_benchmark.benchmark_id"))?;
            of_iteration.push(ReportResult { iteration, benchmark: benchmark.into_json(project.uuid.0), measures: Vec::new() });
        }
        let measure = measures.get(&row.measure_id).cloned().ok_or(StoreError::corrupt("metric.measure_id"))?;
        if let Some(result) = of_iteration.last_mut() {
            let (measure, metric) = (measure.into_json(project.uuid.0), row.metric());
            result.measures.push(ReportMeasure { measure, metric, threshold: None, boundary: None });
        }
    }
    Ok(results)
}
