//! The history of metrics: one series per branch, testbed, benchmark and measure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bencher_types::{
    AlertUuid, BenchmarkUuid, BranchUuid, DateTime, GitHash, HeadUuid, MeasureUuid, MetricUuid, ReportUuid, SpecUuid,
    TestbedUuid,
    wire::{
        alert::{Boundary, PerfAlert},
        dimension::{Branch, Testbed, Version},
        perf::{PerfMetric, PerfMetrics},
        report::Metric,
        spec::Spec,
        threshold::ThresholdModel,
    },
};

use super::{
    Micros, Queries, Store, StoreError, Text, Value, alert,
    benchmark::BenchmarkRow,
    branch::{BranchRow, EACH_HEAD},
    dimension::{self, Dimension},
    head::{self, Link},
    measure::MeasureRow,
    placeholders,
    project::ProjectRow,
    spec::{self, SpecRow},
    testbed::TestbedRow,
    threshold::{self, ThresholdRow},
};
use crate::limits;

/// Which series are asked for: every permutation of these, in this order. What does not exist has no data.
#[derive(Clone, Debug, Default)]
pub struct PerfQuery {
    /// With a head; the branch's current one where there is none.
    pub branches: Vec<(BranchUuid, Option<HeadUuid>)>,
    /// With the spec that was measured on; any or none where none is named.
    pub testbeds: Vec<(TestbedUuid, Option<SpecUuid>)>,
    pub benchmarks: Vec<BenchmarkUuid>,
    pub measures: Vec<MeasureUuid>,
    /// Measured at this time or later.
    pub start_time: Option<DateTime>,
    /// Measured at this time or earlier.
    pub end_time: Option<DateTime>,
}

impl PerfQuery {
    /// How many series are asked for.
    #[must_use]
    pub fn permutations(&self) -> usize {
        [self.branches.len(), self.testbeds.len(), self.benchmarks.len(), self.measures.len()]
            .into_iter()
            .fold(1, usize::saturating_mul)
    }
}

/// A history that was not read.
#[derive(Debug, thiserror::Error)]
pub enum PerfError {
    #[error("these series have more than {0} points; ask for fewer series, or for less time with `start_time` and `end_time`")]
    TooManyPoints(usize),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One point, and which series it belongs to.
#[derive(Clone, Debug, sqlx::FromRow)]
struct PointRow {
    head_id: i64,
    testbed_id: i64,
    spec_id: Option<i64>,
    benchmark_id: i64,
    measure_id: i64,
    report_uuid: Text<ReportUuid>,
    iteration: i64,
    start_time: Micros,
    end_time: Micros,
    version_number: i64,
    version_hash: Option<Text<GitHash>>,
    metric_uuid: Text<MetricUuid>,
    value: f64,
    lower_value: Option<f64>,
    upper_value: Option<f64>,
    model_id: Option<i64>,
    baseline: Option<f64>,
    lower_limit: Option<f64>,
    upper_limit: Option<f64>,
    alert_uuid: Option<Text<AlertUuid>>,
    boundary_limit: Option<String>,
    status: Option<String>,
    modified: Option<Micros>,
}

const COLUMNS: &str = "metric.head_id, metric.testbed_id, metric.spec_id, metric.benchmark_id, metric.measure_id, \
    report.uuid AS report_uuid, report_benchmark.iteration, report.start_time, report.end_time, \
    version.number AS version_number, version.hash AS version_hash, \
    metric.uuid AS metric_uuid, metric.value, metric.lower_value, metric.upper_value, metric.model_id, metric.baseline, \
    metric.lower_limit, metric.upper_limit, alert.uuid AS alert_uuid, alert.boundary_limit, alert.status, alert.modified";

/// A series is a range of an index of metrics, and each metric leads to its report. SQLite, which knows nothing of how many rows there
/// are, joins CROSS JOINs in this order; PostgreSQL in any.
const FROM: &str = "metric CROSS JOIN report_benchmark CROSS JOIN report CROSS JOIN version \
    LEFT JOIN alert ON alert.metric_id = metric.id";
const JOINED: &str = "report_benchmark.id = metric.report_benchmark_id AND report.id = report_benchmark.report_id \
    AND version.id = report.version_id";

/// Where the results are that the heads of a query show: their own, and of the heads that they began from those that they hold. They
/// are the same that thresholds look back on.
#[derive(Clone, Debug, Default)]
struct Lineages {
    /// By the head that a metric was measured for: the heads that show it, and of which versions.
    shown_by: BTreeMap<i64, Vec<(i64, Link)>>,
}

impl Lineages {
    async fn of(conn: &mut impl Queries, heads: &[Found<Branch>]) -> Result<Self, StoreError> {
        let mut lineages = Self::default();
        for head in heads.iter().map(|head| head.row).collect::<BTreeSet<_>>() {
            for link in head::lineage(conn, head).await? {
                lineages.shown_by.entry(link.head).or_default().push((head, link));
            }
        }
        Ok(lineages)
    }

