use proptest::prelude::*;

use super::*;

fn with(benches: &str) -> String {
    format!(
        r#"window.BENCHMARK_DATA = {{"lastUpdate": 1, "repoUrl": "x", "entries": {{"Suite": [{{
            "commit": {{"id": "45d78258e495044a551046f50604da3c893052ce", "timestamp": "2019-11-10T00:06:58+09:00"}},
            "date": 1573312140323, "tool": "customBiggerIsBetter", "benches": {benches} }}] }} }};
"#
    )
}

/// `benchmark measure value lower..upper` of the one run.
fn lines(history: &History) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, benchmark) in history.suites["Suite"].iter().flat_map(|run| run.metrics.iter()) {
        for (measure, value) in &benchmark.measures {
            let MetricValue { value, lower_value, upper_value } = value;
            lines.push(format!("{name} {measure} {value} {lower_value:?}..{upper_value:?}"));
        }
    }
    lines
}

fn check(benches: &str, expected: &[&str]) {
    let history = parse(&with(benches)).unwrap();
    assert_eq!((lines(&history), history.skipped), (expected.iter().map(ToString::to_string).collect(), Skipped::default()));
}

#[test]
fn a_run_is_where_and_when_its_commit_was_made() {
    let history = parse(&with(r#"[{"name": "a", "value": 2, "unit": "ms"}]"#)).unwrap();
    let run = &history.suites["Suite"][0];
    assert_eq!(run.commit.as_ref().unwrap().as_str(), "45d78258e495044a551046f50604da3c893052ce");
    assert_eq!(run.at.to_string(), "2019-11-09T15:06:58Z");
}

#[test]
fn a_commit_without_a_time_is_as_old_as_its_measurement_and_one_without_either_is_passed_over() {
    let text = with(r#"[{"name": "a", "value": 2, "unit": "ms"}]"#).replace("\"timestamp\"", "\"was\"");
    assert_eq!(parse(&text).unwrap().suites["Suite"][0].at.to_string(), "2019-11-09T15:09:00.323Z");
    let history = parse(&text.replace("\"date\"", "\"day\"")).unwrap();
    assert_eq!((history.suites["Suite"].len(), history.skipped.count), (0, 1));
    assert!(history.skipped.example.unwrap().contains("has no time"));
}

#[test]
fn ranges_are_bounds_around_the_value() {
    check(r#"[{"name": "a", "value": 100, "unit": "ns/iter", "range": "± 3.5"}]"#, &["a latency 100 Some(96.5)..Some(103.5)"]);
    check(
        r#"[{"name": "a", "value": 5000, "unit": "ns", "range": "+/- 2,802"}]"#,
        &["a latency 5000 Some(2198.0)..Some(7802.0)"],
    );
    check(
        r#"[{"name": "a", "value": 200, "unit": "ops/sec", "range": "±0.5%"}]"#,
        &["a throughput 200 Some(199.0)..Some(201.0)"],
    );
    check(r#"[{"name": "a", "value": 200, "unit": "ops/sec", "range": "0.5%"}]"#, &["a throughput 200 Some(199.0)..Some(201.0)"]);
}

#[test]
fn a_deviation_of_something_else_is_no_range() {
    check(r#"[{"name": "a", "value": 200, "unit": "iter/sec", "range": "stddev: 0.0001"}]"#, &["a throughput 200 None..None"]);
}

#[test]
fn a_range_without_its_own_unit_is_no_range() {
    let text =
        with(r#"[{"name": "a", "value": 8.03, "unit": "us", "range": "± 658.292"}]"#).replace("customBiggerIsBetter", "catch2");
    assert_eq!(lines(&parse(&text).unwrap()), ["a latency 8030 None..None"]);
}

#[test]
fn several_numbers_of_a_go_benchmark_are_measures_of_one_benchmark() {
    check(
        r#"[{"name": "B", "value": 7, "unit": "ns/op\t 4.000 widgets"}, {"name": "B - ns/op", "value": 7, "unit": "ns/op"},
            {"name": "B - widgets", "value": 4, "unit": "widgets"}]"#,
        &["B latency 7 None..None", "B widgets 4 None..None"],
    );
}

#[test]
fn a_unit_of_its_own_is_a_measure_and_the_tool_says_which_way_is_better() {
    let history = parse(&with(r#"[{"name": "a", "value": 2, "unit": "points"}]"#)).unwrap();
    let (name, measure) = history.measures.first_key_value().unwrap();
    assert_eq!((name.as_str(), measure.better), ("points", Some(Better::Higher)));
    assert_eq!(measure.units.as_ref().map(ToString::to_string).as_deref(), Some("points"));
}

#[test]
fn what_has_no_value_no_name_or_a_name_twice_is_counted_and_the_rest_stays() {
    let history = parse(&with(
        r#"[{"name": "a", "value": 2, "unit": "s"}, {"name": "a", "value": 3, "unit": "s"}, {"name": " ", "value": 3, "unit": "s"},
            {"name": "b", "value": null, "unit": "s"}]"#,
    ))
    .unwrap();
    assert_eq!((lines(&history).len(), history.skipped.count), (1, 3));
    assert!(history.skipped.example.unwrap().contains("`a` is there twice"));
}

#[test]
fn a_file_that_is_something_else_says_what_was_expected() {
    for text in ["", "window.BENCHMARK_DATA =", "{}", "{\"entries\": 1}", "{\"entries\": {}} and more", "{\"entries\": {"] {
        let error = parse(text).unwrap_err();
        assert!(error.to_string().starts_with("expected github-action-benchmark's data.js"), "{error}");
    }
    assert_eq!(parse("{\"entries\": {}}").unwrap().suites.len(), 0);
}

proptest! {
    #[test]
    fn nothing_like_a_data_js_panics(
        unit in "(ns|µs|ops|B|\t|/|iter|sec| - ){0,4}", range in "(±|\\+/-|%|[0-9.,]{1,4}|e| ){0,5}", name in "(a| - |ns|B|/|iter|BencherIgnore){0,5}",
        value in any::<f64>()
    ) {
        let bench = serde_json::json!([{ "name": name, "value": value, "unit": unit, "range": range }]);
        let _ = parse(&with(&bench.to_string()));
    }
}
