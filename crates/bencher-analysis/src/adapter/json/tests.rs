use bencher_types::{BenchmarkName, ResourceName};
use proptest::prelude::*;

use super::{parse, to_bmf};
use crate::{
    limits::MAX_METRICS,
    metrics::{MetricValue, Metrics},
};

fn refuse(text: &str, expected: &str) {
    let error = parse(text).unwrap_err();
    let shown = super::super::testing::chain(&error);
    assert!(shown.contains(expected), "{shown}");
    assert!(shown.len() < 2000, "an error of {} bytes", shown.len());
}

fn values(text: &str) -> Vec<(String, String, MetricValue)> {
    let metrics = parse(text).unwrap();
    let all = metrics.iter().flat_map(|(name, benchmark)| {
        benchmark.measures.iter().map(move |(measure, value)| (name.to_string(), measure.to_string(), *value))
    });
    all.collect()
}

#[test]
fn benchmarks_and_measures_are_read() {
    let text = r#"{
        "sort": { "latency": {"value": 88.0, "lower_value": 87.42, "upper_value": 88.88}, "Max RSS": {"value": 4096} },
        "hash": { "throughput": {"value": 1e9, "lower_value": null} }
    }"#;
    let plain = |value| MetricValue { value, lower_value: None, upper_value: None };
    let spread = MetricValue { value: 88.0, lower_value: Some(87.42), upper_value: Some(88.88) };
    let expected = [
        ("hash".to_owned(), "throughput".to_owned(), plain(1e9)),
        ("sort".to_owned(), "Max RSS".to_owned(), plain(4096.0)),
        ("sort".to_owned(), "latency".to_owned(), spread),
    ];
    assert_eq!(values(text), expected);
}

