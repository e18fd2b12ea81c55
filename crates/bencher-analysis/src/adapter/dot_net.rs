//! BenchmarkDotNet's `--exporters json`: a latency per benchmark, and what its memory diagnoser found if it was on.
//!
//! With the mean, one standard deviation around it; with the median, one interquartile range around it. Benchmarks are called by
//! their namespace and method, with their parameters behind: `Shop.Sort(N=10)`. Where two classes of one export have the same, the
//! class stands between, `Shop.Quick.Sort(N=10)`. A benchmark that failed has no statistics and is passed over.

use std::collections::BTreeMap;

use bencher_types::wire::adapter::{Adapter, Average};
use serde::Deserialize;

use super::{
    AdapterError,
    gather::Gather,
    object::{List, Object, read},
};
use crate::{
    measure::{ALLOCATED, GEN0_COLLECTS, GEN1_COLLECTS, GEN2_COLLECTS, LATENCY, TOTAL_OPERATIONS},
    metrics::{MetricValue, Metrics},
};

const ADAPTER: Adapter = Adapter::CSharpDotNet;
const EXPECTED: &str = "the JSON that BenchmarkDotNet writes with `--exporters json`";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Export {
    benchmarks: List<Object<Benchmark>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Benchmark {
    namespace: Option<String>,
    #[serde(rename = "Type")]
    class: Option<String>,
    method: String,
    parameters: Option<String>,
    statistics: Option<Object<Statistics>>,
    memory: Option<Object<Memory>>,
}

/// In nanoseconds.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statistics {
    mean: f64,
    standard_deviation: f64,
    median: f64,
    interquartile_range: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Memory {
    gen0_collections: Option<f64>,
    gen1_collections: Option<f64>,
    gen2_collections: Option<f64>,
    total_operations: Option<f64>,
    bytes_allocated_per_operation: Option<f64>,
}

pub(super) fn parse(average: Average, text: &str) -> Result<Metrics, AdapterError> {
    let Object(Export { benchmarks: List(benchmarks) }) = read(ADAPTER, EXPECTED, text)?;
    let mut same: BTreeMap<String, u32> = BTreeMap::new();
    for Object(benchmark) in &benchmarks {
        *same.entry(benchmark.name(false)).or_default() += 1;
    }
    let mut found = Gather::new(ADAPTER, "the name is the benchmark's namespace, method and parameters");
    for Object(benchmark) in &benchmarks {
        let Some(Object(statistics)) = &benchmark.statistics else { continue };
        let short = benchmark.name(false);
        let name = if same.get(&short).is_some_and(|&count| count > 1) { benchmark.name(true) } else { short };
        found.add(&name, &LATENCY, statistics.latency(average))?;
        if let Some(Object(memory)) = &benchmark.memory {
            for (measure, value) in [
                (ALLOCATED, memory.bytes_allocated_per_operation),
                (GEN0_COLLECTS, memory.gen0_collections),
                (GEN1_COLLECTS, memory.gen1_collections),
                (GEN2_COLLECTS, memory.gen2_collections),
                (TOTAL_OPERATIONS, memory.total_operations),
            ] {
                if let Some(value) = value {
                    found.add(&name, &measure, MetricValue::alone(value))?;
                }
            }
        }
    }
    found.finish(EXPECTED, text)
}

impl Benchmark {
    fn name(&self, with_class: bool) -> String {
        let class = self.class.as_deref().filter(|_| with_class);
        let parts = [self.namespace.as_deref(), class, Some(self.method.as_str())];
        let mut name = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".");
        if let Some(parameters) = self.parameters.as_deref().filter(|parameters| !parameters.is_empty()) {
            name.push('(');
            name.push_str(parameters);
            name.push(')');
        }
        name
    }
}

impl Statistics {
    const fn latency(&self, average: Average) -> MetricValue {
        match average {
            Average::Mean => MetricValue::around(self.mean, self.standard_deviation),
            Average::Median => MetricValue::around(self.median, self.interquartile_range),
        }
    }
}

#[cfg(test)]
mod tests;
