//! Google Benchmark's `--benchmark_format=json`: one latency per benchmark, its real time.
//!
//! A benchmark that was repeated (`--benchmark_repetitions`) is one benchmark, under its name without `_mean` and the like: the
//! tool's own mean or median with one standard deviation around it. Complexity estimates and benchmarks that ended with an error
//! are passed over.

use std::collections::BTreeMap;

use bencher_types::wire::adapter::{Adapter, Average};
use serde::Deserialize;

use super::{
    AdapterError,
    gather::{Gather, unknown_unit},
    object::{List, Object, read},
    repeats::summary,
    scan::nanos,
};
use crate::{
    measure::LATENCY,
    metrics::{MetricValue, Metrics},
};

const ADAPTER: Adapter = Adapter::CppGoogle;
const EXPECTED: &str = "the JSON that `--benchmark_format=json` prints";
const UNITS: &str = "ns, us, ms and s";

#[derive(Deserialize)]
struct Export {
    /// Tells this format from others that have a list of benchmarks.
    #[expect(dead_code, reason = "it must be there")]
    context: Object<Context>,
    benchmarks: List<Object<Run>>,
}

#[derive(Deserialize)]
struct Context {}

/// One run, or what several come to.
#[derive(Deserialize)]
struct Run {
    name: String,
    /// The name without what an aggregate adds to it; absent before 1.5.
    run_name: Option<String>,
    /// Absent in runs.
    aggregate_name: Option<String>,
    /// Absent in complexity estimates.
    real_time: Option<f64>,
    /// Nanoseconds where it is absent.
    time_unit: Option<String>,
    /// The benchmark ended with an error; or, since 1.8, without one but early.
    #[serde(default)]
    error_occurred: bool,
    #[serde(default)]
    skipped: bool,
}

/// What is known of a benchmark, in nanoseconds.
#[derive(Default)]
struct Known {
    runs: Vec<f64>,
    mean: Option<f64>,
    median: Option<f64>,
    deviation: Option<f64>,
}

pub(super) fn parse(average: Average, text: &str) -> Result<Metrics, AdapterError> {
    let Object(Export { benchmarks: List(runs), .. }) = read(ADAPTER, EXPECTED, text)?;
    let mut benchmarks: BTreeMap<String, Known> = BTreeMap::new();
    for Object(run) in runs {
        if run.error_occurred || run.skipped {
            continue;
        }
        let Some(time) = run.real_time else { continue };
        let unit = run.time_unit.as_deref().unwrap_or("ns");
        let name = run.run_name.unwrap_or(run.name);
        let known = match run.aggregate_name.as_deref() {
            // The coefficient of variation and percentages are no times, and other statistics are the benchmark's own.
            Some(other) if !matches!(other, "mean" | "median" | "stddev") => continue,
            _ => nanos(time, unit).ok_or_else(|| unknown_unit(ADAPTER, UNITS, unit, &name))?,
        };
        let benchmark = benchmarks.entry(name).or_default();
        match run.aggregate_name.as_deref() {
            None => benchmark.runs.push(known),
            Some("mean") => benchmark.mean = Some(known),
            Some("median") => benchmark.median = Some(known),
            Some(_) => benchmark.deviation = Some(known),
        }
    }
    let mut found = Gather::new(ADAPTER, "the name is the benchmark's function and its arguments");
    for (name, known) in &benchmarks {
        if let Some(value) = latency(average, known) {
            found.add(name, &LATENCY, value)?;
        }
    }
    found.finish(EXPECTED, text)
}

fn latency(average: Average, known: &Known) -> Option<MetricValue> {
    let aggregate = match average {
        Average::Mean => known.mean,
        Average::Median => known.median,
    };
    match (aggregate, known.deviation) {
        (Some(value), Some(deviation)) => Some(MetricValue::around(value, deviation)),
        (Some(value), None) => Some(MetricValue::alone(value)),
        (None, _) => (!known.runs.is_empty()).then(|| summary(average, &known.runs)),
    }
}

#[cfg(test)]
mod tests;
