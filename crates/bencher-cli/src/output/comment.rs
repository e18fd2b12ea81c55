//! A report as a comment on the change that was measured: alerts first, then every result, cut to what a comment may hold.
//!
//! Here is what is said; how HTML and Markdown say it, and how nothing of a foreign name gets a meaning in them, is in [`markup`].

pub(crate) mod markup;

use bencher_types::wire::{
    alert::{Alert, AlertStatus, Boundary},
    change_point::ReportChangePoint,
    dimension::{Benchmark, Measure},
    report::{Report, ReportProblem, ReportResult},
};
use url::Url;

use self::markup::{Markup, Pen, Span};
use super::{changes, report::active_alerts, resources::time, units::Unit};

/// Where the pages of a server are that a comment links to.
#[derive(Clone, Debug)]
pub(crate) struct Pages {
    pub console: Url,
    /// Pages that anybody may see, instead of those for members.
    pub public: bool,
}

impl Pages {
    fn of(&self, report: &Report, rest: &[&str]) -> Url {
        let mut url = self.console.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            let root: &[&str] = if self.public { &["perf"] } else { &["console", "projects"] };
            segments.pop_if_empty().extend(root).push(report.project.slug.as_str()).extend(rest);
        }
        url
    }

    /// The page of a report.
    pub(crate) fn report(&self, report: &Report) -> Url {
        self.of(report, &["reports", &report.uuid.to_string()])
    }

    /// The history of one measure of one benchmark.
    fn history(&self, report: &Report, benchmark: &Benchmark, measure: &Measure) -> Url {
        let mut url = self.of(report, if self.public { &[] } else { &["perf"] });
        url.query_pairs_mut()
            .append_pair("branches", &report.branch.uuid.to_string())
            .append_pair("heads", &report.branch.head.uuid.to_string())
            .append_pair("testbeds", &report.testbed.uuid.to_string())
            .append_pair("benchmarks", &benchmark.uuid.to_string())
            .append_pair("measures", &measure.uuid.to_string());
        url
    }
}

/// Whether a threshold guards any of the results.
pub(crate) fn is_guarded(report: &Report) -> bool {
    let measures = report.results.iter().flatten().flatten().flat_map(|result| &result.measures);
    measures.into_iter().any(|measure| measure.threshold.is_some())
        || report.alerts.as_ref().is_some_and(|alerts| !alerts.is_empty())
}

/// How many alerts are active, in words.
pub(crate) fn verdict(report: &Report) -> String {
    match active_alerts(report) {
        0 if is_guarded(report) => "no active alerts".to_owned(),
        0 => "no threshold guards these results".to_owned(),
        1 => "1 active alert".to_owned(),
        many => format!("{many} active alerts"),
    }
}

/// A report in at most `limit` bytes. Where that is too little for all of it, links of single results go first, then the last results;
/// a note says how many.
pub(crate) fn comment(report: &Report, pages: Option<&Pages>, markup: Markup, limit: usize) -> String {
    let mut pen = Pen::new(markup, limit);
    write(&mut pen, report, pages, Links::OfEveryResult);
    if pen.left_out() > 0 {
        pen = Pen::new(markup, limit);
        write(&mut pen, report, pages, Links::OfAlerts);
    }
    pen.end()
}

/// Which rows link to their history.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Links {
    OfEveryResult,
    OfAlerts,
}

