//! Change points as they are shown: in lists, beside their series, and with the reports that began or confirmed them. How they are
//! found and stored is `change_point/series.rs`'s.

pub(crate) mod series;

use std::collections::{BTreeSet, HashMap};

use bencher_types::{
    ChangePointUuid, DateTime, GitHash, HeadUuid, MetricUuid, NameId, ReportUuid,
    wire::{
        auth::PubUser,
        change_point::{
            ChangePoint, ChangePointDecision, ChangePointPart, ChangePointStatus, PerfChangePoint, Regime, ReportChangePoint,
            Shift,
        },
        dimension::Version,
        report::Metric,
    },
};

use super::{
    Direction, Id, ListQuery, Micros, Page, Queries, Store, StoreError, Text, Value, all_among, benchmark::BenchmarkRow, branch,
    dimension, measure::MeasureRow, order, placeholders, project::ProjectRow, spec, testbed::TestbedRow, user,
};
use crate::values;

/// A row of `change_point`, with its first metric and what of its report is shown.
#[derive(Clone, Debug, sqlx::FromRow)]
struct ChangePointRow {
    id: i64,
    uuid: Text<ChangePointUuid>,
    report_id: i64,
    report_uuid: Text<ReportUuid>,
    confirmed_report_id: Option<i64>,
    confirmed_by: Option<Text<ReportUuid>>,
    testbed_id: i64,
    spec_id: Option<i64>,
    benchmark_id: i64,
    measure_id: i64,
    version_number: i64,
    version_hash: Option<Text<GitHash>>,
    start_time: Micros,
    metric_uuid: Text<MetricUuid>,
    value: f64,
    lower_value: Option<f64>,
    upper_value: Option<f64>,
    #[sqlx(flatten)]
    shift: ShiftRow,
    status: String,
    gone: Option<Micros>,
    created: Micros,
    modified: Micros,
}

/// The columns that say by how much a series changed.
#[derive(Clone, Copy, Debug, PartialEq, sqlx::FromRow)]
pub(crate) struct ShiftRow {
    before_points: i64,
    before_mean: f64,
    before_deviation: f64,
    after_points: i64,
    after_mean: f64,
    after_deviation: f64,
    p_value: f64,
}

const COLUMNS: &str = "change_point.id, change_point.uuid, change_point.report_id, report.uuid AS report_uuid, \
    change_point.confirmed_report_id, confirmed.uuid AS confirmed_by, change_point.testbed_id, change_point.spec_id, \
    change_point.benchmark_id, change_point.measure_id, version.number AS version_number, version.hash AS version_hash, \
    report.start_time, metric.uuid AS metric_uuid, metric.value, metric.lower_value, metric.upper_value, \
    change_point.before_points, change_point.before_mean, change_point.before_deviation, change_point.after_points, \
    change_point.after_mean, change_point.after_deviation, change_point.p_value, change_point.status, change_point.gone, \
    change_point.created, change_point.modified";
const FROM: &str = "change_point JOIN report ON report.id = change_point.report_id \
    JOIN metric ON metric.id = change_point.metric_id JOIN version ON version.id = report.version_id \
    LEFT JOIN report confirmed ON confirmed.id = change_point.confirmed_report_id";

impl ShiftRow {
    fn shift(&self) -> Result<Shift, StoreError> {
        let regime = |points: i64, mean, deviation| {
            let points = u32::try_from(points).map_err(|_| StoreError::corrupt("change_point.points"))?;
            Ok::<_, StoreError>(Regime { points, mean, deviation })
        };
        let before = regime(self.before_points, self.before_mean, self.before_deviation)?;
        let after = regime(self.after_points, self.after_mean, self.after_deviation)?;
        let change = (before.mean != 0.0).then(|| (after.mean - before.mean) / before.mean.abs());
        Ok(Shift { before, after, change: change.filter(|change| change.is_finite()), p_value: self.p_value })
    }
}