    /// A condition on the metrics that any of the heads shows.
    fn condition(&self) -> String {
        let links = self.shown_by.values().flatten().map(|(_, link)| match link.versions {
            None => format!("metric.head_id = {}", link.head),
            Some((oldest, newest)) => {
                format!("(metric.head_id = {} AND metric.version_number BETWEEN {oldest} AND {newest})", link.head)
            }
        });
        format!("({})", links.collect::<Vec<_>>().join(" OR "))
    }

    /// The heads that show a metric.
    fn showing(&self, of: i64, version: i64) -> impl Iterator<Item = i64> {
        let links = self.shown_by.get(&of).into_iter().flatten();
        links
            .filter(move |(_, link)| link.versions.is_none_or(|(oldest, newest)| (oldest..=newest).contains(&version)))
            .map(|(head, _)| *head)
    }
}

impl PointRow {
    /// The point. `thresholds` are those that guarded the metrics, by the model that they had.
    fn into_point(self, project: &ProjectRow, thresholds: &HashMap<i64, ThresholdRow>) -> Result<PerfMetric, StoreError> {
        let (threshold, boundary, alert) = (self.threshold(project, thresholds)?, self.boundary(), self.alert()?);
        Ok(PerfMetric {
            report: self.report_uuid.0,
            iteration: u32::try_from(self.iteration).map_err(|_| StoreError::corrupt("report_benchmark.iteration"))?,
            start_time: self.start_time.0,
            end_time: self.end_time.0,
            version: Version {
                number: u32::try_from(self.version_number).map_err(|_| StoreError::corrupt("version.number"))?,
                hash: self.version_hash.map(|hash| hash.0),
            },
            metric: Metric {
                uuid: self.metric_uuid.0,
                value: self.value,
                lower_value: self.lower_value,
                upper_value: self.upper_value,
            },
            threshold,
            boundary,
            alert,
        })
    }

    fn threshold(
        &self,
        project: &ProjectRow,
        thresholds: &HashMap<i64, ThresholdRow>,
    ) -> Result<Option<ThresholdModel>, StoreError> {
        self.model_id.and_then(|id| thresholds.get(&id)).map(|row| threshold::as_checked(project, row)).transpose()
    }

    /// `None` where no threshold guarded the metric when it was stored; empty where there was not enough history for limits.
    fn boundary(&self) -> Option<Boundary> {
        self.model_id?;
        Some(Boundary { baseline: self.baseline, lower_limit: self.lower_limit, upper_limit: self.upper_limit })
    }

