//! What a step says to its workflow without a token: annotations, which are lines of its log, and a summary, which is a file.

use std::{io, path::Path};

use bencher_types::wire::{
    alert::{Alert, AlertStatus},
    report::Report,
};
use tokio::io::AsyncWriteExt as _;

use crate::{
    commands::run::OnAlert,
    limits,
    output::{
        comment::{Pages, comment, markup::Markup},
        units::Unit,
    },
};

/// A workflow command (docs.github.com, "Workflow commands for GitHub Actions"): one line, whatever is in the texts.
pub(super) fn command(name: &str, title: &str, message: &str) -> String {
    let message = message.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let title = title.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A").replace(':', "%3A").replace(',', "%2C");
    format!("::{name} title={title}::{message}")
}

/// An annotation for each active alert, as many as GitHub shows: errors where alerts fail the run, else warnings.
pub(super) fn annotations(report: &Report, on_alert: OnAlert) -> Vec<String> {
    let name = if on_alert == OnAlert::Fail { "error" } else { "warning" };
    let active: Vec<_> = report.alerts.iter().flatten().filter(|alert| alert.status == AlertStatus::Active).collect();
    let shown = if active.len() > limits::MAX_ANNOTATIONS { limits::MAX_ANNOTATIONS - 1 } else { active.len() };
    let mut lines: Vec<_> = active.iter().take(shown).map(|alert| annotation(name, alert)).collect();
    if shown < active.len() {
        lines.push(command(name, "bencher", &format!("{} more active alerts", active.len() - shown)));
    }
    lines
}

fn annotation(name: &str, alert: &Alert) -> String {
    let measure = &alert.threshold.measure;
    let unit = Unit::new(measure.units.as_str());
    let boundary = alert.boundary;
    let limits = [("above the upper limit", boundary.upper_limit), ("below the lower limit", boundary.lower_limit)];
    let which = usize::from(alert.limit == bencher_types::wire::alert::BoundaryLimit::Lower);
    let (what, limit) = limits[which];
    let limit = limit.map_or_else(String::new, |limit| format!(" {}", unit.format(limit)));
    let message = format!("{}: {} is {}, {what}{limit}", alert.benchmark.name, measure.name, unit.format(alert.metric.value));
    command(name, "benchmark alert", &message)
}

/// Adds the report to the summary of the step, as far as there is room: steps may run us several times.
pub(super) async fn write_summary(path: &Path, report: &Report, pages: Option<&Pages>) -> io::Result<()> {
    let mut file = tokio::fs::OpenOptions::new().append(true).create(true).open(path).await?;
    let room = limits::MAX_STEP_SUMMARY_BYTES.saturating_sub(file.metadata().await?.len() + 2);
    let text = comment(report, pages, Markup::Markdown, usize::try_from(room).unwrap_or(usize::MAX));
    file.write_all(format!("{text}\n").as_bytes()).await?;
    file.flush().await
}

#[cfg(test)]
mod tests;
