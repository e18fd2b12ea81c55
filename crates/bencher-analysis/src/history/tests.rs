use proptest::prelude::*;

use super::{Better, lenient::without_nan, unit::Kind};
use crate::metrics::MetricValue;

/// The measure and the value that `1` of a unit is.
fn check(unit: &str, expected: (&str, f64, Better)) {
    let kind = Kind::of_unit(unit, Better::Higher);
    let value = kind.value(MetricValue::alone(1.0)).value;
    assert_eq!((kind.measure.as_str(), value, kind.better), expected, "{unit}");
}

#[test]
fn times_are_latencies_in_nanoseconds() {
    for (unit, nanos) in
        [("ns/iter", 1.0), ("ns/op", 1.0), ("us", 1e3), ("µs/iter", 1e3), ("ms", 1e6), ("seconds", 1e9), ("min", 6e10)]
    {
        check(unit, ("latency", nanos, Better::Lower));
    }
}

#[test]
fn operations_in_a_time_are_throughput_in_operations_per_second() {
    for (unit, per_second) in
        [("ops/sec", 1.0), ("iter/sec", 1.0), ("ops/s", 1.0), ("ops/ms", 1e3), ("ops/us", 1e6), ("ops/min", 1.0 / 60.0)]
    {
        check(unit, ("throughput", per_second, Better::Higher));
    }
}

#[test]
fn other_units_are_measures_of_their_own_as_good_as_the_tool_says() {
    check("MB", ("MB", 1.0, Better::Higher));
    check("B/op", ("B/op", 1.0, Better::Higher));
    check("", ("Value", 1.0, Better::Higher));
    let long = Kind::of_unit(&"ß".repeat(100), Better::Lower);
    assert_eq!(long.measure.as_str().len(), 64);
    assert_eq!(Kind::of_unit("\n", Better::Lower).units.map(|units| units.to_string()).as_deref(), Some("units"));
}

#[test]
fn what_python_writes_for_no_number_is_null_outside_of_texts() {
    let check = |text: &str, expected: &str| assert_eq!(without_nan(text), expected);
    check("[NaN, Infinity, -Infinity, 1]", "[null, null, null, 1]");
    check(r#"{"NaN": NaN, "a\"NaN": "\\", "ß": NaN}"#, r#"{"NaN": null, "a\"NaN": "\\", "ß": null}"#);
    check("[1, 2]", "[1, 2]");
    check("\"NaN\\", "\"NaN\\");
}

proptest! {
    #[test]
    fn a_text_that_is_json_stays_the_same_json(texts in prop::collection::vec("(NaN|-?Infinity|\\\\|\"|ß|x){0,6}", 0..5)) {
        let json = serde_json::to_string(&texts).unwrap();
        prop_assert_eq!(without_nan(&json), json.as_str());
    }
}
