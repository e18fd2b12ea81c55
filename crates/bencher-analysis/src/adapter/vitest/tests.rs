use bencher_types::wire::adapter::Average;
use proptest::prelude::*;

use super::parse;
use crate::adapter::testing::{check, refuse};

fn export(benchmarks: &str) -> String {
    format!(
        r#"{{"files": [{{"filepath": "/a.bench.js", "groups": [{{"fullName": "a.bench.js > sort", "benchmarks": [{benchmarks}]}}]}}]}}"#
    )
}

const QUICK: &str =
    r#"{"id": "1", "name": "quick", "rank": 1, "rme": 10, "samples": [], "hz": 500, "mean": 2.5, "sd": 0.5, "median": 2}"#;

#[test]
fn latency_and_throughput_are_read() {
    check(
        parse(Average::Mean, &export(QUICK)),
        &[
            "a.bench.js > sort > quick | latency | 2500000 | 2000000 | 3000000",
            "a.bench.js > sort > quick | throughput | 500 | 450 | 550",
        ],
    );
    check(
        parse(Average::Median, &export(QUICK)),
        &[
            "a.bench.js > sort > quick | latency | 2000000 | none | none",
            "a.bench.js > sort > quick | throughput | 500 | 450 | 550",
        ],
    );
}

#[test]
fn benchmark_without_numbers_is_passed_over() {
    let failed = r#"{"name": "bad", "hz": null, "rme": null, "mean": null}"#;
    let all = format!("{failed},{QUICK}");
    assert_eq!(parse(Average::Mean, &export(&all)).unwrap().count(), 2);
    refuse(parse(Average::Mean, &export(failed)), "expected the JSON that `vitest bench --outputJson` writes");
}

#[test]
fn what_is_not_vitest_is_refused() {
    refuse(parse(Average::Mean, ""), "found no output");
    refuse(parse(Average::Mean, "{}"), "missing field `files`");
    refuse(parse(Average::Mean, &export("{}")), "missing field `name`");
    refuse(parse(Average::Mean, &export(QUICK)[..100]), "EOF while parsing");
    refuse(parse(Average::Mean, &export(&format!("{QUICK},{QUICK}"))), "is there twice with `latency`");
    refuse(parse(Average::Mean, &export(&QUICK.replace("quick", &"q".repeat(1024)))), "valid benchmark name");
    refuse(parse(Average::Mean, &export(&QUICK.replace("2.5", "1e999"))), "number out of range");
}

proptest! {
    #[test]
    fn nothing_panics(text in "\\PC*", number in any::<f64>()) {
        for average in [Average::Mean, Average::Median] {
            let _ = parse(average, &text);
            let _ = parse(average, &export(&QUICK.replace("2.5", &format!("{number:e}"))));
        }
    }
}
