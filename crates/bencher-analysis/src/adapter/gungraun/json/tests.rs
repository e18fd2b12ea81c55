use proptest::prelude::*;

use super::parse;
use crate::adapter::testing::{check, refuse};

fn summary(name: &str, tool: &str, metrics: &str) -> String {
    format!(r#"{{{name}, "profiles": [{{"tool": "{tool}", "data": {{"parts": [], "total": {{"metrics": {{{metrics}}}}}}}}}]}}"#)
}

#[test]
fn summaries_stand_one_behind_the_other() {
    let text = summary(r#""module_path": "a::b""#, "Callgrind", r#""Ir": {"values": {"new": 5, "old": 4}}"#)
        + "\n"
        + &summary(
            r#""module_path": "a::b", "id": "short", "description": "(10)""#,
            "Memcheck",
            r#""Errors": {"values": {"new": 2}}, "Contexts": {"values": {"old": 2}}"#,
        );
    check(parse(&text), &["a::b | instructions | 5 | none | none", "a::b short:(10) | memcheck-errors | 2 | none | none"]);
}

#[test]
fn summaries_of_version_6_are_read() {
    let text = r#"{"version": "6", "module_path": "a::b", "id": "short", "details": "10", "profiles": [
        {"tool": "Callgrind", "summaries": {"parts": [], "total": {"regressions": [], "summary": {"Callgrind": {
            "Ir": {"diffs": null, "metrics": {"Left": {"Int": 5}}},
            "L1HitRate": {"diffs": null, "metrics": {"Both": [{"Float": 99.5}, {"Int": 100}]}},
            "Dr": {"diffs": null, "metrics": {"Right": {"Int": 7}}}
        }}}}},
        {"tool": "Memcheck", "summaries": {"total": {"summary": {"ErrorTool": {"Errors": {"metrics": {"Left": {"Int": 1}}}}}}}},
        {"tool": "Massif", "summaries": {"total": {"summary": "None"}}}
    ]}"#;
    check(
        parse(text),
        &[
            "a::b short:10 | instructions | 5 | none | none",
            "a::b short:10 | l1-hit-rate | 99.5 | none | none",
            "a::b short:10 | memcheck-errors | 1 | none | none",
        ],
    );
}

#[test]
fn what_is_not_known_is_passed_over() {
    let text = summary(
        r#""module_path": "a", "id": null"#,
        "Callgrind",
        r#""Ir": {"values": {"new": 5}}, "Future": {"values": {"new": {"of": "another shape"}}}"#,
    ) + &summary(r#""module_path": "a""#, "Perf", r#""cycles": {"values": {"new": {"value": 7}}}"#);
    check(parse(&text), &["a | instructions | 5 | none | none"]);
}

#[test]
fn what_is_no_summary_is_refused() {
    refuse(parse(""), "expected the JSON that Gungraun prints with `--output-format=json`, found no output");
    refuse(parse("{}"), "missing field `module_path`");
    refuse(parse(r#"{"module_path": "a", "profiles": ["#), "EOF while parsing");
    refuse(parse(r#"{"module_path": "a", "profiles": []} trailing"#), "expected");
    let cut = summary(r#""module_path": "a""#, "DHAT", r#""TotalBytes": {"values": {"new": 1"#);
    refuse(parse(&cut), "expected");
}

#[test]
fn same_benchmark_twice_is_refused() {
    let one = summary(r#""module_path": "a""#, "Callgrind", r#""Ir": {"values": {"new": 1}}"#);
    refuse(parse(&one.repeat(2)), "benchmark `a` is there twice with `instructions`");
}

proptest! {
    #[test]
    fn nothing_panics(text in "\\PC*", value in "-?[0-9]{1,4}(e[0-9]{1,3})?|null|[{}]|\"\"") {
        let _ = parse(&text);
        let _ = parse(&summary(r#""module_path": "a""#, "DHAT", &format!(r#""TotalBytes": {{"values": {{"new": {value}}}}}"#)));
    }
}
