//! Series that are to be looked through for change points: which, what their points are, and what came of it.
//!
//! What is due is written in the transaction that files or removes points and removed when it was done, so that neither a crash nor
//! another server makes a series be forgotten. On PostgreSQL a lock lets one server at a time look: what it writes is never older than
//! what is there.

use std::collections::HashMap;

use bencher_analysis::change_point as analysis;
use bencher_types::{ChangePointUuid, DateTime, ReportUuid, wire::change_point::ChangePointStatus};

use super::ShiftRow;
use crate::{
    limits,
    store::{Among, Dialect, Queries, ReadConn, Store, StoreError, Tx, Value, among, exact, head::Link, list, postgres},
    values,
};

/// What all series have in common that are looked through together. A head's series end where it began: what it began from is of another
/// head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Scope {
    head_id: i64,
    testbed_id: i64,
    /// The spec that was measured on, if any.
    spec_id: Option<i64>,
}

/// One series of a scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::FromRow)]
pub(crate) struct SeriesId {
    benchmark_id: i64,
    measure_id: i64,
}

/// Where a point stands in its series: by version, then by time (in microseconds since 1970).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::FromRow)]
pub(crate) struct Place {
    pub(crate) version_number: i64,
    pub(crate) start_time: i64,
}

/// The newest metrics of a series, the oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Samples {
    pub(crate) values: Vec<(Place, f64)>,
    /// Whether there are older ones, which are not looked at any more.
    pub(crate) has_older: bool,
}

/// A change point that is there already.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) id: i64,
    pub(crate) place: Place,
    pub(crate) shift: ShiftRow,
    pub(crate) is_gone: bool,
    /// Whether somebody decided about it.
    pub(crate) is_decided: bool,
}

/// A change point that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) place: Place,
    pub(crate) shift: ShiftRow,
}

/// What becomes of a stored change point, or of a new one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Step {
    /// A new one, first found with the point at this place.
    Add(Found, Place),
    /// More points tell better where it was.
    Move(i64, Found),
    /// It is where it was, or is there again.
    Update(i64, ShiftRow),
    /// It is no longer found, and nobody has decided about it.
    Remove(i64),
    /// It is no longer found. What was decided about it is kept, for when it is again.
    Retire(i64),
}

/// What is to be looked through next.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) scope: Scope,
    pub(crate) of: DueOf,
}

#[derive(Clone, Debug)]
pub(crate) enum DueOf {
    /// All series of these reports.
    Reports(Vec<i64>),
    /// Series that lost points, and the rows that say so.
    Series(Vec<SeriesId>, Vec<i64>),
}

impl From<&analysis::ChangePoint> for ShiftRow {
    fn from(point: &analysis::ChangePoint) -> Self {
        let points = |regime: &analysis::Regime| i64::try_from(regime.points).unwrap_or(i64::MAX);
        Self {
            before_points: points(&point.before),
            before_mean: point.before.mean,
            before_deviation: point.before.deviation,
            after_points: points(&point.after),
            after_mean: point.after.mean,
            after_deviation: point.after.deviation,
            p_value: point.p_value,
        }
    }
}

/// Notes that the series of a report are to be looked through, once its metrics are stored.
pub(crate) async fn due(tx: &mut Tx, report: i64) -> Result<(), StoreError> {
    tx.execute("INSERT INTO change_point_due (report_id) VALUES ($1) ON CONFLICT DO NOTHING", values![report]).await?;
    Ok(())
}

/// Notes that the series of a report are to be looked through without it, which is about to be deleted.
pub(crate) async fn due_without(tx: &mut Tx, project: i64, report: ReportUuid) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO change_point_due_series (head_id, testbed_id, spec_id, benchmark_id, measure_id) \
         SELECT DISTINCT metric.head_id, metric.testbed_id, metric.spec_id, metric.benchmark_id, metric.measure_id \
         FROM report JOIN report_benchmark ON report_benchmark.report_id = report.id \
         JOIN metric ON metric.report_benchmark_id = report_benchmark.id \
         WHERE report.project_id = $1 AND report.uuid = $2 AND metric.head_id IS NOT NULL",
        values![project, report],
    )
    .await?;
    Ok(())
}

