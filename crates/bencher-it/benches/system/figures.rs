//! Numbers and how they are shown.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// The head of the table.
pub(crate) const HEAD: &str = "| figure | median | spread | runs | aim |\n|---|---|---|---|---|";

/// One measured figure.
pub(crate) struct Figure {
    name: String,
    median: String,
    spread: String,
    runs: usize,
    aim: &'static str,
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
            aim: "",
        }
    }

    /// Numbers with a unit: the median and the extremes.
    pub(crate) fn numbers(name: impl Into<String>, mut samples: Vec<f64>, unit: &str) -> Self {
        samples.sort_by(f64::total_cmp);
        let shown = |percent| format!("{:.2} {unit}", quantile(&samples, percent)).trim_end().to_owned();
        Self {
            name: name.into(),
            median: shown(50),
            spread: format!("min {}, max {}", shown(0), shown(100)),
            runs: samples.len(),
            aim: "",
        }
    }

    /// A single reading, such as memory.
    pub(crate) fn reading(name: impl Into<String>, value: f64, unit: &str) -> Self {
        Self { name: name.into(), median: format!("{value:.2} {unit}"), spread: "one reading".to_owned(), runs: 1, aim: "" }
    }

    /// What it should be.
    pub(crate) fn aim(self, aim: &'static str) -> Self {
        Self { aim, ..self }
    }
}

/// The sample that this many percent of them do not exceed (nearest rank).
fn quantile<T: Copy + Default>(sorted: &[T], percent: usize) -> T {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "| {} | {} | {} | {} | {} |", self.name, self.median, self.spread, self.runs, self.aim)
    }
}

/// How much is measured: as much as a figure needs, or only so much that one sees it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Full,
    Quick,
}

impl Extent {
    pub(crate) fn pick<T>(self, full: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}

/// The time that a part of a measurement may take. What is slow on a machine is done less often there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    until: Instant,
    runs: usize,
}

impl Allowance {
    /// Fewest runs that are made in any case, of which the first is not counted.
    const FEWEST: usize = 3;

    pub(crate) fn new(time: Duration, runs: usize) -> Self {
        Self { until: Instant::now() + time, runs }
    }

    /// Whether there is to be a run of this number. Number 0 is for warming up.
    pub(crate) fn allows(&self, run: usize) -> bool {
        run <= self.runs && (run < Self::FEWEST || Instant::now() < self.until)
    }
}
