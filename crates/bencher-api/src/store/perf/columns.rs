//! The history of metrics in columns: everything is named once, and of each series there are lists of numbers.

use std::collections::HashMap;

use bencher_types::{
    MetricUuid,
    wire::{
        change_point::PerfChangePoint,
        perf::{PerfColumns, PointAlert, PointChange, ReportColumns, SeriesColumns},
        project::Project,
    },
};

use super::{
    PerfError, PerfQuery, Scope,
    points::{Detail, Point, Points, ReportOfPoints},
};
use crate::{
    limits,
    store::{Store, change_point, project::ProjectRow},
};

/// What is asked for of a point beside its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// Lower and upper values.
    pub bounds: bool,
    /// Thresholds, baselines, limits and alerts.
    pub thresholds: bool,
    /// Change points.
    pub changes: bool,
}

impl Store {
    /// As [`Store::perf`], in columns.
    ///
    /// # Errors
    /// There are too many points, or the database failed.
    pub async fn perf_columns(
        &self,
        project: &ProjectRow,
        query: &PerfQuery,
        columns: Columns,
    ) -> Result<PerfColumns, PerfError> {
        let mut conn = self.read().await?;
        let mut answer = PerfColumns {
            project: Project::from(project.clone()),
            start_time: query.start_time,
            end_time: query.end_time,
            branches: Vec::new(),
            testbeds: Vec::new(),
            benchmarks: Vec::new(),
            measures: Vec::new(),
            reports: ReportColumns::default(),
            thresholds: columns.thresholds.then(Vec::new),
            series: Vec::new(),
        };
        let Some(scope) = Scope::of(&mut conn, project, query).await? else { return Ok(answer) };
        let detail = if columns == Columns::default() { Detail::Values } else { Detail::Everything };
        let asked = (detail, limits::MAX_PERF_COLUMN_POINTS);
        let points = Points::read(&mut conn, (project, &scope), (query.start_time, query.end_time), asked).await?;
        let changes = if columns.changes { change_point::by_metric(&mut conn, scope.rows()).await? } else { HashMap::new() };
        drop(conn);

        answer.series = series(&scope, &points, (columns, &changes));
        answer.thresholds = columns.thresholds.then_some(points.thresholds);
        for ReportOfPoints { uuid, start_time, end_time, version } in points.reports {
            answer.reports.uuid.push(uuid);
            answer.reports.start_time.push(start_time);
            answer.reports.end_time.push(end_time);
            answer.reports.version_number.push(version.number);
            answer.reports.version_hash.push(version.hash);
        }
        answer.branches = scope.heads.into_iter().map(|head| head.json).collect();
        answer.testbeds = scope.testbeds.into_iter().map(|testbed| testbed.json).collect();
        answer.benchmarks = scope.benchmarks.into_iter().map(|benchmark| benchmark.into_json(project.uuid.0)).collect();
        answer.measures = scope.measures.into_iter().map(|measure| measure.into_json(project.uuid.0)).collect();
        Ok(answer)
    }
}

/// What is asked for, and the change points by the first metrics of their regimes.
type Asked<'a> = (Columns, &'a HashMap<MetricUuid, PerfChangePoint>);

/// Every permutation that has points, in the order of the query.
fn series(scope: &Scope, points: &Points, asked: Asked<'_>) -> Vec<SeriesColumns> {
    let places = scope.permutations(points).map(|(places, points)| {
        let [branch, testbed, benchmark, measure] = places.map(place);
        let series = SeriesColumns { branch, testbed, benchmark, measure, ..SeriesColumns::default() };
        filled(series, &points, asked)
    });
    places.collect()
}

/// A series with its points.
fn filled(mut series: SeriesColumns, points: &[&Point], (columns, changes): Asked<'_>) -> SeriesColumns {
    series.report = points.iter().map(|point| place(point.report)).collect();
    series.value = points.iter().map(|point| point.value).collect();
    if points.iter().any(|point| point.iteration != 0) {
        series.iteration = Some(points.iter().map(|point| point.iteration).collect());
    }
    let more = || points.iter().map(|point| point.more.as_ref());
    if columns.bounds {
        series.lower_value = where_any(more().map(|more| more?.lower_value));
        series.upper_value = where_any(more().map(|more| more?.upper_value));
    }
    if columns.thresholds {
        series.threshold = where_any(more().map(|more| more?.threshold.map(place)));
        series.baseline = where_any(more().map(|more| more?.baseline));
        series.lower_limit = where_any(more().map(|more| more?.lower_limit));
        series.upper_limit = where_any(more().map(|more| more?.upper_limit));
        let alerts = more().enumerate().filter_map(|(point, more)| Some((point, more?.alert?)));
        let alerts: Vec<PointAlert> = alerts.map(|(point, alert)| PointAlert { point: place(point), alert }).collect();
        series.alerts = (!alerts.is_empty()).then_some(alerts);
    }
    if columns.changes {
        let found = more().enumerate().filter_map(|(point, more)| Some((point, *changes.get(&more?.uuid)?)));
        let found: Vec<PointChange> = found.map(|(point, change)| PointChange { point: place(point), change }).collect();
        series.change_points = (!found.is_empty()).then_some(found);
    }
    series
}

/// A place in a list, of which there are far fewer than four milliards.
fn place(place: usize) -> u32 {
    u32::try_from(place).expect("points are counted before")
}

/// A column, where any place has something.
fn where_any<T>(column: impl Iterator<Item = Option<T>>) -> Option<Vec<Option<T>>> {
    let column: Vec<Option<T>> = column.collect();
    column.iter().any(Option::is_some).then_some(column)
}
