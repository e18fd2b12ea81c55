//! A report as HTML, for comments on a change: GitHub, GitLab and others show tables, links and folded parts.

use std::fmt::Write as _;

use bencher_types::wire::{
    alert::{Alert, AlertStatus, Boundary},
    dimension::Measure,
    report::{Report, ReportResult},
};
use url::Url;

use super::{report::active_alerts, resources::time, units::Unit};

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
}

/// Whether a threshold guards any of the results.
pub(crate) fn is_guarded(report: &Report) -> bool {
    let measures = report.results.iter().flatten().flatten().flat_map(|result| &result.measures);
    measures.into_iter().any(|measure| measure.threshold.is_some())
        || report.alerts.as_ref().is_some_and(|alerts| !alerts.is_empty())
}

/// A text as HTML shows it.
pub(crate) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c if c.is_control() => html.push('\u{fffd}'),
            c => html.push(c),
        }
    }
    html
}

/// All of a report.
pub(crate) fn report(report: &Report, pages: Option<&Pages>) -> String {
    let mut html = summary(report, pages);
    let iterations = report.results.as_deref().unwrap_or_default();
    for (index, results) in iterations.iter().enumerate().filter(|(_, results)| !results.is_empty()) {
        let which = if iterations.len() > 1 { format!(", iteration {index}") } else { String::new() };
        let plural = if results.len() == 1 { "" } else { "s" };
        let _ = writeln!(html, "<details><summary>Results of {} benchmark{plural}{which}</summary>", results.len());
        html.push_str(&results_table(results));
        html.push_str("</details>\n");
    }
    if iterations.iter().all(Vec::is_empty) {
        html.push_str("<p>There are no results.</p>\n");
    }
    html
}

/// What was measured, the alerts, and what could not be read.
pub(crate) fn summary(report: &Report, pages: Option<&Pages>) -> String {
    let mut html = head(report, pages);
    let alerts = report.alerts.as_deref().unwrap_or_default();
    if !alerts.is_empty() {
        html.push_str(&alerts_table(report, alerts, pages));
    }
    let problems = report.problems.as_deref().unwrap_or_default();
    if !problems.is_empty() {
        html.push_str(&table_head(&["Not read", "Reason"]));
        for problem in problems {
            row(&mut html, [escaped(&problem.origin), escaped(&problem.reason)]);
        }
        html.push_str("</table>\n");
    }
    html
}

/// What was measured, and how many alerts there are.
pub(crate) fn head(report: &Report, pages: Option<&Pages>) -> String {
    let link = |text: &str, rest: &[&str]| match pages {
        Some(pages) => format!("<a href=\"{}\">{}</a>", escaped(pages.of(report, rest).as_str()), escaped(text)),
        None => escaped(text),
    };
    let uuid = report.uuid.to_string();
    let rows = [
        ("Project", link(report.project.name.as_str(), &[])),
        ("Branch", escaped(report.branch.name.as_str())),
        ("Testbed", escaped(report.testbed.name.as_str())),
        ("Report", link(&time(report.start_time), &["reports", &uuid])),
    ];
    let mut html = "<h2>Benchmark results</h2>\n<table>\n".to_owned();
    for (name, value) in rows {
        let _ = writeln!(html, "<tr><td>{name}</td><td>{value}</td></tr>");
    }
    html.push_str("</table>\n");
    match active_alerts(report) {
        0 => {}
        1 => html.push_str("<h3>⚠️ 1 active alert</h3>\n"),
        many => {
            let _ = writeln!(html, "<h3>⚠️ {many} active alerts</h3>");
        }
    }
    match report.problems.as_deref().unwrap_or_default().len() {
        0 => {}
        1 => html.push_str("<h3>⚠️ 1 result could not be read</h3>\n"),
        many => {
            let _ = writeln!(html, "<h3>⚠️ {many} results could not be read</h3>");
        }
    }
    html
}

fn alerts_table(report: &Report, alerts: &[Alert], pages: Option<&Pages>) -> String {
    let mut html = table_head(&["Benchmark", "Measure", "Value", "Lower limit", "Upper limit", "Status"]);
    for alert in alerts {
        let measure = &alert.threshold.measure;
        let uuid = alert.uuid.to_string();
        let status = match pages {
            Some(pages) => {
                format!("<a href=\"{}\">{}</a>", escaped(pages.of(report, &["alerts", &uuid]).as_str()), alert.status.as_str())
            }
            None => alert.status.as_str().to_owned(),
        };
        let bold = alert.status == AlertStatus::Active;
        let value = value(measure, alert.metric.value, Some(alert.boundary));
        row(
            &mut html,
            [
                escaped(alert.benchmark.name.as_str()),
                escaped(measure.name.as_str()),
                if bold { format!("<b>{value}</b>") } else { value },
                limit(measure, alert.boundary.lower_limit),
                limit(measure, alert.boundary.upper_limit),
                status,
            ],
        );
    }
    html.push_str("</table>\n");
    html
}

fn results_table(results: &[ReportResult]) -> String {
    let mut html = table_head(&["Benchmark", "Measure", "Value", "Lower limit", "Upper limit"]);
    for result in results {
        for found in &result.measures {
            let boundary = found.boundary.unwrap_or_default();
            row(
                &mut html,
                [
                    escaped(result.benchmark.name.as_str()),
                    escaped(found.measure.name.as_str()),
                    value(&found.measure, found.metric.value, found.boundary),
                    limit(&found.measure, boundary.lower_limit),
                    limit(&found.measure, boundary.upper_limit),
                ],
            );
        }
    }
    html.push_str("</table>\n");
    html
}

fn table_head(titles: &[&str]) -> String {
    let cells: String = titles.iter().map(|title| format!("<th>{title}</th>")).collect();
    format!("<table>\n<tr>{cells}</tr>\n")
}

fn row<const N: usize>(html: &mut String, cells: [String; N]) {
    html.push_str("<tr>");
    for cell in cells {
        let _ = write!(html, "<td>{cell}</td>");
    }
    html.push_str("</tr>\n");
}

/// A value, and how far it is from what was expected.
fn value(measure: &Measure, value: f64, boundary: Option<Boundary>) -> String {
    let text = escaped(&Unit::new(measure.units.as_str()).format(value));
    match boundary.and_then(|boundary| boundary.baseline).filter(|baseline| *baseline != 0.0) {
        Some(baseline) => format!("{text} ({:+.2}%)", (value - baseline) / baseline.abs() * 100.0),
        None => text,
    }
}

fn limit(measure: &Measure, limit: Option<f64>) -> String {
    limit.map_or_else(String::new, |limit| escaped(&Unit::new(measure.units.as_str()).format(limit)))
}
