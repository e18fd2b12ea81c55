//! Metrics: how they are filed under a report, and how they are shown.

use std::collections::{BTreeSet, HashMap};

use bencher_analysis::{Alerts, MetricValue, Metrics, threshold::Check};
use bencher_types::{
    BenchmarkName, DateTime, MetricUuid, ResourceName,
    wire::{
        alert::{AlertStatus, Boundary},
        report::{IterationCounts, Metric, OneMetric, ReportMeasure, ReportResult},
    },
};
use uuid::{NoContext, Timestamp, Uuid};

use super::{
    Among, Micros, Queries, Store, StoreError, Text, Tx, Value,
    alert::{self, NewAlert},
    among,
    benchmark::{self, BenchmarkRow},
    branch::BranchRow,
    creation::Kind,
    dimension,
    head::VersionRow,
    list,
    measure::{self, MeasureDefinition, MeasureRow},
    placeholders,
    project::ProjectRow,
    report::{self, Detail, ReportRow},
    threshold::{self, ThresholdRow},
};
use crate::values;

/// Metrics that could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("benchmark `{benchmark}` has the measure `{measure}` twice, under two of its names; keep one of them")]
    SameMeasure { benchmark: BenchmarkName, measure: ResourceName },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a report is filed under.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Filing {
    pub(crate) report_id: i64,
    pub(crate) project_id: i64,
    pub(crate) branch_id: i64,
    pub(crate) head_id: i64,
    /// When another head took the place of this one.
    head_replaced: Option<Micros>,
    pub(crate) version_number: i64,
    pub(crate) testbed_id: i64,
    pub(crate) spec_id: Option<i64>,
    pub(crate) start_time: Micros,
}

impl Filing {
    /// That of a report which was just inserted.
    pub(crate) fn of(report: &ReportRow, project: i64, branch: &BranchRow, version: VersionRow) -> Self {
        Self {
            report_id: report.id,
            project_id: project,
            branch_id: branch.id,
            head_id: branch.head_row,
            head_replaced: branch.head_replaced,
            version_number: version.number,
            testbed_id: report.testbed_id,
            spec_id: report.spec_id,
            start_time: report.start_time,
        }
    }
}

/// What was measured, with the rows of everything that it is of.
#[derive(Clone, Debug)]
pub(crate) struct Identified {
    /// In the order of iterations.
    pub(crate) samples: Vec<Sample>,
    benchmarks: HashMap<i64, BenchmarkRow>,
    measures: HashMap<i64, MeasureRow>,
}

/// What was stored under one report: all that it takes to show it.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    rows: Vec<MetricRow>,
    benchmarks: HashMap<i64, BenchmarkRow>,
    measures: HashMap<i64, MeasureRow>,
    /// By the rows of the models that metrics were checked with.
    thresholds: HashMap<i64, ThresholdRow>,
    pub(crate) has_alerts: bool,
}

impl Recorded {
    /// What there was no row of before these metrics were filed, at that time.
    pub(crate) fn made(&self, now: DateTime) -> Vec<Kind> {
        let benchmark = self.benchmarks.values().any(|row| row.created.0 == now).then_some(Kind::Benchmark);
        let measure = self.measures.values().any(|row| row.created.0 == now).then_some(Kind::Measure);
        benchmark.into_iter().chain(measure).collect()
    }

    /// A list per iteration, as [`results`] would read them.
    pub(crate) fn into_results(self, project: &ProjectRow) -> Result<Vec<Vec<ReportResult>>, StoreError> {
        let of_report = assemble(project, self.rows, (&self.benchmarks, &self.measures), &self.thresholds)?;
        Ok(of_report.into_values().next().unwrap_or_default())
    }
}

/// One metric that is to be stored, with the rows of its benchmark and measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) iteration: u32,
    pub(crate) benchmark: i64,
    pub(crate) measure: i64,
    pub(crate) value: MetricValue,
    alerts: Alerts,
    /// The row of the model that the metric was checked with, and what came of it.
    pub(crate) checked: Option<(i64, Check)>,
}

