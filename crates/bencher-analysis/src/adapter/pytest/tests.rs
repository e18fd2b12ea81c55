use bencher_types::wire::adapter::Average;
use proptest::prelude::*;

use super::parse;
use crate::adapter::testing::{check, refuse};

const STATS: &str =
    r#"{"min": 0.1, "max": 9, "mean": 0.026029, "stddev": 0.001, "median": 0.0255, "iqr": 0.0005, "data": [1, 2]}"#;

fn export(name: &str, stats: &str) -> String {
    format!(
        r#"{{"machine_info": {{}}, "benchmarks": [{{"group": null, "name": "test_a", "fullname": "{name}", "stats": {stats}}}], "version": "5"}}"#
    )
}

#[test]
fn either_average_has_its_own_spread() {
    let text = export("test_a.py::test_a[10]", STATS);
    check(parse(Average::Mean, &text), &["test_a.py::test_a[10] | latency | 26029000 | 25029000 | 27029000"]);
    check(parse(Average::Median, &text), &["test_a.py::test_a[10] | latency | 25500000 | 25000000 | 26000000"]);
}

#[test]
fn what_is_not_pytest_benchmark_is_refused() {
    refuse(parse(Average::Mean, ""), "expected the JSON that `pytest --benchmark-json` writes, found no output");
    refuse(parse(Average::Mean, r#"{"benchmarks": []}"#), "expected the JSON");
    refuse(parse(Average::Mean, r#"{"benchmarks": [{"name": "a"}]}"#), "missing field `fullname`");
    refuse(parse(Average::Mean, &export("a", STATS)[..90]), "EOF while parsing");
    refuse(parse(Average::Mean, &export("a", &STATS.replace("0.001", "NaN"))), "expected value");
    refuse(parse(Average::Mean, &export(&"a".repeat(1025), STATS)), "valid benchmark name");
}

proptest! {
    #[test]
    fn nothing_panics(text in "\\PC*", mean in any::<f64>(), name in "[a ]{0,3}") {
        for average in [Average::Mean, Average::Median] {
            let _ = parse(average, &text);
            let _ = parse(average, &export(&name, &STATS.replace("0.026029", &format!("{mean:e}"))));
        }
    }
}
