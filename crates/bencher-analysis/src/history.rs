//! Histories that other tools keep: what each commit measured in the past, for a project that arrives with its past.
//!
//! Pure, like all of this crate: which files there are, and where the runs go, is decided by the caller. A run, a benchmark or a value
//! that cannot be taken is passed over and counted; only a file that is not what it should be is an error.

pub mod asv;
pub mod github_action_benchmark;
mod lenient;
mod unit;

use std::collections::BTreeMap;

use bencher_types::{BenchmarkName, DateTime, GitHash, ResourceName, wire::adapter::Adapter};

pub use self::unit::Better;
use self::unit::Kind;
use crate::{
    adapter::InvalidJson,
    limits::MAX_EXCERPT_CHARS,
    metrics::{MetricValue, Metrics},
};

/// What was measured at one commit.
#[derive(Clone, Debug, PartialEq)]
pub struct PastRun {
    pub commit: Option<GitHash>,
    /// When the commit was made, or else when it was measured.
    pub at: DateTime,
    pub metrics: Metrics,
}

impl PastRun {
    /// The same run with a prefix before the names of its benchmarks. What is too long with it is counted.
    #[must_use]
    pub fn prefixed(&self, prefix: &str, skipped: &mut Skipped) -> Self {
        let mut metrics = Metrics::default();
        for (name, benchmark) in self.metrics.iter() {
            let name = match BenchmarkName::new(format!("{prefix}/{}", benchmark.printed(name))) {
                Ok(name) => name,
                Err(error) => {
                    skipped.add(|| error.to_string());
                    continue;
                }
            };
            for (measure, value) in &benchmark.measures {
                if let Err(error) = metrics.insert(&name, measure.clone(), *value) {
                    skipped.add(|| error.to_string());
                }
            }
        }
        Self { metrics, ..self.clone() }
    }
}

/// What a history measures and this product does not know by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastMeasure {
    /// As people read them. `None`: the measure is built in and has its own.
    pub units: Option<ResourceName>,
    /// `None` where the history says both.
    pub better: Option<Better>,
}

/// The measures of a history, by the name that its metrics use.
pub type PastMeasures = BTreeMap<ResourceName, PastMeasure>;

/// How much was passed over, and an example of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    pub count: usize,
    /// The first, and why.
    pub example: Option<String>,
}

impl Skipped {
    fn add(&mut self, why: impl FnOnce() -> String) {
        self.count += 1;
        self.example.get_or_insert_with(why);
    }

    /// Counts what somebody else passed over.
    pub fn merge(&mut self, other: Self) {
        self.count += other.count;
        if self.example.is_none() {
            self.example = other.example;
        }
    }
}

/// Why a file is no history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    #[error("expected {expected}")]
    Format {
        expected: &'static str,
        #[source]
        source: InvalidJson,
    },
    #[error("expected {expected}, found {found}")]
    Content { expected: &'static str, found: String },
}

impl HistoryError {
    fn format(expected: &'static str) -> impl Fn(serde_json::Error) -> Self {
        move |error| Self::Format { expected, source: (&error).into() }
    }
}

/// The metrics of one run while they are gathered.
#[derive(Default)]
struct Gathered {
    metrics: Metrics,
}

impl Gathered {
    /// Adds a value; what cannot be added is counted with the reason.
    fn add(&mut self, to: &mut Notes, benchmark: &str, of: &Kind, value: MetricValue) {
        let name = match BenchmarkName::new(benchmark) {
            Ok(name) => name,
            Err(error) => return to.skipped.add(|| error.to_string()),
        };
        match self.metrics.insert(&name, of.measure.clone(), value) {
            Ok(()) => to.measure(of),
            Err(error) => to.skipped.add(|| error.to_string()),
        }
    }
}

/// What is learned of a history beside its runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Notes {
    measures: PastMeasures,
    skipped: Skipped,
}

impl Notes {
    fn measure(&mut self, of: &Kind) {
        match self.measures.get_mut(&of.measure) {
            Some(known) if known.better != Some(of.better) => known.better = None,
            Some(_) => {}
            None => {
                let known = PastMeasure { units: of.units.clone(), better: Some(of.better) };
                self.measures.insert(of.measure.clone(), known);
            }
        }
    }
}

/// A time in milliseconds since 1970.
fn at_millis(millis: i64) -> Option<DateTime> {
    DateTime::from_micros(millis.checked_mul(1000)?).ok()
}

/// A foreign text as an error may repeat it.
fn cut(text: &str) -> String {
    text.chars().take(MAX_EXCERPT_CHARS).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The adapter that reads what [`crate::adapter::to_bmf`] makes of a run.
pub const ADAPTER: Adapter = Adapter::Json;

#[cfg(test)]
mod tests;