/// Where the last accepted change points of a lineage are, by benchmark; nothing where there is none.
pub(crate) async fn last_accepted(
    conn: &mut impl Queries,
    lineage: &[Link],
    (testbed, spec, measure): (i64, Option<i64>, i64),
    benchmarks: &[i64],
) -> Result<HashMap<i64, Place>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        benchmark_id: i64,
        #[sqlx(flatten)]
        place: Place,
    }

    let links = lineage.iter().map(|link| link.condition("change_point"));
    let sql = format!(
        "SELECT benchmark_id, version_number, start_time FROM change_point WHERE testbed_id = $1 \
         AND spec_id IS NOT DISTINCT FROM $2 AND measure_id = $3 AND status = '{}' AND gone IS NULL AND ({}) \
         AND {} ORDER BY version_number, start_time",
        ChangePointStatus::Accepted.as_str(),
        links.collect::<Vec<_>>().join(" OR "),
        among(conn, "benchmark_id", Among::Integers, 4)
    );
    let values = values![testbed, spec, measure, list(benchmarks)];
    Ok(conn.all::<Row>(sql, values).await?.into_iter().map(|row| (row.benchmark_id, row.place)).collect())
}

/// A server's turn to look through series: until it is over, no other one has it.
#[derive(Debug)]
pub(crate) enum Turn {
    /// There is one server, with one task for this. Its writer is not kept from others while points are read.
    Alone(ReadConn),
    Locked(Tx),
}

impl Store {
    /// What is due first: reports of one scope, else series of one scope.
    pub(crate) async fn due_change_points(&self) -> Result<Option<Due>, StoreError> {
        #[derive(sqlx::FromRow)]
        struct DueReport {
            id: i64,
            #[sqlx(flatten)]
            scope: Scope,
        }

        #[derive(sqlx::FromRow)]
        struct DueSeries {
            id: i64,
            #[sqlx(flatten)]
            scope: Scope,
            #[sqlx(flatten)]
            series: SeriesId,
        }

        let mut conn = self.read().await?;
        let sql = format!(
            "SELECT report.id, report.head_id, report.testbed_id, report.spec_id FROM change_point_due \
             JOIN report ON report.id = change_point_due.report_id ORDER BY report.id LIMIT {}",
            limits::CHANGE_POINT_REPORTS
        );
        let reports: Vec<DueReport> = conn.all(sql, values![]).await?;
        if let Some(scope) = reports.first().map(|first| first.scope) {
            let of_scope = reports.iter().filter(|report| report.scope == scope).map(|report| report.id).collect();
            return Ok(Some(Due { scope, of: DueOf::Reports(of_scope) }));
        }
        let sql = format!("SELECT * FROM change_point_due_series ORDER BY id LIMIT {}", limits::CHANGE_POINT_BATCH);
        let due: Vec<DueSeries> = conn.all(sql, values![]).await?;
        Ok(due.first().map(|first| first.scope).map(|scope| {
            let of_scope = || due.iter().filter(|due| due.scope == scope);
            let mut series: Vec<SeriesId> = of_scope().map(|due| due.series).collect();
            series.sort_unstable();
            series.dedup();
            Due { scope, of: DueOf::Series(series, of_scope().map(|due| due.id).collect()) }
        }))
    }

    /// The series that reports have points of, those after this one, in their order: a page of them.
    pub(crate) async fn series_of_reports(&self, reports: &[i64], after: Option<SeriesId>) -> Result<Vec<SeriesId>, StoreError> {
        let after = after.unwrap_or_default();
        let mut conn = self.read().await?;
        let sql = format!(
            "SELECT DISTINCT report_benchmark.benchmark_id, metric.measure_id FROM report_benchmark \
             JOIN metric ON metric.report_benchmark_id = report_benchmark.id WHERE {} \
             AND (report_benchmark.benchmark_id, metric.measure_id) > ($1, $2) ORDER BY 1, 2 LIMIT {}",
            among(&mut conn, "report_benchmark.report_id", Among::Integers, 3),
            limits::CHANGE_POINT_PAGE
        );
        conn.all(sql, values![after.benchmark_id, after.measure_id, list(reports)]).await
    }

    /// The turn to look through series; `None` where another server has it.
    pub(crate) async fn change_point_turn(&self) -> Result<Option<Turn>, StoreError> {
        #[derive(sqlx::FromRow)]
        struct Lock {
            is_ours: i64,
        }

        match self.dialect() {
            Dialect::Sqlite => Ok(Some(Turn::Alone(self.read().await?))),
            Dialect::Postgres => {
                let mut tx = self.begin().await?;
                let Lock { is_ours } = tx.one(postgres::CHANGE_POINT_LOCK, values![]).await?;
                Ok((is_ours != 0).then_some(Turn::Locked(tx)))
            }
        }
    }

    /// Notes that what was due is done.
    pub(crate) async fn change_points_done(&self, due: &DueOf) -> Result<(), StoreError> {
        let (table, column, ids) = match due {
            DueOf::Reports(reports) => ("change_point_due", "report_id", reports),
            DueOf::Series(_, rows) => ("change_point_due_series", "id", rows),
        };
        let mut tx = self.begin().await?;
        let sql = format!("DELETE FROM {table} WHERE {}", among(&mut tx, column, Among::Integers, 1));
        tx.execute(sql, values![list(ids)]).await?;
        tx.commit().await
    }
}

