use proptest::prelude::*;

use super::parse;
use crate::adapter::testing::{check, refuse};

#[test]
fn median_has_its_deviation_around_it() {
    check(parse("test tests::sort ... bench:       3,161 ns/iter (+/- 975)"), &["tests::sort | latency | 3161 | 2186 | 4136"]);
    check(parse("test add   ... bench:           1.86 ns/iter (+/- 2.58)"), &["add | latency | 1.86 | 0 | 4.44"]);
}

#[test]
fn throughput_is_the_same_said_otherwise() {
    check(parse("test a ... bench: 460 ns/iter (+/- 40) = 2230 MB/s\r\n"), &["a | latency | 460 | 420 | 500"]);
}

#[test]
fn tests_and_summaries_are_passed_over() {
    let text =
        "running 3 tests\ntest works ... ok\ntest off ... ignored\ntest a ... bench: 5 ns/iter (+/- 0)\n\ntest result: ok.";
    check(parse(text), &["a | latency | 5 | 5 | 5"]);
}

#[test]
fn text_without_benchmarks_is_refused() {
    refuse(
        parse("test works ... ok"),
        "expected a line such as `test name ... bench:  1,234 ns/iter (+/- 56)`, found `test works",
    );
    refuse(parse("test a ... bench: fast ns/iter (+/- 0)"), "found `test a");
    refuse(parse("test a ... bench: 5 ms/iter (+/- 0)"), "found `test a");
}

#[test]
fn what_cannot_be_stored_is_refused_by_name() {
    let line = "test a ... bench: 5 ns/iter (+/- 0)\n";
    refuse(parse(&line.repeat(2)), "benchmark `a` is there twice with `latency`");
    refuse(parse("test a ... bench: NaN ns/iter (+/- 0)"), "benchmark `a` has the value NaN");
    refuse(parse("test a ... bench: 5 ns/iter (+/- inf)"), "benchmark `a` has the upper value inf");
    refuse(parse(&line.replace('a', &"a".repeat(1025))), "the name stands between `test` and `... bench:`");
    refuse(parse("test  ... bench: 5 ns/iter (+/- 0)"), "a name that cannot be taken");
}

proptest! {
    #[test]
    fn nothing_like_libtest_panics(
        pieces in prop::collection::vec("test | \\.\\.\\. bench:| |\n|[0-9,.]{1,6}| ns/iter \\(\\+/- |\\)|= |MB/s|ß|NaN", 0..30)
    ) {
        let _ = parse(&pieces.concat());
    }
}