#[test]
fn notes_beside_the_value_are_passed_over() {
    assert_eq!(values(r#"{"a": {"b": {"note": ["x"], "value": 1}}}"#).len(), 1);
}

#[test]
fn object_without_benchmarks_is_an_explicit_nothing() {
    assert!(parse(" {} \n").unwrap().is_empty());
}

#[test]
fn what_is_not_bmf_says_what_was_expected() {
    refuse("", "found no output: EOF while parsing");
    refuse("test result: ok", r#"expected a JSON object {"benchmark": {"measure": {"value": number}}}, found `test result: ok`"#);
    refuse("[]", "invalid type: sequence, expected an object of benchmarks");
    refuse(r#"{"a": 1}"#, "invalid type: integer `1`, expected an object");
    refuse(r#"{"a": {"b": [1.0, 2.0, 3.0]}}"#, "invalid type: sequence, expected an object");
    refuse(r#"{"a": {"b": {"lower_value": 1}}}"#, "missing field `value`");
    refuse(r#"{"a": {"b": {"value": "1"}}}"#, "invalid type: string");
    refuse(r#"{"a": {"b": {"value": 1}}} trailing"#, "trailing characters");
    refuse(r#"{"a": {}}"#, "benchmark `a` without any measure");
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    refuse(r#"{"a": {"b": {"value": 1e999}}}"#, "number out of range");
    refuse(r#"{"a": {"b": {"value": NaN}}}"#, "expected value");
}

#[test]
fn names_that_are_there_twice_are_refused() {
    refuse(r#"{"a": {"b": {"value": 1}}, "a": {"b": {"value": 2}}}"#, "benchmark `a` is there twice with `b`");
    refuse(r#"{"a": {"b": {"value": 1}, "b": {"value": 2}}}"#, "benchmark `a` is there twice with `b`");
    refuse(r#"{"a": {"b": {"value": 1, "value": 2}}}"#, "duplicate field `value`");
}

#[test]
fn one_benchmark_may_be_given_in_parts() {
    assert_eq!(values(r#"{"a": {"b": {"value": 1}}, "a": {"c": {"value": 2}}}"#).len(), 2);
}

#[test]
fn bad_names_are_refused() {
    refuse(r#"{" ": {"b": {"value": 1}}}"#, "valid benchmark name: expected 1 to 1024 bytes");
    refuse(&format!(r#"{{"{}": {{"b": {{"value": 1}}}}}}"#, "n".repeat(1 << 20)), "valid benchmark name");
    refuse(&format!(r#"{{"a": {{"{}": {{"value": 1}}}}}}"#, "m".repeat(65)), "valid name: expected 1 to 64 bytes");
}

#[test]
fn names_are_measured_in_bytes() {
    let named = |name: &str| format!(r#"{{"{name}": {{"b": {{"value": 1}}}}}}"#);
    for name in ["n".repeat(1024), "ß".repeat(512), "🦀".repeat(256)] {
        assert_eq!(values(&named(&name))[0].0, name);
        refuse(&named(&format!("{name}n")), "valid benchmark name: expected 1 to 1024 bytes");
    }
}

#[test]
fn two_million_benchmarks_are_refused_at_the_first_that_is_too_many() {
    let mut text = "{".to_owned();
    for number in 0..2_000_000 {
        text.push_str(&format!(r#""{number}":{{"m":{{"value":1}}}},"#));
    }
    // The rest is not looked at: it is no JSON.
    refuse(&text, "more than 65536 metrics in one output");
}

#[test]
fn absurd_sizes_are_refused() {
    let entries = |count: usize, entry: fn(usize) -> String| (0..count).map(entry).collect::<Vec<_>>().join(",");
    let benchmarks = entries(MAX_METRICS + 1, |n| format!(r#""b{n}": {{"m": {{"value": 1}}}}"#));
    refuse(&format!("{{{benchmarks}}}"), "more than 65536 metrics in one output");
    let measures = entries(MAX_METRICS + 1, |n| format!(r#""m{n}": {{"value": 1}}"#));
    refuse(&format!(r#"{{"a": {{{measures}}}}}"#), "more than 65536 entries in one object");
    refuse(&"[".repeat(1 << 20), "invalid type: sequence");
    refuse(&format!(r#"{{"a": {{"b": {{"note": {}"#, "[".repeat(1 << 20)), "EOF while parsing a list");
}

fn any_metrics() -> impl Strategy<Value = Metrics> {
    let number = any::<f64>().prop_filter("finite", |number| number.is_finite());
    let value = (number.clone(), prop::option::of(number.clone()), prop::option::of(number))
        .prop_map(|(value, lower_value, upper_value)| MetricValue { value, lower_value, upper_value });
    let name = "\\PC{1,30}(BencherIgnore|_bencher_ignore|-bencher-ignore)?".prop_filter("name", |name| !name.trim().is_empty());
    let measure = "[a-zA-Zµ\"\\\\ -]{0,20}[a-z]";
    prop::collection::vec((name, measure, value), 0..20).prop_map(|entries| {
        let mut metrics = Metrics::default();
        for (name, measure, value) in entries {
            let (name, measure) = (BenchmarkName::new(name).unwrap(), ResourceName::new(measure).unwrap());
            // A pair that is there already is left out.
            let _ = metrics.insert(&name, measure, value);
        }
        metrics
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back_to_the_last_bit(metrics in any_metrics()) {
        let read = parse(&to_bmf(&metrics)).unwrap();
        prop_assert_eq!(&read, &metrics);
        let bits = |metrics: &Metrics| {
            let values = metrics.iter().flat_map(|(_, benchmark)| benchmark.measures.values());
            values.map(|value| value.value.to_bits()).collect::<Vec<_>>()
        };
        prop_assert_eq!(bits(&read), bits(&metrics));
    }

    #[test]
    fn nothing_panics(text in "[\\[\\]{}\":,a-c0-9.eE+\\- ]{0,200}|\\PC*") {
        let _ = parse(&text);
    }

    #[test]
    fn nothing_like_bmf_panics(values in prop::collection::vec(("[ab]?", "[cd]?", "-?[0-9]{1,4}(\\.[0-9]{1,3})?(e[+-]?[0-9]{1,3})?|null|[]]|\"\""), 0..6)) {
        let text = values.iter().map(|(a, b, c)| format!(r#""{a}": {{"{b}": {{"value": {c}}}}}"#)).collect::<Vec<_>>().join(",");
        let _ = parse(&format!("{{{text}}}"));
    }
}
