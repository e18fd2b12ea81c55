//! The history of metrics: one series per branch, testbed, benchmark and measure.

mod columns;
mod points;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bencher_types::{
    BenchmarkUuid, BranchUuid, DateTime, HeadUuid, MeasureUuid, SpecUuid, TestbedUuid,
    wire::{
        alert::Boundary,
        change_point::PerfChangePoint,
        dimension::{Branch, Testbed},
        perf::{PerfMetric, PerfMetrics},
        report::Metric,
        spec::Spec,
    },
};

use super::{
    Queries, Store, StoreError, Value, all_among,
    benchmark::BenchmarkRow,
    branch::{BranchRow, EACH_HEAD},
    change_point,
    dimension::{self, Dimension},
    head::{self, Link},
    measure::MeasureRow,
    placeholders,
    project::ProjectRow,
    spec::{self, SpecRow},
    testbed::TestbedRow,
};
use crate::limits;

pub use columns::Columns;
use points::{Detail, Point, Points};

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
        let links = self.shown_by.values().flatten().map(|(_, link)| link.condition("metric"));
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

/// What one branch and head, or one testbed and spec, of a query are in the database.
#[derive(Clone, Debug)]
struct Found<T> {
    /// The row of the head, or of the testbed.
    row: i64,
    /// The row of the spec, where only one is wanted.
    spec: Option<i64>,
    json: T,
}

/// What a query asks for and there is.
#[derive(Clone, Debug)]
struct Scope {
    heads: Vec<Found<Branch>>,
    testbeds: Vec<Found<Testbed>>,
    benchmarks: Vec<BenchmarkRow>,
    measures: Vec<MeasureRow>,
    lineages: Lineages,
}

impl Scope {
    /// `None` where nothing can have a point.
    async fn of(conn: &mut impl Queries, project: &ProjectRow, query: &PerfQuery) -> Result<Option<Self>, StoreError> {
        let heads = heads(conn, project, &query.branches).await?;
        let testbeds = testbeds(conn, project, &query.testbeds).await?;
        let benchmarks: HashMap<BenchmarkUuid, BenchmarkRow> =
            dimension::by_uuids(conn, project.id, &query.benchmarks, |row: &BenchmarkRow| row.uuid.0).await?;
        let measures: HashMap<MeasureUuid, MeasureRow> =
            dimension::by_uuids(conn, project.id, &query.measures, |row: &MeasureRow| row.uuid.0).await?;
        let benchmarks: Vec<BenchmarkRow> = query.benchmarks.iter().filter_map(|uuid| benchmarks.get(uuid).cloned()).collect();
        let measures: Vec<MeasureRow> = query.measures.iter().filter_map(|uuid| measures.get(uuid).cloned()).collect();
        if heads.is_empty() || testbeds.is_empty() || benchmarks.is_empty() || measures.is_empty() {
            return Ok(None);
        }
        let lineages = Lineages::of(conn, &heads).await?;
        Ok(Some(Self { heads, testbeds, benchmarks, measures, lineages }))
    }

    /// What the series are of: the columns that say so, and the rows that they name.
    fn rows(&self) -> [(&'static str, Vec<i64>); 4] {
        [
            ("head_id", self.lineages.shown_by.keys().copied().collect()),
            ("testbed_id", self.testbeds.iter().map(|testbed| testbed.row).collect()),
            ("benchmark_id", self.benchmarks.iter().map(|benchmark| benchmark.id).collect()),
            ("measure_id", self.measures.iter().map(|measure| measure.id).collect()),
        ]
    }

    /// A condition on metrics; what it compares with is appended to `values`.
    fn condition(&self, conn: &mut impl Queries, values: &mut Vec<Value>) -> String {
        format!("{} AND {}", self.lineages.condition(), all_among(conn, "metric", self.rows(), values))
    }

    /// Every permutation that has points, in the order of the query: the places of its head, testbed, benchmark and measure.
    fn permutations<'a>(&'a self, points: &'a Points) -> impl Iterator<Item = ([usize; 4], Vec<&'a Point>)> {
        self.heads.iter().enumerate().flat_map(move |(branch, head)| {
            self.testbeds.iter().enumerate().flat_map(move |(testbed, on)| {
                self.benchmarks.iter().enumerate().flat_map(move |(benchmark, of)| {
                    self.measures.iter().enumerate().filter_map(move |(measure, by)| {
                        let points = points.of_series.get(&[head.row, on.row, of.id, by.id])?;
                        let shown: Vec<&Point> =
                            points.iter().filter(|point| on.spec.is_none() || on.spec == point.spec).collect();
                        (!shown.is_empty()).then_some(([branch, testbed, benchmark, measure], shown))
                    })
                })
            })
        })
    }
}

impl Store {
    /// The series of a query that have points, in the order of the query; the points of each with the oldest version first.
    ///
    /// # Errors
    /// There are too many points, or the database failed.
    pub async fn perf(&self, project: &ProjectRow, query: &PerfQuery) -> Result<Vec<PerfMetrics>, PerfError> {
        let mut conn = self.read().await?;
        let Some(scope) = Scope::of(&mut conn, project, query).await? else { return Ok(Vec::new()) };
        let asked = (Detail::Everything, limits::MAX_PERF_POINTS);
        let points = Points::read(&mut conn, (project, &scope), (query.start_time, query.end_time), asked).await?;
        let changes = change_point::by_metric(&mut conn, scope.rows()).await?;
        drop(conn);
        let series = scope.permutations(&points).map(|([head, testbed, benchmark, measure], of_series)| {
            let metrics: Vec<PerfMetric> = of_series.into_iter().filter_map(|point| metric(&points, point)).collect();
            let change_points: Vec<PerfChangePoint> =
                metrics.iter().filter_map(|point| changes.get(&point.metric.uuid)).copied().collect();
            PerfMetrics {
                branch: scope.heads[head].json.clone(),
                testbed: scope.testbeds[testbed].json.clone(),
                benchmark: scope.benchmarks[benchmark].clone().into_json(project.uuid.0),
                measure: scope.measures[measure].clone().into_json(project.uuid.0),
                metrics,
                change_points: (!change_points.is_empty()).then_some(change_points),
            }
        });
        Ok(series.collect())
    }
}

/// A point by itself; `None` for one of which only the value was read.
fn metric(points: &Points, point: &Point) -> Option<PerfMetric> {
    let (report, more) = (&points.reports[point.report], point.more.as_ref()?);
    let threshold = more.threshold.map(|place| points.thresholds[place].clone());
    // Empty where there was not enough history for limits.
    let boundary = threshold.is_some().then_some(Boundary {
        baseline: more.baseline,
        lower_limit: more.lower_limit,
        upper_limit: more.upper_limit,
    });
    Some(PerfMetric {
        report: report.uuid,
        iteration: point.iteration,
        start_time: report.start_time,
        end_time: report.end_time,
        version: report.version.clone(),
        metric: Metric { uuid: more.uuid, value: point.value, lower_value: more.lower_value, upper_value: more.upper_value },
        threshold,
        boundary,
        alert: more.alert,
    })
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