impl Turn {
    /// The points of each of these series, and the change points that are stored of it.
    pub(crate) async fn read(&mut self, scope: &Scope, series: &[SeriesId]) -> Result<Vec<(Samples, Vec<Stored>)>, StoreError> {
        match self {
            Self::Alone(conn) => read(conn, scope, series).await,
            Self::Locked(tx) => read(tx, scope, series).await,
        }
    }

    /// Ends the turn with what was found in each series.
    pub(crate) async fn write(
        self,
        store: &Store,
        scope: &Scope,
        steps: impl IntoIterator<Item = (SeriesId, Step)> + Send,
        now: DateTime,
    ) -> Result<(), StoreError> {
        let mut steps = steps.into_iter().peekable();
        if steps.peek().is_none() {
            return Ok(());
        }
        let mut tx = match self {
            Self::Alone(conn) => {
                drop(conn);
                store.begin().await?
            }
            Self::Locked(tx) => tx,
        };
        for (series, step) in steps.collect::<Vec<_>>() {
            write(&mut tx, scope, series, step, now).await?;
        }
        tx.commit().await
    }
}

async fn read(conn: &mut impl Queries, scope: &Scope, series: &[SeriesId]) -> Result<Vec<(Samples, Vec<Stored>)>, StoreError> {
    let mut stored = stored(conn, scope, series).await?;
    let mut all = Vec::with_capacity(series.len());
    for id in series {
        all.push((samples(conn, scope, *id).await?, stored.remove(id).unwrap_or_default()));
    }
    Ok(all)
}

const OF_SERIES: &str =
    "head_id = $1 AND testbed_id = $2 AND spec_id IS NOT DISTINCT FROM $3 AND benchmark_id = $4 AND measure_id = $5";

fn values_of(scope: &Scope, series: SeriesId) -> Vec<Value> {
    values![scope.head_id, scope.testbed_id, scope.spec_id, series.benchmark_id, series.measure_id]
}

/// The newest metrics of a series: all, or at least so many that the first one stays the same while many more are added.
async fn samples(conn: &mut impl Queries, scope: &Scope, series: SeriesId) -> Result<Samples, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        count: i64,
        samples: Option<String>,
    }

    let span = limits::CHANGE_POINT_METRICS;
    let value = exact(conn, "value");
    let sql = format!(
        "SELECT COUNT(*) AS count, string_agg(version_number || ' ' || start_time || ' ' || {value}, ',') AS samples FROM (SELECT version_number, start_time, value FROM metric \
         WHERE {OF_SERIES} ORDER BY version_number DESC, start_time DESC, iteration DESC, value DESC LIMIT {}) AS newest",
        2 * span
    );
    let Row { mut count, samples } = conn.one(sql, values_of(scope, series)).await?;
    let mut values = samples.as_deref().map_or_else(|| Ok(Vec::new()), parse)?;
    let has_older = count >= 2 * span;
    if has_older {
        let sql = format!("SELECT COUNT(*) AS count, NULL AS samples FROM metric WHERE {OF_SERIES}");
        count = conn.one::<Row>(sql, values_of(scope, series)).await?.count;
        values.truncate(usize::try_from(span + count % span).unwrap_or(usize::MAX));
    }
    values.retain(|(_, value)| value.is_finite());
    values.reverse();
    Ok(Samples { values, has_older })
}

fn parse(samples: &str) -> Result<Vec<(Place, f64)>, StoreError> {
    let sample = |text: &str| {
        let mut words = text.split(' ');
        let place = Place { version_number: words.next()?.parse().ok()?, start_time: words.next()?.parse().ok()? };
        Some((place, words.next()?.parse().ok()?))
    };
    samples.split(',').map(|text| sample(text).ok_or(StoreError::corrupt("metric.value"))).collect()
}

async fn stored(
    conn: &mut impl Queries,
    scope: &Scope,
    series: &[SeriesId],
) -> Result<HashMap<SeriesId, Vec<Stored>>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        id: i64,
        #[sqlx(flatten)]
        series: SeriesId,
        #[sqlx(flatten)]
        place: Place,
        #[sqlx(flatten)]
        shift: ShiftRow,
        gone: Option<i64>,
        is_decided: i64,
    }

    let sql = format!(
        "SELECT change_point.*, CAST(CASE WHEN EXISTS (SELECT 1 FROM change_point_decision \
         WHERE change_point_decision.change_point_id = change_point.id) THEN 1 ELSE 0 END AS BIGINT) AS is_decided \
         FROM change_point WHERE head_id = $1 AND testbed_id = $2 AND spec_id IS NOT DISTINCT FROM $3 AND {} \
         ORDER BY version_number, start_time, id",
        among(conn, "benchmark_id", Among::Integers, 4)
    );
    let benchmarks = list(series.iter().map(|series| series.benchmark_id));
    let values = values![scope.head_id, scope.testbed_id, scope.spec_id, benchmarks];
    let mut stored: HashMap<SeriesId, Vec<Stored>> = HashMap::new();
    for Row { id, series, place, shift, gone, is_decided } in conn.all(sql, values).await? {
        let row = Stored { id, place, shift, is_gone: gone.is_some(), is_decided: is_decided != 0 };
        stored.entry(series).or_default().push(row);
    }
    Ok(stored)
}