impl ChangePointRow {
    fn status(&self) -> Result<ChangePointStatus, StoreError> {
        status_of(&self.status)
    }

    fn version(&self) -> Result<Version, StoreError> {
        let number = u32::try_from(self.version_number).map_err(|_| StoreError::corrupt("version.number"))?;
        Ok(Version { number, hash: self.version_hash.as_ref().map(|hash| hash.0.clone()) })
    }
}

fn status_of(text: &str) -> Result<ChangePointStatus, StoreError> {
    let known = [ChangePointStatus::Accepted, ChangePointStatus::Dismissed];
    known.into_iter().find(|known| known.as_str() == text).ok_or(StoreError::corrupt("change_point.status"))
}

/// Which change points a list shows.
#[derive(Clone, Debug, Default)]
pub struct ChangePointFilter {
    pub branch: Option<NameId>,
    /// Of this head; of the current heads of branches where there is none.
    pub head: Option<HeadUuid>,
    pub testbed: Option<NameId>,
    pub benchmark: Option<NameId>,
    pub measure: Option<NameId>,
    pub status: Option<ChangePointStatus>,
    /// Of archived branches, testbeds, benchmarks and measures, instead of the others.
    pub archived: bool,
}

impl Store {
    /// One page of a project's change points by one of their times, and how many there are.
    ///
    /// # Errors
    /// The database failed.
    pub async fn change_points(
        &self,
        project: &ProjectRow,
        filter: &ChangePointFilter,
        (column, direction): (&'static str, Direction),
        page: Page,
    ) -> Result<(Vec<ChangePoint>, u64), StoreError> {
        let from = format!(
            "{FROM} JOIN head ON head.id = change_point.head_id JOIN branch ON branch.id = head.branch_id \
             JOIN testbed ON testbed.id = change_point.testbed_id JOIN benchmark ON benchmark.id = change_point.benchmark_id \
             JOIN measure ON measure.id = change_point.measure_id"
        );
        let tables = ["branch", "testbed", "benchmark", "measure"];
        let condition = if filter.archived {
            format!("({})", tables.map(|table| format!("{table}.archived IS NOT NULL")).join(" OR "))
        } else {
            tables.map(|table| format!("{table}.archived IS NULL")).join(" AND ")
        };
        let mut query =
            ListQuery::new(COLUMNS, from).filter("change_point.project_id = ?", project.id).when("change_point.gone IS NULL");
        query = query.when(&condition);
        query = match filter.head {
            Some(head) => query.filter("head.uuid = ?", head),
            None => query.when("head.id = branch.head_id"),
        };
        for (table, id) in tables.into_iter().zip([&filter.branch, &filter.testbed, &filter.benchmark, &filter.measure]) {
            if let Some(id) = id {
                query = query.filter(&format!("(? IN ({table}.uuid, {table}.slug, {table}.name))"), id.to_string());
            }
        }
        if let Some(status) = filter.status {
            query = query.filter("change_point.status = ?", status.as_str());
        }
        let mut conn = self.read().await?;
        let (rows, total) = query.page::<ChangePointRow>(&mut conn, &order("change_point", column, direction), page).await?;
        Ok((show(&mut conn, project, rows).await?, total))
    }

    /// A project's change point, also one that is no longer found.
    ///
    /// # Errors
    /// The database failed.
    pub async fn change_point(&self, project: &ProjectRow, uuid: ChangePointUuid) -> Result<Option<ChangePoint>, StoreError> {
        let mut conn = self.read().await?;
        let sql = format!("SELECT {COLUMNS} FROM {FROM} WHERE change_point.project_id = $1 AND change_point.uuid = $2");
        match conn.optional::<ChangePointRow>(sql, values![project.id, uuid]).await? {
            Some(row) => Ok(show(&mut conn, project, vec![row]).await?.into_iter().next()),
            None => Ok(None),
        }
    }

    /// Notes what a user, or somebody with a key of the project, made of a change point; whether there is such a change point.
    ///
    /// # Errors
    /// The database failed.
    pub async fn decide_change_point(
        &self,
        project: &ProjectRow,
        uuid: ChangePointUuid,
        (status, user): (ChangePointStatus, Option<i64>),
        now: DateTime,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE change_point SET status = $3, modified = $4 WHERE project_id = $1 AND uuid = $2 RETURNING id";
        let Some(Id { id }) = tx.optional(sql, values![project.id, uuid, status.as_str(), now]).await? else { return Ok(false) };
        let sql = "INSERT INTO change_point_decision (change_point_id, status, user_id, created) VALUES ($1, $2, $3, $4)";
        tx.execute(sql, values![id, status.as_str(), user, now]).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// The change points that reports began or made known, by report.
pub(crate) async fn of_reports(
    conn: &mut impl Queries,
    project: &ProjectRow,
    reports: &[i64],
) -> Result<HashMap<i64, Vec<ReportChangePoint>>, StoreError> {
    let ids = placeholders(1, reports.len());
    let sql = format!(
        "SELECT {COLUMNS} FROM {FROM} WHERE change_point.gone IS NULL \
         AND (change_point.report_id IN ({ids}) OR change_point.confirmed_report_id IN ({ids})) ORDER BY change_point.id"
    );
    let rows: Vec<ChangePointRow> = conn.all(sql, reports.iter().copied().map(Value::from).collect::<Vec<_>>()).await?;
    let mut shown: HashMap<i64, Vec<ReportChangePoint>> = HashMap::new();
    if rows.is_empty() {
        return Ok(shown);
    }
    let benchmarks: HashMap<i64, BenchmarkRow> = dimension::by_ids(conn, rows.iter().map(|row| row.benchmark_id)).await?;
    let measures: HashMap<i64, MeasureRow> = dimension::by_ids(conn, rows.iter().map(|row| row.measure_id)).await?;
    for row in rows {
        let benchmark = benchmarks.get(&row.benchmark_id).cloned().ok_or(StoreError::corrupt("change_point.benchmark_id"))?;
        let measure = measures.get(&row.measure_id).cloned().ok_or(StoreError::corrupt("change_point.measure_id"))?;
        let change_point = ReportChangePoint {
            uuid: row.uuid.0,
            part: ChangePointPart::Started,
            status: row.status()?,
            report: row.report_uuid.0,
            version: row.version()?,
            benchmark: benchmark.into_json(project.uuid.0),
            measure: measure.into_json(project.uuid.0),
            shift: row.shift.shift()?,
        };
        if let Some(confirmed) = row.confirmed_report_id.filter(|confirmed| *confirmed != row.report_id) {
            let part = ChangePointPart::Confirmed;
            shown.entry(confirmed).or_default().push(ReportChangePoint { part, ..change_point.clone() });
        }
        shown.entry(row.report_id).or_default().push(change_point);
    }
    Ok(shown)
}

/// The change points of series, by the first metric of each new regime. The series are of these heads, testbeds, benchmarks and measures.
///
/// A metric is of one series, and each head that shows it shows what began with it.
pub(crate) async fn by_metric(
    conn: &mut impl Queries,
    of: [(&'static str, Vec<i64>); 4],
) -> Result<HashMap<MetricUuid, PerfChangePoint>, StoreError> {
    let mut values: Vec<Value> = Vec::new();
    let of_series = all_among(conn, "change_point", of, &mut values);
    let sql = format!("SELECT {COLUMNS} FROM {FROM} WHERE change_point.gone IS NULL AND {of_series}");
    let rows: Vec<ChangePointRow> = conn.all(sql, values).await?;
    let shown = rows.iter().map(|row| {
        let (metric, status, shift) = (row.metric_uuid.0, row.status()?, row.shift.shift()?);
        Ok((metric, PerfChangePoint { uuid: row.uuid.0, status, metric, shift }))
    });
    shown.collect()
}

/// Change points of one project as clients see them, in the same order: each on the head and with the spec of the report that began it.
async fn show(conn: &mut impl Queries, project: &ProjectRow, rows: Vec<ChangePointRow>) -> Result<Vec<ChangePoint>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let reports: Vec<i64> = rows.iter().map(|row| row.report_id).collect::<BTreeSet<_>>().into_iter().collect();
    let branches = branch::of_reports(conn, project.uuid.0, &reports).await?;
    let testbeds: HashMap<i64, TestbedRow> = dimension::by_ids(conn, rows.iter().map(|row| row.testbed_id)).await?;
    let specs = spec::by_ids(conn, rows.iter().filter_map(|row| row.spec_id)).await?;
    let benchmarks: HashMap<i64, BenchmarkRow> = dimension::by_ids(conn, rows.iter().map(|row| row.benchmark_id)).await?;
    let measures: HashMap<i64, MeasureRow> = dimension::by_ids(conn, rows.iter().map(|row| row.measure_id)).await?;
    let mut decisions = decisions(conn, &rows.iter().map(|row| row.id).collect::<Vec<_>>()).await?;
    rows.into_iter()
        .map(|row| {
            let branch = branches.get(&row.report_id).cloned().ok_or(StoreError::corrupt("change_point.report_id"))?;
            let testbed = testbeds.get(&row.testbed_id).cloned().ok_or(StoreError::corrupt("change_point.testbed_id"))?;
            let benchmark = benchmarks.get(&row.benchmark_id).cloned().ok_or(StoreError::corrupt("change_point.benchmark_id"))?;
            let measure = measures.get(&row.measure_id).cloned().ok_or(StoreError::corrupt("change_point.measure_id"))?;
            let spec = row.spec_id.and_then(|id| specs.get(&id).cloned());
            Ok(ChangePoint {
                uuid: row.uuid.0,
                project: project.uuid.0,
                status: row.status()?,
                report: row.report_uuid.0,
                confirmed_by: row.confirmed_by.as_ref().map(|report| report.0),
                branch,
                testbed: testbed.into_json(project.uuid.0, spec),
                benchmark: benchmark.into_json(project.uuid.0),
                measure: measure.into_json(project.uuid.0),
                metric: Metric {
                    uuid: row.metric_uuid.0,
                    value: row.value,
                    lower_value: row.lower_value,
                    upper_value: row.upper_value,
                },
                start_time: row.start_time.0,
                shift: row.shift.shift()?,
                decisions: decisions.remove(&row.id).unwrap_or_default(),
                gone: row.gone.map(|time| time.0),
                created: row.created.0,
                modified: row.modified.0,
            })
        })
        .collect()
}

/// Who decided what, by change point.
async fn decisions(conn: &mut impl Queries, ids: &[i64]) -> Result<HashMap<i64, Vec<ChangePointDecision>>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        change_point_id: i64,
        status: String,
        user_id: Option<i64>,
        created: Micros,
    }

    let sql = format!(
        "SELECT change_point_id, status, user_id, created FROM change_point_decision WHERE change_point_id IN ({}) ORDER BY id",
        placeholders(1, ids.len())
    );
    let rows: Vec<Row> = conn.all(sql, ids.iter().copied().map(Value::from).collect::<Vec<_>>()).await?;
    let users: HashMap<i64, PubUser> = user::by_ids(conn, rows.iter().filter_map(|row| row.user_id)).await?;
    let mut decisions: HashMap<i64, Vec<ChangePointDecision>> = HashMap::new();
    for row in rows {
        let user = row.user_id.and_then(|id| users.get(&id).cloned());
        let decision = ChangePointDecision { status: status_of(&row.status)?, user, created: row.created.0 };
        decisions.entry(row.change_point_id).or_default().push(decision);
    }
    Ok(decisions)
}
