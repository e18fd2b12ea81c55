//! What the tests of the adapters share.

use std::error::Error;

use super::AdapterError;
use crate::metrics::Metrics;

/// The longest message an adapter may give, in bytes: an excerpt, its sentence and a list of names.
const LONG_MESSAGE: usize = 2000;

/// An error with its causes, as people read it.
pub(super) fn chain(error: &AdapterError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}

/// Each value on a line of its own: `name | measure | value | lower | upper`.
pub(super) fn lines(metrics: &Metrics) -> Vec<String> {
    let bound = |bound: Option<f64>| bound.map_or("none".to_owned(), |bound| bound.to_string());
    let of_benchmarks = metrics.iter().flat_map(|(name, benchmark)| {
        benchmark.measures.iter().map(move |(measure, value)| {
            format!("{name} | {measure} | {} | {} | {}", value.value, bound(value.lower_value), bound(value.upper_value))
        })
    });
    of_benchmarks.collect()
}

#[track_caller]
pub(super) fn check(result: Result<Metrics, AdapterError>, expected: &[&str]) {
    match result {
        Ok(metrics) => assert_eq!(lines(&metrics), expected),
        Err(error) => panic!("{}", chain(&error)),
    }
}

#[track_caller]
pub(super) fn refuse(result: Result<Metrics, AdapterError>, expected: &str) {
    let message = chain(&result.expect_err("a refusal"));
    assert!(message.contains(expected), "{message}");
    assert!(message.len() < LONG_MESSAGE, "an error of {} bytes", message.len());
}
