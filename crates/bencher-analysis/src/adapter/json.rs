//! Bencher Metric Format: benchmarks, their measures and the values as one JSON object. For harnesses of one's own.
//!
//! ```json
//! { "parse large file": { "latency": { "value": 88.0, "lower_value": 87.42, "upper_value": 88.88 } } }
//! ```
//!
//! Members of a value that are not known are passed over, so that a harness may keep notes beside its numbers.

use std::{collections::BTreeMap, fmt};

use bencher_types::{BenchmarkName, ResourceName, wire::adapter::Adapter};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, Visitor},
};

use super::{
    AdapterError, excerpt,
    object::{Entries, Object},
};
use crate::metrics::{MetricValue, Metrics};

const ADAPTER: Adapter = Adapter::Json;
const EXPECTED: &str = r#"a JSON object {"benchmark": {"measure": {"value": number}}}"#;

#[derive(Deserialize, Serialize)]
struct BmfValue {
    value: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lower_value: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upper_value: Option<f64>,
}

pub(super) fn parse(text: &str) -> Result<Metrics, AdapterError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let mut collector = Collector { metrics: Metrics::default(), refused: None };
    let read = (&mut reader).deserialize_map(&mut collector).and_then(|()| reader.end());
    match (collector.refused, read) {
        (Some(refused), _) => Err(refused),
        (None, Err(source)) => Err(AdapterError::Format {
            adapter: ADAPTER,
            expected: EXPECTED,
            found: excerpt::around(text, &source),
            source: Some((&source).into()),
        }),
        (None, Ok(())) => Ok(collector.metrics),
    }
}

/// Takes each benchmark as it is read: a hostile output must not first be built up in memory as a whole.
struct Collector {
    metrics: Metrics,
    /// Why reading stopped, where it was not for the JSON.
    refused: Option<AdapterError>,
}

impl Collector {
    fn benchmark(&mut self, name: String, measures: Vec<(String, Object<BmfValue>)>) -> Result<(), AdapterError> {
        let invalid_name =
            |source| AdapterError::Name { adapter: ADAPTER, hint: "the keys are benchmark names, then measures", source };
        let name = BenchmarkName::new(name).map_err(invalid_name)?;
        if measures.is_empty() {
            let found = format!("benchmark `{name}` without any measure");
            return Err(AdapterError::Format { adapter: ADAPTER, expected: EXPECTED, found, source: None });
        }
        for (measure, Object(BmfValue { value, lower_value, upper_value })) in measures {
            let measure = ResourceName::new(measure).map_err(invalid_name)?;
            let value = MetricValue { value, lower_value, upper_value };
            self.metrics.insert(&name, measure, value).map_err(|source| AdapterError::Metric { adapter: ADAPTER, source })?;
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for &mut Collector {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of benchmarks")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, Entries(measures))) = map.next_entry()? {
            if let Err(refused) = self.benchmark(name, measures) {
                self.refused = Some(refused);
                return Err(A::Error::custom("the benchmark was refused"));
            }
        }
        Ok(())
    }
}

/// The metrics as Bencher Metric Format. The `json` adapter reads the same metrics back, to the last bit; which of its
/// forms an ignore suffix had is not kept.
#[must_use]
pub fn to_bmf(metrics: &Metrics) -> String {
    let benchmarks: BTreeMap<String, BTreeMap<&str, BmfValue>> = metrics
        .iter()
        .map(|(name, benchmark)| {
            let values = benchmark.measures.iter().map(|(measure, &MetricValue { value, lower_value, upper_value })| {
                (measure.as_str(), BmfValue { value, lower_value, upper_value })
            });
            (benchmark.printed(name), values.collect())
        })
        .collect();
    serde_json::to_string_pretty(&benchmarks).expect("text keys and numbers are JSON")
}

#[cfg(test)]
mod tests;
