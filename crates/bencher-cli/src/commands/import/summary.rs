//! What an import found and what became of it: a few lines for people, an object for machines.

use std::collections::BTreeSet;

use bencher_analysis::history::Better;
use bencher_types::DateTime;
use serde::Serialize;
use serde_with::skip_serializing_none;

use super::{Past, Unreadable};
use crate::output::{
    Human, Out, printable,
    resources::time,
    table::{Cell, fields},
};

#[skip_serializing_none]
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) project: String,
    pub(super) branch: String,
    pub(super) testbeds: BTreeSet<String>,
    pub(super) dry_run: bool,
    pub(super) reports: Reports,
    /// How many different commits the reports are of.
    pub(super) commits: usize,
    pub(super) metrics: usize,
    pub(super) first: Option<DateTime>,
    pub(super) last: Option<DateTime>,
    pub(super) measures: Vec<MeasureSummary>,
    pub(super) skipped: SkippedSummary,
    pub(super) unreadable: Vec<UnreadableSummary>,
}

/// What became of the reports.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Reports {
    pub(super) found: usize,
    pub(super) new: usize,
    /// From an earlier import.
    pub(super) known: usize,
    pub(super) refused: usize,
}

#[skip_serializing_none]
#[derive(Debug, Serialize)]
pub(super) struct MeasureSummary {
    name: String,
    units: Option<String>,
    /// Absent where the history says both.
    better: Option<&'static str>,
}

#[skip_serializing_none]
#[derive(Debug, Serialize)]
pub(super) struct SkippedSummary {
    values: usize,
    example: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct UnreadableSummary {
    path: String,
    reason: String,
}

impl Summary {
    pub(super) fn of(past: &Past, project: String, branch: String, dry_run: bool) -> Self {
        let commits: BTreeSet<_> =
            past.entries.iter().filter_map(|entry| entry.commit.as_ref().map(|hash| hash.as_str())).collect();
        let measure = |(name, measure): (&bencher_types::ResourceName, &bencher_analysis::history::PastMeasure)| MeasureSummary {
            name: name.to_string(),
            units: measure.units.as_ref().map(ToString::to_string),
            better: measure.better.map(|better| match better {
                Better::Lower => "lower",
                Better::Higher => "higher",
            }),
        };
        Self {
            project,
            branch,
            testbeds: past.entries.iter().map(|entry| entry.testbed.to_string()).collect(),
            dry_run,
            reports: Reports { found: past.entries.len(), ..Reports::default() },
            commits: commits.len(),
            metrics: past.entries.iter().map(|entry| entry.metrics).sum(),
            first: past.entries.iter().map(|entry| entry.at).min(),
            last: past.entries.iter().map(|entry| entry.at).max(),
            measures: past.measures.iter().map(measure).collect(),
            skipped: SkippedSummary { values: past.skipped.count, example: past.skipped.example.clone() },
            unreadable: past.unreadable.iter().map(UnreadableSummary::of).collect(),
        }
    }

    /// Whether something of the past is missing.
    pub(super) fn is_incomplete(&self) -> bool {
        self.reports.refused > 0 || !self.unreadable.is_empty()
    }
}

impl UnreadableSummary {
    fn of(unreadable: &Unreadable) -> Self {
        Self { path: unreadable.path.clone(), reason: unreadable.reason.clone() }
    }
}

impl Human for Summary {
    fn human(&self, out: Out) -> String {
        let Reports { found, new, known, refused } = self.reports;
        let reports =
            if self.dry_run { format!("{found} to send") } else { format!("{new} new, {known} known, {refused} refused") };
        let span = |at: Option<DateTime>| at.map(time);
        let testbeds: Vec<_> = self.testbeds.iter().map(String::as_str).collect();
        let mut rows = vec![
            ("project", Cell::new(&self.project)),
            ("branch", Cell::new(&self.branch)),
            ("testbed", Cell::new(testbeds.join(", "))),
            ("reports", Cell::new(reports)),
            ("commits", Cell::new(self.commits)),
            ("metrics", Cell::new(self.metrics)),
            ("first", Cell::maybe(span(self.first))),
            ("last", Cell::maybe(span(self.last))),
        ];
        for (index, measure) in self.measures.iter().enumerate() {
            let units = measure.units.as_ref().map_or_else(String::new, |units| format!(" in {units}"));
            let better = measure.better.map_or_else(String::new, |better| format!(", {better} is better"));
            rows.push((if index == 0 { "measures" } else { "" }, Cell::new(format!("{}{units}{better}", measure.name))));
        }
        if self.skipped.values > 0 {
            let example = self.skipped.example.as_deref().unwrap_or_default();
            rows.push(("skipped", Cell::new(printable(&format!("{} values, such as: {example}", self.skipped.values)))));
        }
        if !self.unreadable.is_empty() {
            rows.push(("unreadable", Cell::new(format!("{} files", self.unreadable.len()))));
        }
        fields(out, rows)
    }
}
