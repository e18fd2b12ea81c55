//! What an output measured: benchmarks, their measures and one value each, with everything about it checked once.

use std::collections::{BTreeMap, btree_map::Entry};

use bencher_types::{BenchmarkName, ResourceName};

use crate::{
    limits::MAX_METRICS,
    suffix::{Alerts, IGNORE_SUFFIX, split_ignore_suffix},
};

/// One measured value, in the units of its measure. Finite in all parts once it is in [`Metrics`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetricValue {
    pub value: f64,
    /// Where the harness puts the lower end of the spread. Not compared with `value`: what it means is the harness's.
    pub lower_value: Option<f64>,
    /// Where the harness puts the upper end of the spread.
    pub upper_value: Option<f64>,
}

impl MetricValue {
    /// A value of which the harness does not say how far it spreads.
    #[must_use]
    pub const fn alone(value: f64) -> Self {
        Self { value, lower_value: None, upper_value: None }
    }

    /// A value of something that cannot be negative, with as much below as above it. Short times can spread further than they
    /// last; the lower value then ends at zero.
    #[must_use]
    pub const fn around(value: f64, spread: f64) -> Self {
        let lower = value - spread;
        // Not `max`, which would hide that a spread is not a number.
        let lower = if lower < 0.0 && value >= 0.0 { 0.0 } else { lower };
        Self { value, lower_value: Some(lower), upper_value: Some(value + spread) }
    }
}

/// What was measured of one benchmark.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BenchmarkMetrics {
    pub alerts: Alerts,
    /// By the measure's slug or name, as the harness gave it. Two spellings of one measure (`latency` and `Latency`)
    /// are two entries; only who knows the project's measures can tell.
    pub measures: BTreeMap<ResourceName, MetricValue>,
}

impl BenchmarkMetrics {
    /// The benchmark's name as a harness prints it: with an ignore suffix where alerts are suppressed.
    #[must_use]
    pub fn printed(&self, name: &BenchmarkName) -> String {
        match self.alerts {
            Alerts::Raised => name.to_string(),
            Alerts::Suppressed => format!("{name}{IGNORE_SUFFIX}"),
        }
    }
}

/// Everything one output measured, by benchmark name without its ignore suffix, in the order of the names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    benchmarks: BTreeMap<BenchmarkName, BenchmarkMetrics>,
    /// The values over all benchmarks, counted as they come so that a large output stays linear.
    count: usize,
}

/// A metric that cannot be taken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidMetric {
    #[error("benchmark `{benchmark}` has the {part} {found} for `{measure}`: expected a finite number")]
    NotFinite { benchmark: BenchmarkName, measure: ResourceName, part: &'static str, found: f64 },
    #[error("benchmark `{benchmark}` is there twice with `{measure}`: give each benchmark a name of its own")]
    Duplicate { benchmark: BenchmarkName, measure: ResourceName },
    #[error("benchmark `{benchmark}` is there both with and without an ignore suffix: use one of the two names")]
    HalfIgnored { benchmark: BenchmarkName },
    #[error("more than {MAX_METRICS} metrics in one output: split the benchmarks over several runs")]
    TooMany,
}

impl Metrics {
    /// Adds one value under the benchmark's name as it was printed, ignore suffix and all.
    ///
    /// # Errors
    /// A part is not finite, the benchmark has this measure already or is known with other [`Alerts`], or there are
    /// [`MAX_METRICS`] values. Nothing was added then.
    pub fn insert(&mut self, printed: &BenchmarkName, measure: ResourceName, value: MetricValue) -> Result<(), InvalidMetric> {
        let (benchmark, alerts) = split_ignore_suffix(printed);
        let parts = [("value", Some(value.value)), ("lower value", value.lower_value), ("upper value", value.upper_value)];
        for (part, number) in parts {
            if let Some(found) = number.filter(|number| !number.is_finite()) {
                return Err(InvalidMetric::NotFinite { benchmark, measure, part, found });
            }
        }
        if self.count >= MAX_METRICS {
            return Err(InvalidMetric::TooMany);
        }
        let of_benchmark = match self.benchmarks.entry(benchmark.clone()) {
            Entry::Vacant(vacant) => vacant.insert(BenchmarkMetrics { alerts, measures: BTreeMap::new() }),
            Entry::Occupied(occupied) if occupied.get().alerts == alerts => occupied.into_mut(),
            Entry::Occupied(_) => return Err(InvalidMetric::HalfIgnored { benchmark }),
        };
        match of_benchmark.measures.entry(measure) {
            Entry::Vacant(vacant) => {
                vacant.insert(value);
                self.count += 1;
                Ok(())
            }
            Entry::Occupied(occupied) => Err(InvalidMetric::Duplicate { benchmark, measure: occupied.key().clone() }),
        }
    }

    /// What several outputs come to. Their values were checked when they were taken.
    pub(crate) fn from_checked(benchmarks: BTreeMap<BenchmarkName, BenchmarkMetrics>) -> Self {
        let count = benchmarks.values().map(|benchmark| benchmark.measures.len()).sum();
        Self { benchmarks, count }
    }

    /// Whether nothing was measured at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many values there are, over all benchmarks.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// What was measured of a benchmark, by its name without an ignore suffix.
    #[must_use]
    pub fn get(&self, benchmark: &BenchmarkName) -> Option<&BenchmarkMetrics> {
        self.benchmarks.get(benchmark)
    }

    /// The benchmarks in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&BenchmarkName, &BenchmarkMetrics)> {
        self.benchmarks.iter()
    }
}

#[cfg(test)]
mod tests;
