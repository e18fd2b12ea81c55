use proptest::prelude::*;

use super::parse;
use crate::adapter::testing::{check, refuse};

#[test]
fn run_time_is_the_latency() {
    let text = "Template(RunTime): 0.1568472448997197 us.\nList.add (1000)(RunTime): 12.5 us.\n";
    check(
        parse(text),
        &["List.add (1000) | latency | 12500 | none | none", "Template | latency | 156.8472448997197 | none | none"],
    );
}

#[test]
fn text_without_run_times_is_refused() {
    refuse(parse("Template(CodeSize): 12 B"), "expected a line such as `Name(RunTime): 12.34 us.`, found `Template(CodeSize)");
    refuse(parse("Template(RunTime): 12 ms."), "found `Template");
}

#[test]
fn what_cannot_be_stored_is_refused_by_name() {
    refuse(parse(&"a(RunTime): 1 us.\n".repeat(2)), "benchmark `a` is there twice with `latency`");
    refuse(parse("a(RunTime): Infinity us."), "benchmark `a` has the value inf");
    refuse(parse("(RunTime): 1 us."), "the name is what the benchmark's class was given");
}

proptest! {
    #[test]
    fn nothing_like_dart_panics(pieces in prop::collection::vec("a|\\(RunTime\\): |[0-9.]{1,5}| us\\.|\n|ß|NaN", 0..30)) {
        let _ = parse(&pieces.concat());
    }
}
