use proptest::prelude::*;

use super::*;

const HASH: &str = "46c2d721e60585712f9fac8ab8dbc84e9b63b8b9";

/// A file of version 2 with one benchmark.
fn file(name: &str, row: &str) -> String {
    format!(
        r#"{{"commit_hash": "{HASH}", "env_name": "py3", "date": 1709380800000, "params": {{}}, "version": 2,
            "result_columns": ["result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b",
            "stats_q_25", "stats_q_75"], "results": {{"{name}": {row}}}}}"#
    )
}

/// `benchmark measure value lower..upper`.
fn lines(results: &Results) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, benchmark) in results.run.iter().flat_map(|run| run.metrics.iter()) {
        for (measure, value) in &benchmark.measures {
            let MetricValue { value, lower_value, upper_value } = value;
            lines.push(format!("{name} {measure} {value} {lower_value:?}..{upper_value:?}"));
        }
    }
    lines
}

fn check(text: &str, expected: &[&str]) -> Results {
    let found = results(text, &Benchmarks::default()).unwrap();
    assert_eq!(lines(&found), expected);
    found
}

#[test]
fn a_time_has_the_quartiles_as_bounds() {
    let row = "[[0.000002], [], \"v\", 1, 0.1, [1e-6], [4e-6], [1.5e-6], [3e-6]]";
    let found = check(&file("a.time_b", row), &["a.time_b latency 2000 Some(1500.0)..Some(3000.0)"]);
    let run = found.run.unwrap();
    assert_eq!((run.commit.unwrap().as_str(), run.at.to_string().as_str()), (HASH, "2024-03-02T12:00:00Z"));
    assert_eq!((found.environment.as_str(), found.skipped.count), ("py3", 0));
}

#[test]
fn without_quartiles_the_interval_bounds_it_and_without_samples_nothing() {
    check(&file("time_b", "[[2e-6], [], \"v\", 1, 0.1, [1e-6], [4e-6]]"), &["time_b latency 2000 Some(1000.0)..Some(4000.0)"]);
    check(&file("time_b", "[[2e-6], []]"), &["time_b latency 2000 None..None"]);
}

#[test]
fn parameters_are_a_benchmark_each_and_what_failed_or_was_left_out_is_none() {
    check(
        &file("time_b", r#"[[1.0, NaN, null, 4.0], [["1", "2"], ["'a b'", "<class 'int'>"]]]"#),
        &["time_b(1, a b) latency 1000000000 None..None", "time_b(2, int) latency 4000000000 None..None"],
    );
}

#[test]
fn memory_and_tracked_values_are_measures_of_their_own() {
    let kinds = |name: &str| {
        let found = results(&file(name, "[[8056], []]"), &Benchmarks::default()).unwrap();
        let (measure, about) = found.measures.into_iter().next().unwrap();
        (measure.to_string(), about.units.map(|units| units.to_string()))
    };
    assert_eq!(kinds("a.mem_list"), ("Memory".into(), Some("bytes (B)".into())));
    assert_eq!(kinds("a.peakmem_list"), ("Peak Memory".into(), Some("bytes (B)".into())));
    assert_eq!(kinds("a.track_size"), ("unit".into(), Some("unit".into())));
    assert_eq!(kinds("a.TimeAll"), ("latency".into(), None));
}

#[test]
fn the_unit_of_a_tracked_value_is_the_one_of_its_benchmark() {
    let known = benchmarks(r#"{"version": 2, "track_size": {"type": "track", "unit": "items", "version": "v"}}"#).unwrap();
    let found = results(&file("track_size", "[[3], [], \"v\"]"), &known).unwrap();
    assert_eq!(lines(&found), ["track_size items 3 None..None"]);
}

#[test]
fn a_result_of_another_version_of_its_benchmark_is_passed_over() {
    let known = benchmarks(r#"{"version": 2, "time_b": {"type": "time", "unit": "seconds", "version": "new"}}"#).unwrap();
    let found = results(&file("time_b", "[[3.0], [], \"old\"]"), &known).unwrap();
    assert_eq!((found.run, found.skipped.count), (None, 1));
    assert_eq!(results(&file("time_b", "[[3.0], [], \"new\"]"), &known).unwrap().skipped.count, 0);
}

#[test]
fn files_of_version_1_are_read_too() {
    let text = format!(
        r#"{{"commit_hash": "{HASH}", "date": 1.7093808e12, "env_name": "py2", "params": {{}}, "python": "2.7", "version": 1,
            "requirements": {{}}, "results": {{"time_plain": 0.5, "time_failed": null,
            "time_old": {{"params": [["1", "2"]], "result": [1.0, 2.0],
                "stats": [{{"ci_99": [0.9, 1.1], "q_25": 0.95, "q_75": 1.05}}, null]}},
            "time_one": {{"result": 3.0, "stats": {{"ci_99": [2.0, 4.0]}}}} }} }}"#
    );
    check(
        &text,
        &[
            "time_old(1) latency 1000000000 Some(950000000.0)..Some(1050000000.0)",
            "time_old(2) latency 2000000000 None..None",
            "time_one latency 3000000000 Some(2000000000.0)..Some(4000000000.0)",
            "time_plain latency 500000000 None..None",
        ],
    );
}

#[test]
fn parameters_that_do_not_fit_the_values_are_named() {
    let found = results(&file("time_b", r#"[[1.0, 2.0], [["1"], ["2"]]]"#), &Benchmarks::default()).unwrap();
    assert_eq!((found.run, found.skipped.count), (None, 1));
    assert!(found.skipped.example.unwrap().contains("`time_b` has 2 values"));
}

#[test]
fn a_file_that_is_something_else_says_what_was_expected() {
    let refuse = |text: &str, expected: &str| {
        let error = results(text, &Benchmarks::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    refuse("", "a result of asv");
    refuse("{}", "a result of asv");
    refuse(&file("a", "1").replace(HASH, "abc"), "a commit hash of 40 digits, found `abc`");
    refuse(&file("a", "1").replace("1709380800000", "\"yesterday\""), "the time of the commit");
    assert!(benchmarks("[]").unwrap_err().to_string().contains("benchmarks.json"));
    assert!(machine("{}").unwrap_err().to_string().contains("machine.json"));
    assert_eq!(machine(r#"{"machine": "box", "version": 1}"#).unwrap(), "box");
}

proptest! {
    #[test]
    fn nothing_like_a_result_panics(row in "(\\[|\\]|,|null|NaN|1e9|-1|\"a\"|\\{\\}| ){0,20}", columns in any::<bool>()) {
        let text = file("time_a", &format!("[{row}]"));
        let text = if columns { text } else { text.replace("result_columns", "columns") };
        let _ = results(&text, &Benchmarks::default());
    }
}
