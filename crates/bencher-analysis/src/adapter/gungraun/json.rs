//! Gungraun's JSON: one summary per benchmark, one behind the other.
//!
//! Known are versions 6 and 7 of the summary, which Gungraun has written up to 0.17 and since 0.20. The benchmark is called as in the text. A value that
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
    #[serde(alias = "details")]
    description: Option<String>,
    /// What one tool found.
    profiles: List<Object<Profile>>,
}

/// In both versions there are totals and the parts that they add up to, one per process or thread; the parts are passed over.
#[derive(Deserialize)]
struct Profile {
    tool: String,
    /// Since version 7.
    data: Option<Object<Data>>,
    /// Up to version 6.
    summaries: Option<Object<Summaries>>,
}

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

#[derive(Deserialize)]
struct Summaries {
    total: Object<Total6>,
}

#[derive(Deserialize)]
struct Total6 {
    summary: Summary6,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Summary6 {
    /// One entry, named after the kind of tool.
    Counts(Entries<Entries<Object<Metric6>>>),
    /// Of tools that are not known or count nothing.
    Other(IgnoredAny),
}

#[derive(Deserialize)]
struct Metric6 {
    metrics: Sides,
}

/// The value of this run is on the left, that of the run before on the right.
#[derive(Deserialize)]
enum Sides {
    Left(Number),
    Both(Number, #[expect(dead_code, reason = "the run before is not of interest, but it must be there")] Number),
    Right(IgnoredAny),
}

#[derive(Clone, Copy, Deserialize)]
enum Number {
    Int(f64),
    Float(f64),
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
        for Object(profile) in summary.profiles.0 {
            let Some(counts) = counts_of(&profile.tool) else { continue };
            for (key, value) in profile.values() {
                if let Some(count) = counts.iter().find(|count| count.key == key)
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

impl Profile {
    /// The totals of this run by their key, whichever version has them.
    fn values(self) -> Vec<(String, f64)> {
        let mut values = Vec::new();
        if let Some(Object(Data { total: Object(Total { metrics: Entries(metrics) }) })) = self.data {
            for (key, Object(Metric { values: Object(metric) })) in metrics {
                if let Some(Value::Number(value)) = metric.new {
                    values.push((key, value));
                }
            }
        }
        if let Some(Object(Summaries { total: Object(Total6 { summary: Summary6::Counts(Entries(kinds)) }) })) = self.summaries {
            for (key, Object(Metric6 { metrics })) in kinds.into_iter().flat_map(|(_, Entries(metrics))| metrics) {
                if let Sides::Left(value) | Sides::Both(value, _) = metrics {
                    let (Number::Int(value) | Number::Float(value)) = value;
                    values.push((key, value));
                }
            }
        }
        values
    }
}

#[cfg(test)]
mod tests;