    fn alert(&self) -> Result<Option<PerfAlert>, StoreError> {
        let (Some(uuid), Some(limit), Some(status), Some(modified)) =
            (&self.alert_uuid, &self.boundary_limit, &self.status, self.modified)
        else {
            return Ok(None);
        };
        alert::beside_metric(uuid.0, limit, status, modified.0).map(Some)
    }
}

/// What one branch and head, or one testbed and spec, of a query are in the database.
#[derive(Clone, Debug)]
struct Found<T> {
    /// The row of the head, or of the testbed.
    row: i64,
    /// The row of the spec, where only one is wanted.
    spec: Option<i64>,
    json: T,
}

impl Store {
    /// The series of a query that have points, in the order of the query; the points of each with the oldest version first.
    ///
    /// # Errors
    /// There are too many points, or the database failed.
    pub async fn perf(&self, project: &ProjectRow, query: &PerfQuery) -> Result<Vec<PerfMetrics>, PerfError> {
        let mut conn = self.read().await?;
        let heads = heads(&mut conn, project, &query.branches).await?;
        let testbeds = testbeds(&mut conn, project, &query.testbeds).await?;
        let benchmarks: HashMap<BenchmarkUuid, BenchmarkRow> =
            dimension::by_uuids(&mut conn, project.id, &query.benchmarks, |row: &BenchmarkRow| row.uuid.0).await?;
        let measures: HashMap<MeasureUuid, MeasureRow> =
            dimension::by_uuids(&mut conn, project.id, &query.measures, |row: &MeasureRow| row.uuid.0).await?;
        let benchmarks: Vec<BenchmarkRow> = query.benchmarks.iter().filter_map(|uuid| benchmarks.get(uuid).cloned()).collect();
        let measures: Vec<MeasureRow> = query.measures.iter().filter_map(|uuid| measures.get(uuid).cloned()).collect();
        if heads.is_empty() || testbeds.is_empty() || benchmarks.is_empty() || measures.is_empty() {
            return Ok(Vec::new());
        }

        let lineages = Lineages::of(&mut conn, &heads).await?;
        let rows = points(
            &mut conn,
            &lineages,
            [
                ("metric.head_id", lineages.shown_by.keys().copied().collect()),
                ("metric.testbed_id", testbeds.iter().map(|testbed| testbed.row).collect()),
                ("metric.benchmark_id", benchmarks.iter().map(|benchmark| benchmark.id).collect()),
                ("metric.measure_id", measures.iter().map(|measure| measure.id).collect()),
            ],
            (query.start_time, query.end_time),
        )
        .await?;
        let thresholds = threshold::of_models(&mut conn, rows.iter().filter_map(|row| row.model_id)).await?;
        let mut points: HashMap<[i64; 4], Vec<PointRow>> = HashMap::new();
        for row in rows {
            for head in lineages.showing(row.head_id, row.version_number) {
                points.entry([head, row.testbed_id, row.benchmark_id, row.measure_id]).or_default().push(row.clone());
            }
        }
        Ok(series((project, &thresholds), (&heads, &testbeds), (&benchmarks, &measures), &points)?)
    }
}

/// Every permutation that has points.
fn series(
    (project, thresholds): (&ProjectRow, &HashMap<i64, ThresholdRow>),
    (heads, testbeds): (&[Found<Branch>], &[Found<Testbed>]),
    (benchmarks, measures): (&[BenchmarkRow], &[MeasureRow]),
    points: &HashMap<[i64; 4], Vec<PointRow>>,
) -> Result<Vec<PerfMetrics>, StoreError> {
    let mut series = Vec::new();
    for head in heads {
        for testbed in testbeds {
            for benchmark in benchmarks {
                for measure in measures {
                    let Some(points) = points.get(&[head.row, testbed.row, benchmark.id, measure.id]) else { continue };
                    let of_spec = points.iter().filter(|point| testbed.spec.is_none() || testbed.spec == point.spec_id);
                    let metrics =
                        of_spec.map(|point| point.clone().into_point(project, thresholds)).collect::<Result<Vec<_>, _>>()?;
                    if !metrics.is_empty() {
                        series.push(PerfMetrics {
                            branch: head.json.clone(),
                            testbed: testbed.json.clone(),
                            benchmark: benchmark.clone().into_json(project.uuid.0),
                            measure: measure.clone().into_json(project.uuid.0),
                            metrics,
                        });
                    }
                }
            }
        }
    }
    Ok(series)
}

/// The points of these rows, the oldest version first.
async fn points(
    conn: &mut impl Queries,
    lineages: &Lineages,
    of: [(&'static str, Vec<i64>); 4],
    (start, end): (Option<DateTime>, Option<DateTime>),
) -> Result<Vec<PointRow>, PerfError> {
    let mut conditions = vec![JOINED.to_owned(), lineages.condition()];
    let mut values: Vec<Value> = Vec::new();
    for (column, ids) in of {
        conditions.push(format!("{column} IN ({})", placeholders(values.len() + 1, ids.len())));
        values.extend(ids.into_iter().map(Value::from));
    }
    for (condition, time) in [("report.start_time >=", start), ("report.end_time <=", end)] {
        if let Some(time) = time {
            values.push(time.into());
            conditions.push(format!("{condition} ${}", values.len()));
        }
    }
    let most = limits::MAX_PERF_POINTS;
    values.push(Value::from(i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1)));
    let sql = format!(
        "SELECT {COLUMNS} FROM {FROM} WHERE {} \
         ORDER BY metric.version_number, report.start_time, report.id, report_benchmark.iteration LIMIT ${}",
        conditions.join(" AND "),
        values.len()
    );
    let rows: Vec<PointRow> = conn.all(sql, values).await?;
    if rows.len() > most { Err(PerfError::TooManyPoints(most)) } else { Ok(rows) }
}

/// The branches of a query that exist, each with the head that is asked for.
async fn heads(
    conn: &mut impl Queries,
    project: &ProjectRow,
    wanted: &[(BranchUuid, Option<HeadUuid>)],
) -> Result<Vec<Found<Branch>>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        is_current: i64,
        #[sqlx(flatten)]
        branch: BranchRow,
    }

