//! Numbers and how they are shown.

use std::{fmt, time::Duration};

/// One measured figure.
pub(crate) struct Figure {
    name: String,
    median: String,
    spread: String,
    runs: usize,
}

impl Figure {
    /// Durations, in milliseconds: the median, then the 99th percentile and the extremes.
    pub(crate) fn durations(name: impl Into<String>, mut samples: Vec<Duration>) -> Self {
        samples.sort();
        let millis = |duration: Duration| format!("{:.2} ms", duration.as_secs_f64() * 1e3);
        Self {
            name: name.into(),
            median: millis(quantile(&samples, 50)),
            spread: format!(
                "p99 {}, min {}, max {}",
                millis(quantile(&samples, 99)),
                millis(quantile(&samples, 0)),
                millis(quantile(&samples, 100))
            ),
            runs: samples.len(),
        }
    }

    /// A single reading, such as memory.
    pub(crate) fn reading(name: impl Into<String>, value: f64, unit: &str) -> Self {
        Self { name: name.into(), median: format!("{value:.2} {unit}"), spread: "one reading".to_owned(), runs: 1 }
    }
}

/// The sample that this many percent of them do not exceed (nearest rank).
fn quantile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "| {} | {} | {} | {} |", self.name, self.median, self.spread, self.runs)
    }
}