impl Store {
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
        let report: ReportRow = conn
            .one(format!("SELECT {} FROM {} WHERE report.id = $1", report::COLUMNS, report::FROM), values![row.report_id])
            .await?;
        let report = report::show(&mut conn, project, vec![report], Detail::Counts).await?;
        let report = report.into_iter().next().ok_or(StoreError::corrupt("metric.report_benchmark_id"))?;
        let benchmark: BenchmarkRow = dimension::by_id(&mut conn, row.benchmark_id).await?;
        let measure: MeasureRow = dimension::by_id(&mut conn, row.measure_id).await?;
        let thresholds = threshold::of_models(&mut conn, row.model_id).await?;
        let alert = alert::of_metric(&mut conn, uuid).await?;
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
            threshold: row
                .model_id
                .and_then(|id| thresholds.get(&id))
                .map(|row| threshold::as_checked(project, row))
                .transpose()?,
            boundary: row.boundary(),
            alert,
        }))
    }
}

/// What a report is filed under.
pub(crate) async fn filing(tx: &mut Tx, report: i64) -> Result<Filing, StoreError> {
    tx.one(
        "SELECT report.id AS report_id, report.project_id, head.branch_id, report.head_id, head.replaced AS head_replaced, \
         version.number AS version_number, report.testbed_id, report.spec_id, report.start_time \
         FROM report JOIN head ON head.id = report.head_id JOIN version ON version.id = report.version_id WHERE report.id = $1",
        values![report],
    )
    .await
}

/// What was measured, with the rows of benchmarks and measures, which are made as needed.
///
/// The caller has locked the project.
pub(crate) async fn identify(
    tx: &mut Tx,
    project: i64,
    iterations: &[(u32, Metrics)],
    now: DateTime,
) -> Result<Identified, RecordError> {
    let all = || iterations.iter().flat_map(|(_, metrics)| metrics.iter());
    let names: BTreeSet<&BenchmarkName> = all().map(|(name, _)| name).collect();
    let measured: BTreeSet<&ResourceName> = all().flat_map(|(_, benchmark)| benchmark.measures.keys()).collect();
    let (names, measured) = (Vec::from_iter(names), Vec::from_iter(measured));
    let benchmarks = benchmark::get_or_create(tx, project, &names, now).await?;
    let measures = measure::get_or_create(tx, project, &measured, define, now).await?;

    let mut samples = Vec::with_capacity(iterations.iter().map(|(_, metrics)| metrics.count()).sum());
    for (iteration, metrics) in iterations {
        for (name, benchmark) in metrics.iter() {
            let mut seen = BTreeSet::new();
            for (measure, value) in &benchmark.measures {
                if !seen.insert(measures[measure].id) {
                    return Err(RecordError::SameMeasure { benchmark: name.clone(), measure: measure.clone() });
                }
                samples.push(Sample {
                    iteration: *iteration,
                    benchmark: benchmarks[name].id,
                    measure: measures[measure].id,
                    value: *value,
                    alerts: benchmark.alerts,
                    checked: None,
                });
            }
        }
    }
    Ok(Identified {
        samples,
        benchmarks: benchmarks.into_values().map(|row| (row.id, row)).collect(),
        measures: measures.into_values().map(|row| (row.id, row)).collect(),
    })
}