    // The heads of the branches that are current or asked for by name.
    let named: Vec<HeadUuid> = wanted.iter().filter_map(|(_, head)| *head).collect();
    let mut values = vec![Value::from(project.id)];
    values.extend(wanted.iter().map(|(branch, _)| Value::from(*branch)));
    values.extend(named.iter().copied().map(Value::from));
    let named_heads = match named.len() {
        0 => String::new(),
        count => format!(" OR head.uuid IN ({})", placeholders(wanted.len() + 2, count)),
    };
    let sql = format!(
        "SELECT CAST(CASE WHEN head.id = branch.head_id THEN 1 ELSE 0 END AS BIGINT) AS is_current, {} \
         FROM {EACH_HEAD} \
         WHERE branch.project_id = $1 AND branch.uuid IN ({}) AND (head.id = branch.head_id{named_heads})",
        BranchRow::COLUMNS,
        placeholders(2, wanted.len())
    );
    let rows: Vec<Row> = conn.all(sql, values).await?;
    let (current, branches): (Vec<bool>, Vec<BranchRow>) = rows.into_iter().map(|row| (row.is_current != 0, row.branch)).unzip();
    let ids: Vec<i64> = branches.iter().map(|branch| branch.head_row).collect();
    let json = BranchRow::json(conn, project.uuid.0, branches).await?;
    let found = |(branch, head): &(BranchUuid, Option<HeadUuid>)| {
        let at =
            (0..json.len()).find(|at| json[*at].uuid == *branch && head.map_or(current[*at], |head| json[*at].head.uuid == head));
        at.map(|at| Found { row: ids[at], spec: None, json: json[at].clone() })
    };
    Ok(wanted.iter().filter_map(found).collect())
}

/// The testbeds of a query that exist, each with the spec that is asked for, else with its own.
async fn testbeds(
    conn: &mut impl Queries,
    project: &ProjectRow,
    wanted: &[(TestbedUuid, Option<SpecUuid>)],
) -> Result<Vec<Found<Testbed>>, StoreError> {
    let uuids: Vec<TestbedUuid> = wanted.iter().map(|(testbed, _)| *testbed).collect();
    let rows: HashMap<TestbedUuid, TestbedRow> =
        dimension::by_uuids(conn, project.id, &uuids, |row: &TestbedRow| row.uuid.0).await?;
    let own = spec::by_ids(conn, rows.values().filter_map(|row| row.spec_id)).await?;
    let named = specs(conn, wanted.iter().filter_map(|(_, spec)| *spec).collect()).await?;
    let found = |(uuid, spec): &(TestbedUuid, Option<SpecUuid>)| {
        let row = rows.get(uuid)?.clone();
        let (id, shown) = match spec {
            Some(spec) => {
                let (id, spec) = named.get(spec)?.clone();
                (Some(id), Some(spec))
            }
            None => (None, row.spec_id.and_then(|id| own.get(&id).cloned())),
        };
        Some(Found { row: row.id, spec: id, json: row.into_json(project.uuid.0, shown) })
    };
    Ok(wanted.iter().filter_map(found).collect())
}

/// The specs of these UUIDs with their rows.
async fn specs(conn: &mut impl Queries, uuids: Vec<SpecUuid>) -> Result<HashMap<SpecUuid, (i64, Spec)>, StoreError> {
    if uuids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!("SELECT * FROM spec WHERE uuid IN ({})", placeholders(1, uuids.len()));
    let rows: Vec<SpecRow> = conn.all(sql, uuids.into_iter().map(Value::from).collect::<Vec<_>>()).await?;
    rows.into_iter().map(|row| Ok((row.uuid.0, (row.id, row.try_into()?)))).collect()
}
