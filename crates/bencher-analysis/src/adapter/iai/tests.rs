use proptest::prelude::*;

use super::parse;
use crate::adapter::testing::{check, refuse};

#[test]
fn each_count_is_a_measure() {
    let text = "\
fib_short
  Instructions:                1828
  L1 Accesses:                 2627 (+0.042%)
  L2 Accesses:                    0 (No change)
  RAM Accesses:                   3
  Estimated Cycles:            2732
";
    check(
        parse(text),
        &[
            "fib_short | estimated-cycles | 2732 | none | none",
            "fib_short | instructions | 1828 | none | none",
            "fib_short | l1-accesses | 2627 | none | none",
            "fib_short | l2-accesses | 0 | none | none",
            "fib_short | ram-accesses | 3 | none | none",
        ],
    );
}

#[test]
fn other_lines_are_passed_over() {
    let text = "running\n\na\n  Instructions: 1\n  Notes: 3\n\n";
    check(parse(text), &["a | instructions | 1 | none | none"]);
}

#[test]
fn text_without_counts_is_refused() {
    refuse(parse("a\n  Instructions: many\n"), "expected a benchmark's name and below it lines such as");
    refuse(parse("  Instructions: 1\n"), "the name stands on the line above `Instructions:`");
    refuse(parse(&"a\n  Instructions: 1\n".repeat(2)), "benchmark `a` is there twice with `instructions`");
}

proptest! {
    #[test]
    fn nothing_like_iai_panics(pieces in prop::collection::vec("a|  |Instructions:|L1 Accesses: |[0-9]{1,40}| \\(|\n|ß", 0..30)) {
        let _ = parse(&pieces.concat());
    }
}
