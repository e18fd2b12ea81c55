//! How the history of metrics looks: points, plots, and one metric.

use bencher_types::wire::{
    change_point::ChangePointStatus,
    perf::{Perf, PerfMetric, PerfMetrics},
    plot::{Plot, XAxis, YAxis},
    report::OneMetric,
};

use super::{
    Human, Out,
    changes::change,
    guards::alert_status,
    resources::{time, yes_no},
    table::{Cell, Listed, fields, styled_table},
    units::Unit,
};
use crate::cli::history::TableStyle;

impl Human for Perf {
    fn human(&self, out: Out) -> String {
        perf_table(out, self, TableStyle::default())
    }
}

/// One row for each point, series after series.
pub(crate) fn perf_table(out: Out, perf: &Perf, style: TableStyle) -> String {
    const HEAD: [&str; 11] = [
        "BENCHMARK",
        "MEASURE",
        "BRANCH",
        "TESTBED",
        "VERSION",
        "HASH",
        "STARTED",
        "VALUE",
        "LOWER LIMIT",
        "UPPER LIMIT",
        "ALERT",
    ];
    if perf.results.iter().all(|series| series.metrics.is_empty()) {
        return "no results\n".to_owned();
    }
    let rows = perf.results.iter().flat_map(|series| series.metrics.iter().map(move |point| row(series, point)));
    if perf.results.iter().all(|series| series.change_points.is_none()) {
        return styled_table(out, &HEAD.map(str::to_owned), rows, style);
    }
    let changes = perf.results.iter().flat_map(|series| series.metrics.iter().map(move |point| began(series, point)));
    let rows = rows.zip(changes).map(|(row, change)| row.into_iter().chain([change]).collect());
    let head: Vec<String> = HEAD.into_iter().chain(["CHANGE"]).map(str::to_owned).collect();
    styled_table(out, &head, rows, style)
}

/// The change that a point began, unless somebody has put that aside.
fn began(series: &PerfMetrics, point: &PerfMetric) -> Cell {
    let mut accepted = series.change_points.iter().flatten().filter(|change| change.status == ChangePointStatus::Accepted);
    let began = accepted.find(|change| change.metric == point.metric.uuid);
    Cell::maybe(began.map(|began| change(&began.shift, &series.measure)))
}

fn row(series: &PerfMetrics, point: &PerfMetric) -> Vec<Cell> {
    let unit = Unit::new(series.measure.units.as_str());
    let limit = |limit: Option<f64>| Cell::maybe(limit.map(|limit| unit.format(limit)));
    let boundary = point.boundary.unwrap_or_default();
    vec![
        Cell::new(&series.benchmark.name),
        Cell::new(&series.measure.name),
        Cell::new(&series.branch.name),
        Cell::new(&series.testbed.name),
        Cell::new(point.version.number),
        Cell::maybe(point.version.hash.as_ref().and_then(|hash| hash.as_str().get(..12))),
        Cell::new(time(point.start_time)),
        Cell::new(unit.format(point.metric.value)),
        limit(boundary.lower_limit),
        limit(boundary.upper_limit),
        point.alert.map_or_else(|| Cell::maybe(None::<&str>), |alert| alert_status(alert.status)),
    ]
}

impl Human for OneMetric {
    fn human(&self, out: Out) -> String {
        let unit = Unit::new(self.measure.units.as_str());
        let format = |value: Option<f64>| Cell::maybe(value.map(|value| unit.format(value)));
        let boundary = self.boundary.unwrap_or_default();
        fields(
            out,
            [
                ("uuid", Cell::new(self.uuid)),
                ("benchmark", Cell::new(&self.benchmark.name)),
                ("measure", Cell::new(&self.measure.name)),
                ("branch", Cell::new(&self.branch.name)),
                ("testbed", Cell::new(&self.testbed.name)),
                ("value", format(Some(self.metric.value))),
                ("lower value", format(self.metric.lower_value)),
                ("upper value", format(self.metric.upper_value)),
                ("lower limit", format(boundary.lower_limit)),
                ("upper limit", format(boundary.upper_limit)),
                ("alert", self.alert.map_or_else(|| Cell::maybe(None::<&str>), |alert| alert_status(alert.status))),
                ("report", Cell::new(self.report)),
                ("iteration", Cell::new(self.iteration)),
                ("started", Cell::new(time(self.start_time))),
            ],
        )
    }
}

/// How many things of each kind a plot shows.
fn extent(plot: &Plot) -> [usize; 4] {
    [plot.branches.len(), plot.testbeds.len(), plot.benchmarks.len(), plot.measures.len()]
}

impl Listed for Plot {
    const HEAD: &'static [&'static str] = &["UUID", "TITLE", "BRANCHES", "TESTBEDS", "BENCHMARKS", "MEASURES"];

    fn row(&self) -> Vec<Cell> {
        [Cell::new(self.uuid), Cell::maybe(self.title.as_ref())].into_iter().chain(extent(self).map(Cell::new)).collect()
    }
}

impl Human for Plot {
    fn human(&self, out: Out) -> String {
        fn lines<T: ToString>(ids: &[T]) -> Cell {
            Cell::new(ids.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        }
        let x_axis = match self.x_axis {
            XAxis::DateTime => "date_time",
            XAxis::Version => "version",
        };
        let y_axis = match self.y_axis {
            YAxis::Auto => "auto",
            YAxis::Linear => "linear",
            YAxis::Log => "log",
        };
        fields(
            out,
            [
                ("uuid", Cell::new(self.uuid)),
                ("title", Cell::maybe(self.title.as_ref())),
                ("x axis", Cell::new(x_axis)),
                ("y axis", Cell::new(y_axis)),
                ("window", Cell::new(format!("{} s", self.window))),
                ("lower value", yes_no(self.lower_value)),
                ("upper value", yes_no(self.upper_value)),
                ("lower boundary", yes_no(self.lower_boundary)),
                ("upper boundary", yes_no(self.upper_boundary)),
                ("branches", lines(&self.branches)),
                ("testbeds", lines(&self.testbeds)),
                ("benchmarks", lines(&self.benchmarks)),
                ("measures", lines(&self.measures)),
                ("created", Cell::new(time(self.created))),
            ],
        )
    }
}