/// Files metrics under a report, with the limits they were checked against and the alerts that they raise. `thresholds` are those by
/// the rows of their models.
pub(crate) async fn insert(
    tx: &mut Tx,
    filing: &Filing,
    Identified { samples, benchmarks, measures }: Identified,
    thresholds: HashMap<i64, ThresholdRow>,
    now: DateTime,
) -> Result<Recorded, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Made {
        id: i64,
        iteration: i64,
        benchmark_id: i64,
    }

    let mut of_benchmark: Vec<(u32, i64)> = samples.iter().map(|sample| (sample.iteration, sample.benchmark)).collect();
    of_benchmark.dedup();
    let rows = of_benchmark
        .into_iter()
        .map(|(iteration, benchmark)| values![neighbour(now).to_string(), filing.report_id, iteration, benchmark]);
    let columns = ["uuid", "report_id", "iteration", "benchmark_id"];
    let returning = "id, iteration, benchmark_id";
    let made: Vec<Made> = tx.insert_returning("report_benchmark", &columns, rows.collect(), returning).await?;
    let made: HashMap<(i64, i64), i64> = made.into_iter().map(|row| ((row.iteration, row.benchmark_id), row.id)).collect();

    let mut alerting: HashMap<MetricUuid, NewAlert> = HashMap::new();
    let (mut rows, mut shown) = (Vec::with_capacity(samples.len()), Vec::with_capacity(samples.len()));
    for sample in &samples {
        let uuid = MetricUuid::from(neighbour(now));
        let (model, check) = sample.checked.unzip();
        if let (Some(model), Some(Check { limit: Some(limit), .. })) = (model, check) {
            let silent = sample.alerts == Alerts::Suppressed || filing.head_replaced.is_some();
            let status = if silent { AlertStatus::Silenced } else { AlertStatus::Active };
            alerting.insert(uuid, NewAlert { metric: 0, model, limit, status });
        }
        let (value, boundary) = (sample.value, check.unwrap_or_default().boundary);
        let row = MetricRow {
            report_id: filing.report_id,
            report_benchmark_id: made[&(i64::from(sample.iteration), sample.benchmark)],
            iteration: i64::from(sample.iteration),
            benchmark_id: sample.benchmark,
            measure_id: sample.measure,
            uuid: Text(uuid),
            value: value.value,
            lower_value: value.lower_value,
            upper_value: value.upper_value,
            model_id: model,
            baseline: boundary.baseline,
            lower_limit: boundary.lower_limit,
            upper_limit: boundary.upper_limit,
        };
        rows.push(values![
            uuid,
            row.report_benchmark_id,
            row.measure_id,
            row.value,
            row.lower_value,
            row.upper_value,
            row.model_id,
            row.baseline,
            row.lower_limit,
            row.upper_limit,
            filing.head_id,
            filing.testbed_id,
            filing.spec_id,
            sample.benchmark,
            filing.version_number,
            filing.start_time.0,
            sample.iteration,
            filing.report_id,
        ]);
        shown.push(row);
    }
    tx.insert_all("metric", &INSERTED, rows).await?;
    let has_alerts = !alerting.is_empty();
    if has_alerts {
        let alerts = with_metrics(tx, alerting).await?;
        alert::insert(tx, (filing.project_id, filing.report_id), &alerts, now).await?;
    }
    Ok(Recorded { rows: shown, benchmarks, measures, thresholds, has_alerts })
}

/// Alerts with the rows of their metrics, in the order of those.
async fn with_metrics(tx: &mut Tx, alerting: HashMap<MetricUuid, NewAlert>) -> Result<Vec<NewAlert>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Stored {
        id: i64,
        uuid: Text<MetricUuid>,
    }

    let stored = among(tx, "uuid", Among::Texts, 1);
    let sql = format!("SELECT id, uuid FROM metric WHERE {stored} ORDER BY id");
    let stored: Vec<Stored> = tx.all(sql, vec![list(alerting.keys())]).await?;
    Ok(stored.into_iter().filter_map(|row| Some(NewAlert { metric: row.id, ..*alerting.get(&row.uuid.0)? })).collect())
}

/// An id (version 7) that is next to those of the same time in an index of ids: however many there are, what is filed together is
/// written to few places of it.
fn neighbour(now: DateTime) -> Uuid {
    let micros = u64::try_from(now.as_micros()).unwrap_or_default();
    let nanos = u32::try_from(micros % 1_000_000 * 1000).expect("less than a second");
    Uuid::new_v7(Timestamp::from_unix(NoContext, micros / 1_000_000, nanos))
}

