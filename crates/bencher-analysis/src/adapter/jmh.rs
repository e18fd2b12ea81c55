//! JMH's `-rf json`: a latency or a throughput per benchmark, by what the mode measures, between the ends of JMH's confidence
//! interval.
//!
//! Parameters stand behind the name, `org.sample.Sort.quick(size=10)`, in the order of their names. A single measurement has no
//! interval. Secondary metrics, those of profilers included, are passed over.

use std::collections::BTreeMap;

use bencher_types::wire::adapter::Adapter;
use serde::Deserialize;

use super::{
    AdapterError,
    gather::{Gather, unknown_unit},
    object::{List, Object, read},
};
use crate::{
    decimal,
    measure::{BuiltInMeasure, LATENCY, THROUGHPUT},
    metrics::{MetricValue, Metrics},
};

const ADAPTER: Adapter = Adapter::JavaJmh;
const EXPECTED: &str = "the JSON that JMH writes with `-rf json`";
const UNITS: &str = "ns, us, ms, s, min, hr and day, per operation (`ns/op`) or operations per them (`ops/s`)";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Benchmark {
    benchmark: String,
    #[serde(default)]
    params: BTreeMap<String, String>,
    primary_metric: Object<Metric>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metric {
    score: f64,
    score_unit: String,
    /// Text where there is no interval: `["NaN", "NaN"]`.
    score_confidence: Option<[Number; 2]>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Number {
    Finite(f64),
    #[serde(deserialize_with = "not_a_number")]
    None,
}

/// JMH writes numbers that are not finite as text.
fn not_a_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    match <&str>::deserialize(deserializer)? {
        "NaN" | "+INF" | "-INF" => Ok(()),
        _ => Err(serde::de::Error::custom("expected a number")),
    }
}

pub(super) fn parse(text: &str) -> Result<Metrics, AdapterError> {
    let List(results) = read::<List<Object<Benchmark>>>(ADAPTER, EXPECTED, text)?;
    let mut found = Gather::new(ADAPTER, "the name is the benchmark's method, with its parameters");
    for Object(Benchmark { benchmark, params, primary_metric: Object(metric) }) in results {
        let name = with_parameters(benchmark, &params);
        let Some((measure, scale)) = scale(&metric.score_unit) else {
            return Err(unknown_unit(ADAPTER, UNITS, &metric.score_unit, &name));
        };
        let value = match metric.score_confidence {
            Some([Number::Finite(low), Number::Finite(high)]) => {
                MetricValue { value: scale.of(metric.score), lower_value: Some(scale.of(low)), upper_value: Some(scale.of(high)) }
            }
            Some(_) | None => MetricValue::alone(scale.of(metric.score)),
        };
        found.add(&name, measure, value)?;
    }
    found.finish(EXPECTED, text)
}

fn with_parameters(benchmark: String, params: &BTreeMap<String, String>) -> String {
    if params.is_empty() {
        return benchmark;
    }
    let params: Vec<String> = params.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{benchmark}({})", params.join(", "))
}

/// What a score is multiplied with to be in the measure's units.
#[derive(Clone, Copy)]
struct Scale {
    factor: f64,
    /// A power of ten, apart so that decimals stay exact.
    exponent: i32,
}

impl Scale {
    fn of(self, score: f64) -> f64 {
        decimal::shift(score * self.factor, self.exponent)
    }
}

/// The measure that a unit of JMH belongs to, and the way to the measure's own.
fn scale(unit: &str) -> Option<(&'static BuiltInMeasure, Scale)> {
    if let Some(time) = unit.strip_suffix("/op") {
        let (seconds, exponent) = seconds(time)?;
        return Some((&LATENCY, Scale { factor: seconds, exponent: exponent + 9 }));
    }
    let (seconds, exponent) = seconds(unit.strip_prefix("ops/")?)?;
    Some((&THROUGHPUT, Scale { factor: 1.0 / seconds, exponent: -exponent }))
}

/// A unit of time in seconds: a factor and a power of ten.
fn seconds(unit: &str) -> Option<(f64, i32)> {
    match unit {
        "ns" => Some((1.0, -9)),
        "us" => Some((1.0, -6)),
        "ms" => Some((1.0, -3)),
        "s" => Some((1.0, 0)),
        "min" => Some((60.0, 0)),
        "hr" => Some((3600.0, 0)),
        "day" => Some((86400.0, 0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