/// What was measured first at a place.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
struct First {
    metric_id: i64,
    report_id: i64,
    project_id: i64,
}

/// `None` where it was deleted meanwhile: then that is due, too.
async fn first_at(tx: &mut Tx, scope: &Scope, series: SeriesId, place: Place) -> Result<Option<First>, StoreError> {
    let sql = format!(
        "SELECT found.id AS metric_id, report.id AS report_id, report.project_id FROM (SELECT id, report_id FROM metric \
         WHERE {OF_SERIES} AND version_number = $6 AND start_time = $7 ORDER BY iteration, id LIMIT 1) AS found \
         JOIN report ON report.id = found.report_id"
    );
    let mut values = values_of(scope, series);
    values.extend(values![place.version_number, place.start_time]);
    tx.optional(sql, values).await
}

async fn write(tx: &mut Tx, scope: &Scope, series: SeriesId, step: Step, now: DateTime) -> Result<(), StoreError> {
    match step {
        Step::Add(found, confirmed) => {
            let Some(first) = first_at(tx, scope, series, found.place).await? else { return Ok(()) };
            let confirmed = first_at(tx, scope, series, confirmed).await?.map(|at| at.report_id);
            let mut row = values![
                ChangePointUuid::random(),
                first.project_id,
                scope.head_id,
                scope.testbed_id,
                scope.spec_id,
                series.benchmark_id,
                series.measure_id,
                confirmed,
                ChangePointStatus::Accepted.as_str(),
                now,
                now,
            ];
            row.extend(columns_of(&found, first));
            tx.insert_all("change_point", &INSERTED, vec![row]).await?;
        }
        Step::Move(id, found) => {
            let Some(first) = first_at(tx, scope, series, found.place).await? else { return Ok(()) };
            let mut values = values![id, now];
            values.extend(columns_of(&found, first));
            let sql = "UPDATE change_point SET modified = $2, version_number = $3, start_time = $4, report_id = $5, metric_id = $6, \
                       before_points = $7, before_mean = $8, before_deviation = $9, after_points = $10, after_mean = $11, \
                       after_deviation = $12, p_value = $13 WHERE id = $1";
            tx.execute(sql, values).await?;
        }
        Step::Update(id, shift) => {
            let mut values = values![id];
            values.extend(columns_of_shift(&shift));
            let sql = "UPDATE change_point SET gone = NULL, before_points = $2, before_mean = $3, before_deviation = $4, \
                       after_points = $5, after_mean = $6, after_deviation = $7, p_value = $8 WHERE id = $1";
            tx.execute(sql, values).await?;
        }
        Step::Remove(id) => {
            tx.execute("DELETE FROM change_point WHERE id = $1", values![id]).await?;
        }
        Step::Retire(id) => {
            tx.execute("UPDATE change_point SET gone = $2 WHERE id = $1", values![id, now]).await?;
        }
    }
    Ok(())
}

/// The columns of a new change point; those from `version_number` on as [`columns_of`] has them.
const INSERTED: [&str; 22] = [
    "uuid",
    "project_id",
    "head_id",
    "testbed_id",
    "spec_id",
    "benchmark_id",
    "measure_id",
    "confirmed_report_id",
    "status",
    "created",
    "modified",
    "version_number",
    "start_time",
    "report_id",
    "metric_id",
    "before_points",
    "before_mean",
    "before_deviation",
    "after_points",
    "after_mean",
    "after_deviation",
    "p_value",
];

fn columns_of(found: &Found, first: First) -> Vec<Value> {
    let mut values = values![found.place.version_number, found.place.start_time, first.report_id, first.metric_id];
    values.extend(columns_of_shift(&found.shift));
    values
}

fn columns_of_shift(shift: &ShiftRow) -> Vec<Value> {
    values![
        shift.before_points,
        shift.before_mean,
        shift.before_deviation,
        shift.after_points,
        shift.after_mean,
        shift.after_deviation,
        shift.p_value,
    ]
}