/// The columns of a new metric. Those from `head_id` on repeat what its report says, for the index of series.
const INSERTED: [&str; 18] = [
    "uuid",
    "report_benchmark_id",
    "measure_id",
    "value",
    "lower_value",
    "upper_value",
    "model_id",
    "baseline",
    "lower_limit",
    "upper_limit",
    "head_id",
    "testbed_id",
    "spec_id",
    "benchmark_id",
    "version_number",
    "start_time",
    "iteration",
    "report_id",
];

/// What a measure is called that nobody has defined: as the built-in one of its name, else as the results call it.
pub(crate) fn define(named: &ResourceName) -> MeasureDefinition {
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
    model_id: Option<i64>,
    baseline: Option<f64>,
    lower_limit: Option<f64>,
    upper_limit: Option<f64>,
}

const METRIC_COLUMNS: &str = "report_benchmark.report_id, report_benchmark.id AS report_benchmark_id, \
    report_benchmark.iteration, report_benchmark.benchmark_id, metric.measure_id, metric.uuid, metric.value, \
    metric.lower_value, metric.upper_value, metric.model_id, metric.baseline, metric.lower_limit, metric.upper_limit";
const METRIC_FROM: &str = "report_benchmark JOIN metric ON metric.report_benchmark_id = report_benchmark.id";

impl MetricRow {
    fn iteration(&self) -> Result<u32, StoreError> {
        u32::try_from(self.iteration).map_err(|_| StoreError::corrupt("report_benchmark.iteration"))
    }

    fn metric(&self) -> Metric {
        Metric { uuid: self.uuid.0, value: self.value, lower_value: self.lower_value, upper_value: self.upper_value }
    }
    /// `None` where no threshold guarded the metric when it was stored; empty where there was not enough history for limits.
    fn boundary(&self) -> Option<Boundary> {
        self.model_id?;
        Some(Boundary { baseline: self.baseline, lower_limit: self.lower_limit, upper_limit: self.upper_limit })
    }
}

/// How many benchmarks and measures each iteration of each report has.
pub(super) async fn counts(conn: &mut impl Queries, reports: &[i64]) -> Result<HashMap<i64, Vec<IterationCounts>>, StoreError> {
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

/// As [`counts`], of results that are at hand.
pub(super) fn counted(results: &[Vec<ReportResult>]) -> Vec<IterationCounts> {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let of_iteration = |results: &Vec<ReportResult>| {
        let measures = results.iter().flat_map(|result| &result.measures).map(|measured| measured.measure.uuid);
        let measures: BTreeSet<_> = measures.collect();
        IterationCounts { benchmarks: number(results.len()), measures: number(measures.len()) }
    };
    results.iter().map(of_iteration).collect()
}

/// The results of reports: a list per iteration, in the order in which they were stored.
pub(super) async fn results(
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
    let thresholds = threshold::of_models(conn, rows.iter().filter_map(|row| row.model_id)).await?;
    assemble(project, rows, (&benchmarks, &measures), &thresholds)
}

/// The results that metrics are, by report. Metrics come in the order in which they are shown.
fn assemble(
    project: &ProjectRow,
    rows: Vec<MetricRow>,
    (benchmarks, measures): (&HashMap<i64, BenchmarkRow>, &HashMap<i64, MeasureRow>),
    thresholds: &HashMap<i64, ThresholdRow>,
) -> Result<HashMap<i64, Vec<Vec<ReportResult>>>, StoreError> {
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
            let (measure, metric, boundary) = (measure.into_json(project.uuid.0), row.metric(), row.boundary());
            let threshold = row.model_id.and_then(|id| thresholds.get(&id)).map(|row| threshold::as_checked(project, row));
            result.measures.push(ReportMeasure { measure, metric, threshold: threshold.transpose()?, boundary });
        }
    }
    Ok(results)
}
