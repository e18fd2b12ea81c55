//! `data.js` of github-action-benchmark: `window.BENCHMARK_DATA = {…}`, the results of every commit by suite.
//!
//! ```json
//! { "entries": { "Rust Benchmark": [ {
//!     "commit": { "id": "45d7…", "timestamp": "2019-11-10T00:06:58+09:00" }, "date": 1573312140323, "tool": "cargo",
//!     "benches": [ { "name": "fib_10", "value": 254, "range": "± 35", "unit": "ns/iter" } ] } ] } }
//! ```
//!
//! Times become latency in nanoseconds, operations per time throughput; any other unit is a measure of its own.

use std::collections::BTreeMap;

use bencher_types::DateTime;
use serde::Deserialize;

use super::{Better, Gathered, HistoryError, Notes, PastMeasures, PastRun, Skipped, at_millis, cut, unit::Kind};
use crate::metrics::MetricValue;

const EXPECTED: &str = "github-action-benchmark's data.js: window.BENCHMARK_DATA = {\"entries\": {\"suite\": [runs]}}";

/// All suites of a `data.js`.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// The runs of each suite, in the file's order.
    pub suites: BTreeMap<String, Vec<PastRun>>,
    pub measures: PastMeasures,
    /// Values and runs that were passed over.
    pub skipped: Skipped,
}

#[derive(Deserialize)]
struct Data {
    entries: BTreeMap<String, Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    commit: Commit,
    /// When it was measured, in milliseconds since 1970.
    date: Option<i64>,
    #[serde(default)]
    tool: String,
    benches: Vec<Bench>,
}

#[derive(Deserialize)]
struct Commit {
    id: Option<String>,
    timestamp: Option<String>,
}

#[derive(Deserialize)]
struct Bench {
    name: String,
    value: Option<f64>,
    #[serde(default)]
    unit: String,
    range: Option<String>,
}

/// Reads a `data.js`, or the object in it.
///
/// # Errors
/// It is neither.
pub fn parse(text: &str) -> Result<History, HistoryError> {
    let start = text.find('{').unwrap_or(text.len());
    let mut reader = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Data>();
    let data = match reader.next() {
        Some(read) => read.map_err(HistoryError::format(EXPECTED))?,
        None => return Err(HistoryError::Content { expected: EXPECTED, found: "no object".to_owned() }),
    };
    let rest = text[start + reader.byte_offset()..].trim_start_matches(|c: char| c.is_whitespace() || c == ';');
    if !rest.is_empty() {
        return Err(HistoryError::Content { expected: EXPECTED, found: format!("`{}` behind it", cut(rest)) });
    }

    let mut notes = Notes::default();
    let mut suites = BTreeMap::new();
    for (suite, entries) in data.entries {
        let runs = entries.iter().filter_map(|entry| run(entry, &suite, &mut notes)).collect();
        suites.insert(suite, runs);
    }
    Ok(History { suites, measures: notes.measures, skipped: notes.skipped })
}

fn run(entry: &Entry, suite: &str, notes: &mut Notes) -> Option<PastRun> {
    let id = entry.commit.id.as_deref().unwrap_or_default();
    let committed = entry.commit.timestamp.as_deref().and_then(|text| text.parse::<DateTime>().ok());
    let Some(at) = committed.or_else(|| at_millis(entry.date?)) else {
        notes.skipped.add(|| format!("a run of `{}` ({}) has no time", cut(suite), cut(id)));
        return None;
    };
    let mut gathered = Gathered::default();
    for bench in &entry.benches {
        let Some(value) = bench.value else {
            notes.skipped.add(|| format!("benchmark `{}` has no value", cut(&bench.name)));
            continue;
        };
        // Go's further numbers stand behind the first unit: `ns/op\t 4.000 widgets`.
        let unit = bench.unit.split('\t').next().unwrap_or_default();
        let kind = Kind::of_unit(unit, better(&entry.tool));
        let value = match &bench.range {
            Some(range) if has_ranges(&entry.tool) => with_range(value, range),
            _ => MetricValue::alone(value),
        };
        let value = kind.value(value);
        let name = base_name(&bench.name, unit);
        // Where Go reports several numbers, the first is there under both names.
        let known = bencher_types::BenchmarkName::new(name).ok().and_then(|name| gathered.metrics.get(&name));
        let again = name.len() < bench.name.len() && known.is_some_and(|known| known.measures.get(&kind.measure) == Some(&value));
        if !again {
            gathered.add(notes, name, &kind, value);
        }
    }
    if gathered.metrics.is_empty() {
        notes.skipped.add(|| format!("a run of `{}` ({}) has no results", cut(suite), cut(id)));
        return None;
    }
    Some(PastRun { commit: id.parse().ok(), at, metrics: gathered.metrics })
}

/// Go's benchmarks with several numbers are called `Name - unit`.
fn base_name<'a>(name: &'a str, unit: &str) -> &'a str {
    let stem = name.strip_suffix(unit).filter(|_| !unit.is_empty()).and_then(|stem| stem.strip_suffix(" - "));
    stem.filter(|stem| !stem.trim().is_empty()).unwrap_or(name)
}

/// Which way is better in the eyes of github-action-benchmark, for units that do not say.
fn better(tool: &str) -> Better {
    match tool {
        "benchmarkjs" | "pytest" | "customBiggerIsBetter" => Better::Higher,
        _ => Better::Lower,
    }
}

/// Whether a tool's range is in the unit of the value. Catch2 prints each number in the unit that fits it, and the range is kept without.
fn has_ranges(tool: &str) -> bool {
    tool != "catch2"
}

/// `± 35`, `+/- 2,802`, `±0.42%` or `0.42%`. Anything else, such as pytest's deviation of another quantity, is no range of the value.
fn with_range(value: f64, range: &str) -> MetricValue {
    let range = range.trim();
    let marked = ["\u{b1}", "+/-", "+-"].into_iter().find_map(|sign| range.strip_prefix(sign));
    let (number, share) = match (marked, range.strip_suffix('%')) {
        (Some(number), _) => number.strip_suffix('%').map_or((number, false), |number| (number, true)),
        (None, Some(number)) => (number, true),
        (None, None) => return MetricValue::alone(value),
    };
    match number.trim().replace(',', "").parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => {
            MetricValue::around(value, if share { value.abs() * number / 100.0 } else { number })
        }
        _ => MetricValue::alone(value),
    }
}

#[cfg(test)]
mod tests;
