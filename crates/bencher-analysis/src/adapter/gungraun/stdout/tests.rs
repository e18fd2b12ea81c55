use proptest::prelude::*;

use super::parse;
use crate::adapter::testing::{check, refuse};

#[test]
fn value_of_this_run_stands_before_the_bar() {
    let text = "\
sort::group::quick short:(10)
  Instructions:                                       1839|1900                 (-3.21053%) [-1.03317x]
  L2 Hits:                                               1|N/A                  (*********)
  L1 Hit Rate:                                     99.8867|99.8867              (No change)
";
    check(
        parse(text),
        &[
            "sort::group::quick short:(10) | instructions | 1839 | none | none",
            "sort::group::quick short:(10) | l1-hit-rate | 99.8867 | none | none",
            "sort::group::quick short:(10) | l2-hits | 1 | none | none",
        ],
    );
}

#[test]
fn findings_belong_to_the_tool_above_them() {
    let text = "\
a
  ======= MEMCHECK ===
  Errors:   1|N/A  (*********)
  ======= DRD ===
  Errors:   2|N/A  (*********)
  ======= MASSIF ===
  Errors:   3|N/A  (*********)
";
    check(parse(text), &["a | drd-errors | 2 | none | none", "a | memcheck-errors | 1 | none | none"]);
}

#[test]
fn first_of_two_tools_has_what_both_count() {
    let text = "\
a
  ======= CALLGRIND ===
  Instructions:   1|N/A  (*********)
  ======= CACHEGRIND ===
  Instructions:   2|N/A  (*********)
  Bcm:   3|N/A  (*********)
";
    check(parse(text), &["a | bcm | 3 | none | none", "a | instructions | 1 | none | none"]);
}

#[test]
fn total_of_several_threads_counts() {
    let text = "\
a
  ## pid: 1 thread: 1 part: 1  |N/A
  Instructions:   1|N/A  (*********)
  ## pid: 1 thread: 2 part: 1  |N/A
  Instructions:   2|N/A  (*********)
  ## Total
  Instructions:   3|N/A  (*********)
";
    check(parse(text), &["a | instructions | 3 | none | none"]);
}

#[test]
fn comparisons_are_passed_over() {
    let text = "a\n  Instructions:   1|2  (+1%)\n  Comparison with b\n  L1 Hits:   3|4  (+1%)\nc\n  L1 Hits:   5|6  (+1%)\n";
    check(parse(text), &["a | instructions | 1 | none | none", "c | l1-hits | 5 | none | none"]);
}

#[test]
fn value_of_the_other_run_is_none_of_this() {
    check(parse("a\n  Instructions:   N/A|2  (*********)\n  L1 Hits:  1|2 (x)\n"), &["a | l1-hits | 1 | none | none"]);
}

#[test]
fn text_without_counts_is_refused() {
    refuse(parse("a\n  Instructions:  1735\n"), "lines such as `  Instructions:  1839|1839  (No change)`");
    refuse(parse(&format!("{}\n  Instructions:  1|2\n", "a".repeat(1025))), "the name is the benchmark's module");
}

proptest! {
    #[test]
    fn nothing_like_gungraun_panics(
        pieces in prop::collection::vec(
            "a|  |Instructions:|Errors: |======= (DRD|DHAT|X) |## (Total|pid)|Comparison with |[0-9]{1,30}|\\||N/A|\n|ß|NaN",
            0..40,
        )
    ) {
        let _ = parse(&pieces.concat());
    }
}
