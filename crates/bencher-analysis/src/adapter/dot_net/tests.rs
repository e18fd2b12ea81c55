use bencher_types::wire::adapter::Average;
use proptest::prelude::*;

use super::parse;
use crate::adapter::testing::{check, refuse};

const STATISTICS: &str =
    r#""Statistics": {"N": 3, "Mean": 10.5, "StandardDeviation": 0.25, "Median": 10, "InterquartileRange": 0.5}"#;

fn benchmark(class: &str, method: &str, parameters: &str, rest: &str) -> String {
    format!(r#"{{"Namespace": "Shop", "Type": "{class}", "Method": "{method}", "Parameters": "{parameters}", {rest}}}"#)
}

fn export(benchmarks: &[String]) -> String {
    format!(r#"{{"Title": "Shop", "HostEnvironmentInfo": {{}}, "Benchmarks": [{}]}}"#, benchmarks.join(","))
}

#[test]
fn either_average_has_its_own_spread() {
    let text = export(&[benchmark("Sort", "Quick", "", STATISTICS)]);
    check(parse(Average::Mean, &text), &["Shop.Quick | latency | 10.5 | 10.25 | 10.75"]);
    check(parse(Average::Median, &text), &["Shop.Quick | latency | 10 | 9.5 | 10.5"]);
}

#[test]
fn memory_is_measured_where_it_was_diagnosed() {
    let memory = r#", "Memory": {"Gen0Collections": 184, "Gen1Collections": 1, "Gen2Collections": 0, "TotalOperations": 8388608, "BytesAllocatedPerOperation": 368}"#;
    check(
        parse(Average::Mean, &export(&[benchmark("Sort", "Quick", "", &format!("{STATISTICS}{memory}"))])),
        &[
            "Shop.Quick | allocated | 368 | none | none",
            "Shop.Quick | gen0-collects | 184 | none | none",
            "Shop.Quick | gen1-collects | 1 | none | none",
            "Shop.Quick | gen2-collects | 0 | none | none",
            "Shop.Quick | latency | 10.5 | 10.25 | 10.75",
            "Shop.Quick | total-operations | 8388608 | none | none",
        ],
    );
    let unknown = r#", "Memory": {"Gen0Collections": 1, "BytesAllocatedPerOperation": null}"#;
    let text = export(&[benchmark("Sort", "Quick", "", &format!("{STATISTICS}{unknown}"))]);
    check(
        parse(Average::Mean, &text),
        &["Shop.Quick | gen0-collects | 1 | none | none", "Shop.Quick | latency | 10.5 | 10.25 | 10.75"],
    );
}

#[test]
fn parameters_and_classes_tell_benchmarks_apart() {
    let text = export(&[
        benchmark("Sort", "Run", "N=10", STATISTICS),
        benchmark("Sort", "Run", "N=20", STATISTICS),
        benchmark("Hash", "Run", "N=10", STATISTICS),
    ]);
    let lines = ["Shop.Hash.Run(N=10)", "Shop.Run(N=20)", "Shop.Sort.Run(N=10)"]
        .map(|name| format!("{name} | latency | 10.5 | 10.25 | 10.75"));
    check(parse(Average::Mean, &text), &lines.each_ref().map(String::as_str));
}

#[test]
fn benchmark_that_failed_is_passed_over() {
    let text = export(&[benchmark("Sort", "Bad", "", r#""Statistics": null"#), benchmark("Sort", "Good", "", STATISTICS)]);
    check(parse(Average::Mean, &text), &["Shop.Good | latency | 10.5 | 10.25 | 10.75"]);
    let text = export(&[benchmark("Sort", "Bad", "", r#""Statistics": null"#)]);
    refuse(parse(Average::Mean, &text), "expected the JSON that BenchmarkDotNet writes");
}

#[test]
fn what_is_not_benchmark_dot_net_is_refused() {
    refuse(parse(Average::Mean, ""), "found no output");
    refuse(parse(Average::Mean, "{}"), "missing field `Benchmarks`");
    refuse(parse(Average::Mean, r#"{"Benchmarks": [{"Type": "a"}]}"#), "missing field `Method`");
    let one = benchmark("Sort", "Quick", "", STATISTICS);
    refuse(
        parse(Average::Mean, &export(&[one.clone(), one.clone()])),
        "benchmark `Shop.Sort.Quick` is there twice with `latency`",
    );
    refuse(parse(Average::Mean, &export(&[one])[..90]), "EOF while parsing");
}

proptest! {
    #[test]
    fn nothing_panics(text in "\\PC*", mean in any::<f64>(), spread in any::<f64>(), parameters in "[N=1 ]{0,4}") {
        let statistics = format!(
            r#""Statistics": {{"Mean": {mean:e}, "StandardDeviation": {spread:e}, "Median": {mean}, "InterquartileRange": {spread}}}"#
        );
        for average in [Average::Mean, Average::Median] {
            let _ = parse(average, &text);
            let _ = parse(average, &export(&[benchmark("Sort", "Quick", &parameters, &statistics)]));
        }
    }
}
