//! Vitest's `bench --outputJson`: a latency and a throughput per benchmark, under the names of its file, its suites and itself.
//!
//! The latency's mean has one standard deviation around it, its median nothing, for Vitest gives no quartiles. The throughput has
//! the relative margin of error around it. A benchmark that was skipped has no numbers and is passed over.

use bencher_types::wire::adapter::{Adapter, Average};
use serde::Deserialize;

use super::{
    AdapterError,
    gather::Gather,
    object::{List, Object, read},
};
use crate::{
    decimal,
    measure::{LATENCY, THROUGHPUT},
    metrics::{MetricValue, Metrics},
};

const ADAPTER: Adapter = Adapter::JsVitest;
const EXPECTED: &str = "the JSON that `vitest bench --outputJson` writes";
/// From the milliseconds of the export to nanoseconds, as a power of ten.
const MILLIS_TO_NANOS: i32 = 6;

#[derive(Deserialize)]
struct Export {
    files: List<Object<File>>,
}

#[derive(Deserialize)]
struct File {
    groups: List<Object<Group>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    /// The file and the suites around the benchmarks, with ` > ` between them.
    full_name: String,
    benchmarks: List<Object<Benchmark>>,
}

/// Without numbers if it was skipped or failed: JSON has no way to write those that are none.
#[derive(Deserialize)]
struct Benchmark {
    name: String,
    /// Operations per second.
    hz: Option<f64>,
    /// In percent.
    rme: Option<f64>,
    /// Milliseconds, as are the next two.
    mean: Option<f64>,
    sd: Option<f64>,
    median: Option<f64>,
}

pub(super) fn parse(average: Average, text: &str) -> Result<Metrics, AdapterError> {
    let Object(Export { files: List(files) }) = read(ADAPTER, EXPECTED, text)?;
    let mut found = Gather::new(ADAPTER, "the name is the file, the suites and the benchmark");
    for Object(File { groups: List(groups) }) in files {
        for Object(Group { full_name, benchmarks: List(benchmarks) }) in groups {
            for Object(benchmark) in benchmarks {
                let values = [(LATENCY, latency(average, &benchmark)), (THROUGHPUT, throughput(&benchmark))];
                for (measure, value) in values.into_iter().filter_map(|(measure, value)| Some((measure, value?))) {
                    // Only for a value: suites may have long names and any number of benchmarks without one.
                    found.add(&format!("{full_name} > {}", benchmark.name), &measure, value)?;
                }
            }
        }
    }
    found.finish(EXPECTED, text)
}

fn latency(average: Average, benchmark: &Benchmark) -> Option<MetricValue> {
    let nanos = |millis| decimal::shift(millis, MILLIS_TO_NANOS);
    match average {
        Average::Mean => {
            let mean = nanos(benchmark.mean?);
            Some(benchmark.sd.map_or(MetricValue::alone(mean), |deviation| MetricValue::around(mean, nanos(deviation))))
        }
        Average::Median => benchmark.median.map(nanos).map(MetricValue::alone),
    }
}

fn throughput(benchmark: &Benchmark) -> Option<MetricValue> {
    let per_second = benchmark.hz?;
    let margin = benchmark.rme.map(|percent| per_second * percent / 100.0);
    Some(margin.map_or(MetricValue::alone(per_second), |margin| MetricValue::around(per_second, margin)))
}

#[cfg(test)]
mod tests;
