use bencher_types::wire::adapter::Average;
use proptest::prelude::*;

use super::parse;
use crate::metrics::MetricValue;

fn export(command: &str, numbers: &str) -> String {
    format!(r#"{{"results": [{{"command": "{command}", {numbers}, "times": [0.1, 0.2], "exit_codes": [0, 0]}}]}}"#)
}

fn check(average: Average, numbers: &str, value: f64, lower_value: Option<f64>, upper_value: Option<f64>) {
    let metrics = parse(average, &export("make", numbers)).unwrap();
    let make = metrics.get(&"make".parse().unwrap()).unwrap();
    let expected = MetricValue { value, lower_value, upper_value };
    assert_eq!(
        make.measures.iter().map(|(measure, value)| (measure.as_str(), *value)).collect::<Vec<_>>(),
        [("latency", expected)]
    );
}

fn refuse(text: &str, expected: &str) {
    let error = parse(Average::Mean, text).unwrap_err();
    let shown = super::super::testing::chain(&error);
    assert!(shown.contains(expected), "{shown}");
    assert!(shown.len() < 2000, "an error of {} bytes", shown.len());
}

const NUMBERS: &str = r#""mean": 0.026029, "stddev": 0.001, "median": 0.0255, "min": 0.025, "max": 0.0301"#;

#[test]
fn mean_has_its_deviation_around_it() {
    check(Average::Mean, NUMBERS, 26_029_000.0, Some(25_029_000.0), Some(27_029_000.0));
}

#[test]
fn median_has_the_range_of_the_runs_around_it() {
    check(Average::Median, NUMBERS, 25_500_000.0, Some(25_000_000.0), Some(30_100_000.0));
}

#[test]
fn single_run_has_no_deviation() {
    let numbers = r#""mean": 1.5, "stddev": null, "median": 1.5, "min": 1.5, "max": 1.5"#;
    check(Average::Mean, numbers, 1.5e9, None, None);
    check(Average::Median, numbers, 1.5e9, Some(1.5e9), Some(1.5e9));
}

#[test]
fn deviation_larger_than_the_mean_ends_at_zero() {
    let numbers = r#""mean": 0.001, "stddev": 0.003, "median": 0.0, "min": 0.0, "max": 0.01"#;
    check(Average::Mean, numbers, 1e6, Some(0.0), Some(4e6));
}

#[test]
fn what_is_not_an_export_says_what_was_expected() {
    refuse("Benchmark 1: true", "expected the JSON that `hyperfine --export-json` writes, found `Benchmark 1: true`");
    refuse(r#"{"results": []}"#, "found an export without results");
    refuse(r#"{"results": [["true", 1, 1, 1, 1, 1]]}"#, "expected an object");
    refuse(r#"{"benchmarks": []}"#, "missing field `results`");
    refuse(&export("true", r#""mean": 1.0"#), "missing field `median`");
}

#[test]
fn same_command_twice_is_refused() {
    let run = r#"{"command": "true", "mean": 1, "median": 1, "min": 1, "max": 1}"#;
    refuse(&format!(r#"{{"results": [{run}, {run}]}}"#), "benchmark `true` is there twice with `latency`");
}

#[test]
fn long_command_is_refused_with_a_way_out() {
    refuse(&export(&"x".repeat(1025), NUMBERS), "give the command a short name with `--command-name`");
}

#[test]
fn seconds_beyond_the_range_of_nanoseconds_are_refused() {
    refuse(&export("make", r#""mean": 1e305, "median": 1, "min": 1, "max": 1"#), "has the value inf for `latency`");
}

fn export_2(name: &str, numbers: &str) -> String {
    format!(
        r#"{{"schema_version": 2, "results": [{{"command": "make", {name} "measurements": [],
            "summary": {{"memory_peak_resident": {{"mean": 7}}, "time_wall_clock": {{"unit": "second", {numbers}}}}}}}]}}"#
    )
}

#[test]
fn version_2_names_and_numbers_are_read() {
    for (name, expected) in [("", "make"), (r#""name": "all of it","#, "all of it")] {
        let metrics = parse(Average::Median, &export_2(name, NUMBERS)).unwrap();
        let (found, benchmark) = metrics.iter().next().unwrap();
        assert_eq!(found.as_str(), expected);
        let value = MetricValue { value: 25_500_000.0, lower_value: Some(25_000_000.0), upper_value: Some(30_100_000.0) };
        assert_eq!(benchmark.measures.values().collect::<Vec<_>>(), [&value]);
    }
}

#[test]
fn version_of_the_future_is_refused() {
    refuse(r#"{"schema_version": 3, "results": []}"#, "found schema version 3 where 2 is the newest known");
}

proptest! {
    #[test]
    fn nothing_panics(text in "\\PC*", command in "[a-z ]{0,8}", numbers in prop::array::uniform4(any::<f64>())) {
        let [mean, stddev, min, max] = numbers;
        for average in [Average::Mean, Average::Median] {
            let _ = parse(average, &text);
            let numbers = format!(r#""mean": {mean:e}, "stddev": {stddev:e}, "median": {mean}, "min": {min:e}, "max": {max:e}"#);
            let _ = parse(average, &export(&command, &numbers));
            let _ = parse(average, &export_2("", &numbers));
        }
    }
}
