use proptest::prelude::*;

use super::parse;
use crate::adapter::testing::{check, refuse};

#[test]
fn throughput_has_its_margin_around_it() {
    let text = "fib 10 x 183,165 ops/sec ±10% (31 runs sampled)\nslow x 2.50 ops/sec +-4.00% (1 run sampled)\r\n";
    check(parse(text), &["fib 10 | throughput | 183165 | 164848.5 | 201481.5", "slow | throughput | 2.5 | 2.4 | 2.6"]);
}

#[test]
fn name_may_look_like_a_result() {
    check(parse("a x 1 ops/sec x 2 ops/sec ±0.00% (2 runs sampled)"), &["a x 1 ops/sec | throughput | 2 | 2 | 2"]);
}

#[test]
fn errors_and_the_fastest_are_passed_over() {
    let text = "throws: \nError: broken\na x 2 ops/sec ±0.00% (2 runs sampled)\nFastest is a\n";
    check(parse(text), &["a | throughput | 2 | 2 | 2"]);
    refuse(
        parse("Fastest is a"),
        "expected a line such as `name x 1,234 ops/sec ±0.99% (59 runs sampled)`, found `Fastest is a`",
    );
}

#[test]
fn what_cannot_be_stored_is_refused_by_name() {
    let line = "a x 2 ops/sec ±0.00% (2 runs sampled)\n";
    refuse(parse(&line.repeat(2)), "benchmark `a` is there twice with `throughput`");
    refuse(parse(&line.replace('2', "Infinity").replace("(Infinity", "(2")), "benchmark `a` has the value inf");
    refuse(parse(&line.replace("a x", " x")), "give it to `suite.add`");
}

proptest! {
    #[test]
    fn nothing_like_benchmark_js_panics(
        pieces in prop::collection::vec("a| x |[0-9,.]{1,5}| ops/sec |±|\\+-|% \\(|[0-9]{1,30}| runs? sampled\\)|\n|ß|NaN", 0..30)
    ) {
        let _ = parse(&pieces.concat());
    }
}
