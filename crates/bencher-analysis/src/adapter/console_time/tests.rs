use proptest::prelude::*;

use super::parse;
use crate::adapter::testing::{check, refuse};

#[test]
fn every_form_of_a_time_becomes_nanoseconds() {
    let text = "\
fib 10: 0.054ms
in a browser: 12.5 ms
größe µ: 1.114s
minutes: 1:02.5 (m:ss.mmm)
hours: 1:02:03.25 (h:mm:ss.mmm)
";
    check(
        parse(text),
        &[
            "fib 10 | latency | 54000 | none | none",
            "größe µ | latency | 1114000000 | none | none",
            "hours | latency | 3723250000000 | none | none",
            "in a browser | latency | 12500000 | none | none",
            "minutes | latency | 62500000000 | none | none",
        ],
    );
}

#[test]
fn label_may_have_a_colon() {
    check(parse("fib: 30: 1ms"), &["fib: 30 | latency | 1000000 | none | none"]);
}

#[test]
fn what_else_is_logged_is_passed_over() {
    let text = "a: 90.6ms halfway { n: 30 }\nresult: done\nanswer: 42\nratio: 5x\nurl: http://x\na: 1ms\n";
    check(parse(text), &["a | latency | 1000000 | none | none"]);
    refuse(parse("result: done"), "expected a line such as `label: 1.234ms`, found `result: done`");
}

#[test]
fn what_cannot_be_stored_is_refused_by_name() {
    refuse(parse("a: 1ms\na: 2ms"), "benchmark `a` is there twice with `latency`");
    refuse(parse("a: NaNms"), "benchmark `a` has the value NaN");
    refuse(parse(": 1ms"), "the label is what `console.time` was given");
}

proptest! {
    #[test]
    fn nothing_like_a_timer_panics(
        pieces in prop::collection::vec("a|: |:|[0-9.]{1,5}|[0-9]{1,400}|m?s| \\((h:m)?m:ss\\.mmm\\)|\n|ß|NaN", 0..30)
    ) {
        let _ = parse(&pieces.concat());
    }
}
