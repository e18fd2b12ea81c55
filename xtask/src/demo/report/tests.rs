use serde_json::json;

use super::*;

fn result(name: &str, measure: &str, value: f64) -> Value {
    json!({ "benchmark": { "name": name }, "measures": [{ "measure": { "slug": measure }, "metric": { "value": value } }] })
}

fn complaint(results: Value) -> String {
    check(&json!({ "results": results }), &["gzip", "xz"]).unwrap_err().to_string()
}

#[test]
fn a_report_with_every_benchmark_is_as_expected() {
    let results = [result("gzip", "latency", 1.0), result("xz", "latency", 2.0), result("more", "throughput", 0.0)];
    check(&json!({ "results": [results] }), &["gzip", "xz"]).unwrap();
}

#[test]
fn a_missing_benchmark_is_named() {
    assert_eq!(complaint(json!([[result("gzip", "latency", 1.0)]])), "the report has 0 results of `xz`: expected one");
}

#[test]
fn a_latency_must_be_positive() {
    let zero = complaint(json!([[result("gzip", "latency", 0.0), result("xz", "latency", 2.0)]]));
    assert!(zero.starts_with("`gzip` has no positive latency"), "{zero}");
    let other = complaint(json!([[result("gzip", "throughput", 1.0), result("xz", "latency", 2.0)]]));
    assert!(other.starts_with("`gzip` has no positive latency"), "{other}");
}

#[test]
fn a_report_without_results_is_not_as_expected() {
    assert!(complaint(json!([])).starts_with("the report has not one iteration"));
    assert!(complaint(Value::Null).starts_with("the report has not one iteration"));
}
