//! Gungraun's JSON: one summary per benchmark, one behind the other.
//!
//! The benchmark is called as in the text. A value that
//! only the run before had is none of this run.

use std::collections::BTreeSet;

use bencher_types::wire::adapter::Adapter;
use serde::{Deserialize, de::IgnoredAny};

use super::{NAME_HINT, counts_of};
use crate::{
    adapter::{
        AdapterError, excerpt,
        gather::Gather,
        object::{Entries, List, Object},
    },
    metrics::{MetricValue, Metrics},
};

const ADAPTER: Adapter = Adapter::RustGungraunJson;
const EXPECTED: &str = "the JSON that Gungraun prints with `--output-format=json`";

#[derive(Deserialize)]
struct Summary {
    module_path: String,
    id: Option<String>,
    /// The arguments.
    description: Option<String>,
    /// What one tool found.
    profiles: List<Object<Profile>>,
}

#[derive(Deserialize)]
struct Profile {
    tool: String,
    data: Object<Data>,
}

/// The parts, one per process or thread, are passed over.
#[derive(Deserialize)]
struct Data {
    total: Object<Total>,
}

#[derive(Deserialize)]
struct Total {
    metrics: Entries<Object<Metric>>,
}

#[derive(Deserialize)]
struct Metric {
    values: Object<Values>,
}

#[derive(Deserialize)]
struct Values {
    new: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Number(f64),
    /// Tools that are not known have other shapes.
    Other(IgnoredAny),
}

pub(in crate::adapter) fn parse(text: &str) -> Result<Metrics, AdapterError> {
    let mut found = Gather::new(ADAPTER, NAME_HINT);
    for summary in serde_json::Deserializer::from_str(text).into_iter::<Object<Summary>>() {
        let Object(summary) = summary.map_err(|source| AdapterError::Format {
            adapter: ADAPTER,
            expected: EXPECTED,
            found: excerpt::around(text, &source),
            source: Some((&source).into()),
        })?;
        let name = summary.name();
        // What this benchmark has already, from a tool before.
        let mut taken = BTreeSet::new();
        for Object(Profile { tool, data: Object(Data { total: Object(Total { metrics: Entries(metrics) }) }) }) in
            summary.profiles.0
        {
            let Some(counts) = counts_of(&tool) else { continue };
            for (key, Object(Metric { values: Object(values) })) in metrics {
                if let Some(count) = counts.iter().find(|count| count.key == key)
                    && let Some(Value::Number(value)) = values.new
                    && taken.insert(count.measure.slug)
                {
                    found.add(&name, &count.measure, MetricValue::alone(value))?;
                }
            }
        }
    }
    found.finish(EXPECTED, text)
}

impl Summary {
    /// What the text has above the counts.
    fn name(&self) -> String {
        let id = self.id.as_deref().unwrap_or_default();
        let description = self.description.as_deref().unwrap_or_default();
        match (id, description) {
            ("", "") => self.module_path.clone(),
            (id, "") => format!("{} {id}", self.module_path),
            (id, description) => format!("{} {id}:{description}", self.module_path),
        }
    }
}

#[cfg(test)]
mod tests;
