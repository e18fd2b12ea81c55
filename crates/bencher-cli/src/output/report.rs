//! A report as people read it: what was measured, then one table of benchmarks and measures per iteration.

use bencher_types::wire::{
    alert::AlertStatus,
    dimension::Measure,
    report::{Metric, Report, ReportResult},
};

use super::{
    Human, Out, changes,
    resources::time,
    table::{Cell, Listed, Tone, fields, table},
    units::Unit,
};

impl Listed for Report {
    const HEAD: &'static [&'static str] = &["UUID", "BRANCH", "TESTBED", "ADAPTER", "STARTED", "BENCHMARKS", "ALERTS"];

    fn row(&self) -> Vec<Cell> {
        let benchmarks = match (&self.results, &self.counts) {
            (Some(results), _) if !results.is_empty() => results.iter().map(Vec::len).max(),
            (_, Some(counts)) => counts.results.iter().map(|count| count.benchmarks as usize).max(),
            _ => None,
        };
        let alerts = active_alerts(self);
        vec![
            Cell::new(self.uuid),
            Cell::new(&self.branch.name),
            Cell::new(&self.testbed.name),
            Cell::new(self.adapter),
            Cell::new(time(self.start_time)),
            Cell::maybe(benchmarks),
            Cell::toned(alerts, if alerts == 0 { Tone::Plain } else { Tone::Bad }),
        ]
    }
}

impl Human for Report {
    fn human(&self, out: Out) -> String {
        let mut text = fields(out, head(self));
        let results = self.results.as_deref().unwrap_or_default();
        if results.iter().all(Vec::is_empty) {
            text.push_str("\nno results\n");
        }
        for (index, results) in results.iter().enumerate().filter(|(_, results)| !results.is_empty()) {
            text.push('\n');
            if self.results.as_ref().is_some_and(|all| all.len() > 1) {
                text.push_str(&format!("iteration {}\n", results.first().map_or(index, |result| result.iteration as usize)));
            }
            text.push_str(&results_table(out, results));
        }
        text.push_str(&alerts(out, self));
        text.push_str(&changes::lines(self));
        text.push_str(&problems(out, self));
        text
    }
}

fn head(report: &Report) -> Vec<(&'static str, Cell)> {
    let version = report.branch.head.version.as_ref();
    let hash = version.and_then(|version| version.hash.as_ref()).map(|hash| hash.as_str().get(..12).unwrap_or_default());
    let branch = match (version, hash) {
        (Some(version), Some(hash)) => format!("{} (version {}, {hash})", report.branch.name, version.number),
        (Some(version), None) => format!("{} (version {})", report.branch.name, version.number),
        _ => report.branch.name.to_string(),
    };
    let testbed = match &report.testbed.spec {
        Some(spec) => format!("{} (spec {})", report.testbed.name, spec.slug),
        None => report.testbed.name.to_string(),
    };
    let mut rows = vec![
        ("report", Cell::new(report.uuid)),
        ("project", Cell::new(format!("{} ({})", report.project.name, report.project.slug))),
        ("branch", Cell::new(branch)),
        ("testbed", Cell::new(testbed)),
        ("adapter", Cell::new(report.adapter)),
        ("started", Cell::new(time(report.start_time))),
    ];
    if let Some(job) = report.job {
        rows.push(("job", Cell::new(job)));
    }
    rows
}

/// Benchmarks down, measures across.
fn results_table(out: Out, results: &[ReportResult]) -> String {
    let mut measures: Vec<&Measure> = Vec::new();
    for measure in results.iter().flat_map(|result| &result.measures).map(|measure| &measure.measure) {
        if !measures.iter().any(|known| known.uuid == measure.uuid) {
            measures.push(measure);
        }
    }
    let head: Vec<String> = std::iter::once("BENCHMARK".to_owned())
        .chain(measures.iter().map(|measure| measure.name.as_str().to_uppercase()))
        .collect();
    let rows = results.iter().map(|result| {
        let values = measures.iter().map(|measure| {
            let found = result.measures.iter().find(|value| value.measure.uuid == measure.uuid);
            Cell::maybe(found.map(|value| metric(&value.metric, measure)))
        });
        std::iter::once(Cell::new(&result.benchmark.name)).chain(values).collect()
    });
    table(out, &head, rows)
}

/// A value, with its bounds where it has any.
fn metric(metric: &Metric, measure: &Measure) -> String {
    let unit = Unit::new(measure.units.as_str());
    let value = unit.format(metric.value);
    match (metric.lower_value, metric.upper_value) {
        (None, None) => value,
        (lower, upper) => {
            let bound = |bound: Option<f64>| bound.map_or_else(String::new, |bound| unit.format(bound));
            format!("{value} ({} … {})", bound(lower), bound(upper))
        }
    }
}

/// How many alerts of a report nobody has dealt with.
pub(crate) fn active_alerts(report: &Report) -> usize {
    match &report.alerts {
        Some(alerts) => alerts.iter().filter(|alert| alert.status == AlertStatus::Active).count(),
        None => report.counts.as_ref().map_or(0, |counts| counts.alerts.active as usize),
    }
}

/// What could not be read.
fn problems(out: Out, report: &Report) -> String {
    let problems = report.problems.as_deref().unwrap_or_default();
    if problems.is_empty() {
        return String::new();
    }
    let head = ["NOT READ", "REASON"].map(str::to_owned);
    let rows = problems.iter().map(|problem| vec![Cell::toned(&problem.origin, Tone::Bad), Cell::new(&problem.reason)]);
    format!("\n{}", table(out, &head, rows))
}

fn alerts(out: Out, report: &Report) -> String {
    let alerts = report.alerts.as_deref().unwrap_or_default();
    if alerts.is_empty() {
        return String::new();
    }
    // Without it, the same benchmark and measure of two iterations would look like one.
    let several = report.results.as_ref().is_some_and(|iterations| iterations.len() > 1);
    let mut head = vec!["ALERT", "MEASURE", "LIMIT", "STATUS"];
    if several {
        head.insert(1, "ITERATION");
    }
    let head: Vec<String> = head.into_iter().map(str::to_owned).collect();
    let rows = alerts.iter().map(|alert| {
        let (limit, status) = (alert.limit.as_str(), alert.status.as_str());
        let tone = if alert.status == AlertStatus::Active { Tone::Bad } else { Tone::Plain };
        let mut row = vec![
            Cell::new(&alert.benchmark.name),
            Cell::new(&alert.threshold.measure.name),
            Cell::new(limit),
            Cell::toned(status, tone),
        ];
        if several {
            row.insert(1, Cell::new(alert.iteration));
        }
        row
    });
    format!("\n{}", table(out, &head, rows))
}
