use bencher_types::wire::adapter::Average;
use proptest::prelude::*;

use super::parse;
use crate::adapter::testing::{check, refuse};

fn export(runs: &str) -> String {
    format!(r#"{{"context": {{"num_cpus": 2}}, "benchmarks": [{runs}]}}"#)
}

fn run(name: &str, time: f64, unit: &str) -> String {
    format!(
        r#"{{"name": "{name}", "run_name": "{name}", "run_type": "iteration", "real_time": {time:e}, "cpu_time": 1, "time_unit": "{unit}"}}"#
    )
}

fn aggregate(name: &str, of: &str, time: f64) -> String {
    format!(
        r#"{{"name": "{name}_{of}", "run_name": "{name}", "run_type": "aggregate", "aggregate_name": "{of}", "real_time": {time:e}, "time_unit": "us"}}"#
    )
}

#[test]
fn real_time_is_the_latency() {
    let runs = [run("a", 1.5, "ns"), run("b/8", 2.25, "us"), run("c", 3.5, "ms"), run("d", 4.0, "s")].join(",");
    check(
        parse(Average::Mean, &export(&runs)),
        &[
            "a | latency | 1.5 | none | none",
            "b/8 | latency | 2250 | none | none",
            "c | latency | 3500000 | none | none",
            "d | latency | 4000000000 | none | none",
        ],
    );
}

#[test]
fn repetitions_are_one_benchmark_with_the_tools_own_statistics() {
    let runs = [
        run("a", 1.0, "us"),
        run("a", 5.0, "us"),
        aggregate("a", "mean", 3.0),
        aggregate("a", "median", 2.5),
        aggregate("a", "stddev", 0.5),
        aggregate("a", "cv", 0.2),
        aggregate("a", "max", 9.0),
    ]
    .join(",");
    check(parse(Average::Mean, &export(&runs)), &["a | latency | 3000 | 2500 | 3500"]);
    check(parse(Average::Median, &export(&runs)), &["a | latency | 2500 | 2000 | 3000"]);
}

#[test]
fn runs_without_statistics_are_averaged() {
    let runs = [run("a", 1.0, "us"), run("a", 6.0, "us"), run("a", 2.0, "us")].join(",");
    check(parse(Average::Mean, &export(&runs)), &["a | latency | 3000 | 1000 | 6000"]);
    check(parse(Average::Median, &export(&runs)), &["a | latency | 2000 | 1000 | 6000"]);
}

#[test]
fn estimates_and_errors_are_passed_over() {
    let runs = [
        run("a", 1.0, "ns"),
        r#"{"name": "a_BigO", "run_name": "a", "aggregate_name": "BigO", "cpu_coefficient": 0.05, "big_o": "N", "time_unit": "ns"}"#.to_owned(),
        r#"{"name": "b", "error_occurred": true, "error_message": "no file", "real_time": 0, "time_unit": "ns"}"#.to_owned(),
        r#"{"name": "c", "skipped": true, "real_time": 0, "time_unit": "ns"}"#.to_owned(),
    ]
    .join(",");
    check(parse(Average::Mean, &export(&runs)), &["a | latency | 1 | none | none"]);
}

#[test]
fn what_is_not_google_benchmark_is_refused() {
    refuse(parse(Average::Mean, ""), "expected the JSON that `--benchmark_format=json` prints, found no output");
    refuse(parse(Average::Mean, r#"{"benchmarks": []}"#), "missing field `context`");
    refuse(parse(Average::Mean, &export("")), "expected the JSON");
    refuse(parse(Average::Mean, &export(&run("a", 1.0, "ns"))[..60]), "EOF while parsing");
    refuse(parse(Average::Mean, &export(&run("a", 1.0, "cycles"))), "knows the time units ns, us, ms and s, found `cycles`");
    refuse(parse(Average::Mean, &export(&run(&"n".repeat(1025), 1.0, "ns"))), "valid benchmark name");
    refuse(parse(Average::Mean, &export(&run("a", 1.0, "ns")).replace("1e0", "1e999")), "number out of range");
}

proptest! {
    #[test]
    fn nothing_panics(text in "\\PC*", name in "[a ]{0,3}", time in any::<f64>(), unit in "ns|us|h|") {
        for average in [Average::Mean, Average::Median] {
            let _ = parse(average, &text);
            let _ = parse(average, &export(&run(&name, time, &unit)));
        }
    }
}
