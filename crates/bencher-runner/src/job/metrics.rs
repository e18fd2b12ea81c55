//! What the runner measures itself, in Bencher Metric Format: `{"name": {"measure": {"value": number}}}`. Pure.

use bencher_types::name::MAX_BENCHMARK_NAME_LEN;
use serde_json::{Map, Value, json};

use super::plan::Measures;
use crate::sandbox::IterationOutcome;

/// The slug of the built-in measure of durations, in seconds.
const BUILD_TIME: &str = "build-time";
/// The slug of the built-in measure of sizes, in bytes.
const FILE_SIZE: &str = "file-size";

/// The metrics of one iteration of `command`; `None` where none are wanted, or there is nothing to measure.
pub(crate) fn metrics(measures: Measures, command: &[String], outcome: &IterationOutcome) -> Option<String> {
    let mut benchmarks = Map::new();
    if measures.build_time {
        add(&mut benchmarks, &command.join(" "), BUILD_TIME, &json!(outcome.wall.as_secs_f64()));
    }
    if measures.file_size {
        for (path, file) in &outcome.files {
            add(&mut benchmarks, path, FILE_SIZE, &json!(file.size));
        }
    }
    (!benchmarks.is_empty()).then(|| Value::Object(benchmarks).to_string())
}

fn add(benchmarks: &mut Map<String, Value>, name: &str, measure: &str, value: &Value) {
    let name = &name[..name.floor_char_boundary(MAX_BENCHMARK_NAME_LEN)];
    let measures = benchmarks.entry(name).or_insert_with(|| json!({}));
    measures[measure] = json!({ "value": value });
}

#[cfg(test)]
mod tests;
