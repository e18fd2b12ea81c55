//! pytest-benchmark's `--benchmark-json`: one latency per benchmark, under its full name.
//!
//! With the mean, one standard deviation around it; with the median, one interquartile range around it. All are the tool's own,
//! in nanoseconds instead of seconds.

use bencher_types::wire::adapter::{Adapter, Average};
use serde::Deserialize;

use super::{
    AdapterError,
    gather::Gather,
    object::{List, Object, read},
};
use crate::{
    decimal,
    measure::LATENCY,
    metrics::{MetricValue, Metrics},
};

const ADAPTER: Adapter = Adapter::PythonPytest;
const EXPECTED: &str = "the JSON that `pytest --benchmark-json` writes";
/// From the seconds of the export to nanoseconds, as a power of ten.
const SECONDS_TO_NANOS: i32 = 9;

#[derive(Deserialize)]
struct Export {
    benchmarks: List<Object<Benchmark>>,
}

#[derive(Deserialize)]
struct Benchmark {
    /// The file, the class, the function and its parameters.
    fullname: String,
    stats: Object<Stats>,
}

/// Times in seconds.
#[derive(Deserialize)]
struct Stats {
    mean: f64,
    stddev: f64,
    median: f64,
    iqr: f64,
}

pub(super) fn parse(average: Average, text: &str) -> Result<Metrics, AdapterError> {
    let Object(Export { benchmarks: List(benchmarks) }) = read(ADAPTER, EXPECTED, text)?;
    let mut found = Gather::new(ADAPTER, "the name is the test's node, with its parameters");
    for Object(Benchmark { fullname, stats: Object(stats) }) in benchmarks {
        let (value, spread) = match average {
            Average::Mean => (stats.mean, stats.stddev),
            Average::Median => (stats.median, stats.iqr),
        };
        let nanos = |seconds| decimal::shift(seconds, SECONDS_TO_NANOS);
        found.add(&fullname, &LATENCY, MetricValue::around(nanos(value), nanos(spread)))?;
    }
    found.finish(EXPECTED, text)
}

#[cfg(test)]
mod tests;
