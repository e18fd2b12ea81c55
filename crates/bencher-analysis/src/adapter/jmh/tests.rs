use proptest::prelude::*;

use super::parse;
use crate::adapter::testing::{check, refuse};

fn result(name: &str, score: f64, unit: &str, rest: &str) -> String {
    format!(
        r#"{{"jmhVersion": "1.37", "benchmark": "{name}", "mode": "avgt", "primaryMetric": {{"score": {score:e}, "scoreUnit": "{unit}"{rest}}}, "secondaryMetrics": {{}}}}"#
    )
}

#[test]
fn unit_says_whether_it_is_a_latency_or_a_throughput() {
    let results = [
        result("a", 12.5, "ns/op", ""),
        result("b", 0.25, "ms/op", ""),
        result("c", 2.0, "min/op", ""),
        result("d", 1234.5, "ops/s", ""),
        result("e", 0.5, "ops/us", ""),
        result("f", 120.0, "ops/min", ""),
    ];
    check(
        parse(&format!("[{}]", results.join(","))),
        &[
            "a | latency | 12.5 | none | none",
            "b | latency | 250000 | none | none",
            "c | latency | 120000000000 | none | none",
            "d | throughput | 1234.5 | none | none",
            "e | throughput | 500000 | none | none",
            "f | throughput | 2 | none | none",
        ],
    );
}

#[test]
fn confidence_interval_is_the_spread() {
    let with = result("a", 2.0, "us/op", r#", "scoreError": 0.5, "scoreConfidence": [1.5, 2.5]"#);
    check(parse(&format!("[{with}]")), &["a | latency | 2000 | 1500 | 2500"]);
    let without = result("a", 2.0, "us/op", r#", "scoreError": "NaN", "scoreConfidence": ["NaN", "NaN"]"#);
    check(parse(&format!("[{without}]")), &["a | latency | 2000 | none | none"]);
}

#[test]
fn parameters_stand_behind_the_name() {
    let with = result("a.B.c", 2.0, "ns/op", "").replacen('{', r#"{"params": {"size": "10", "kind": "x y"}, "#, 1);
    check(parse(&format!("[{with}]")), &["a.B.c(kind=x y, size=10) | latency | 2 | none | none"]);
}

#[test]
fn what_is_not_jmh_is_refused() {
    refuse(parse(""), "expected the JSON that JMH writes with `-rf json`, found no output");
    refuse(parse("{}"), "invalid type: map, expected an array");
    refuse(parse("[]"), "expected the JSON that JMH writes");
    refuse(parse("[{}]"), "missing field `benchmark`");
    let one = result("a", 1.0, "ns/op", "");
    refuse(parse(&format!("[{one}")), "EOF while parsing a list");
    refuse(parse(&format!("[{one},{one}]")), "benchmark `a` is there twice with `latency`");
    refuse(parse(&format!("[{}]", result("a", 1.0, "bytes", ""))), "found `bytes` for benchmark `a`");
    refuse(
        parse(&format!("[{}]", result("a", 1.0, "ns/op", r#", "scoreConfidence": ["low", "high"]"#))),
        "did not match any variant",
    );
    refuse(parse(&format!("[{}]", one.replace("1e0", "\"NaN\""))), "invalid type: string");
}

proptest! {
    #[test]
    fn nothing_panics(text in "\\PC*", name in "[a ]{0,3}", score in any::<f64>(), unit in "(ns|day|x)/op|ops/(ns|hr|)|") {
        let _ = parse(&text);
        let _ = parse(&format!("[{}]", result(&name, score, &unit, "")));
    }
}