fn write(pen: &mut Pen, report: &Report, pages: Option<&Pages>, links: Links) {
    pen.heading("Benchmark results");
    let link = |span: Span, url: &dyn Fn(&Pages) -> Url| match pages {
        Some(pages) => span.linked(url(pages)),
        None => span,
    };
    pen.facts(&[
        ("Project", link(Span::name(report.project.name.as_str()), &|pages| pages.of(report, &[]))),
        ("Branch", Span::name(report.branch.name.as_str())),
        ("Testbed", Span::name(report.testbed.name.as_str())),
        ("Report", link(Span::text(time(report.start_time)), &|pages| pages.report(report))),
    ]);
    match active_alerts(report) {
        0 => {}
        _ => pen.alarm(&verdict(report)),
    }
    let problems = report.problems.as_deref().unwrap_or_default();
    match problems.len() {
        0 => {}
        1 => pen.alarm("1 result could not be read"),
        many => pen.alarm(&format!("{many} results could not be read")),
    }
    let alerts = report.alerts.as_deref().unwrap_or_default();
    if !alerts.is_empty() {
        pen.table(None, &[&HEAD[..], &["Status"]].concat(), alerts.iter().map(|alert| alert_row(report, alert, pages)));
    }

    if !problems.is_empty() {
        let row = |problem: &ReportProblem| vec![Span::foreign(problem.origin.clone()), Span::foreign(problem.reason.clone())];
        pen.table(None, &["Not read", "Reason"], problems.iter().map(row));
    }
    let mut changes = changes::told(report).peekable();
    if changes.peek().is_some() {
        let row = |(point, how): (&ReportChangePoint, String)| {
            vec![Span::name(point.benchmark.name.as_str()), Span::name(point.measure.name.as_str()), Span::foreign(how)]
        };
        pen.table(None, &["Benchmark", "Measure", "When it changed"], changes.map(row));
    }

    let iterations = report.results.as_deref().unwrap_or_default();
    let of_results = pages.filter(|_| links == Links::OfEveryResult);
    for (index, results) in iterations.iter().enumerate().filter(|(_, results)| !results.is_empty()) {
        let which = if iterations.len() > 1 { format!(", iteration {index}") } else { String::new() };
        let plural = if results.len() == 1 { "" } else { "s" };
        let caption = format!("Results of {} benchmark{plural}{which}", results.len());
        pen.table(Some(&caption), &HEAD, results.iter().flat_map(|result| result_rows(report, result, of_results)));
    }
    if iterations.iter().all(Vec::is_empty) {
        pen.paragraph("There are no results.");
    }
}

const HEAD: [&str; 7] = ["Benchmark", "Measure", "Value", "Baseline", "Change", "Lower limit", "Upper limit"];

fn alert_row(report: &Report, alert: &Alert, pages: Option<&Pages>) -> Vec<Span> {
    let measure = &alert.threshold.measure;
    let mut row = cells(&alert.benchmark, measure, alert.metric.value, Some(alert.boundary));
    let [benchmark, _, value, ..] = row.as_mut_slice() else { return row };
    let mut status = Span::text(alert.status.as_str());
    if let Some(pages) = pages {
        *benchmark = std::mem::take(benchmark).linked(pages.history(report, &alert.benchmark, measure));
        status = status.linked(pages.of(report, &["alerts", &alert.uuid.to_string()]));
    }
    if alert.status == AlertStatus::Active {
        *value = std::mem::take(value).strong();
    }
    row.push(status);
    row
}

fn result_rows(report: &Report, result: &ReportResult, pages: Option<&Pages>) -> impl Iterator<Item = Vec<Span>> {
    result.measures.iter().map(move |found| {
        let mut row = cells(&result.benchmark, &found.measure, found.metric.value, found.boundary);
        if let (Some(pages), Some(benchmark)) = (pages, row.first_mut()) {
            *benchmark = std::mem::take(benchmark).linked(pages.history(report, &result.benchmark, &found.measure));
        }
        row
    })
}

/// What stands under [`HEAD`].
fn cells(benchmark: &Benchmark, measure: &Measure, value: f64, boundary: Option<Boundary>) -> Vec<Span> {
    let Boundary { baseline, lower_limit, upper_limit } = boundary.unwrap_or_default();
    let unit = Unit::new(measure.units.as_str());
    let shown = |number: Option<f64>| number.map_or_else(Span::default, |number| Span::foreign(unit.format(number)));
    let change = baseline.filter(|baseline| *baseline != 0.0).map(|baseline| (value - baseline) / baseline.abs() * 100.0);
    vec![
        Span::name(benchmark.name.as_str()),
        Span::name(measure.name.as_str()),
        shown(Some(value)),
        shown(baseline),
        change.map_or_else(Span::default, |change| Span::text(format!("{change:+.2}%"))),
        shown(lower_limit),
        shown(upper_limit),
    ]
}
