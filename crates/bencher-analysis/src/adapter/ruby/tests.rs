use proptest::prelude::*;

use super::parse;
use crate::adapter::testing::{check, refuse};

const CAPTION: &str = "              user     system      total        real\n";

#[test]
fn real_time_is_the_latency() {
    let text = format!("{CAPTION}for:      1.010000   0.000000   1.010000 (  1.015688)\ngröße (µ)  0.1 0.2 0.3 (0.4)\n");
    check(parse(&text), &["for: | latency | 1015688000 | none | none", "größe (µ) | latency | 400000000 | none | none"]);
}

#[test]
fn rehearsal_does_not_count() {
    let text = "\
Rehearsal -----------------------------------------
sort!   0.003034   0.000000   0.003034 (  0.027296)
-------------------------------- total: 0.003034sec

            user     system      total        real
sort!   0.002884   0.000000   0.002884 (  0.031940)
";
    check(parse(text), &["sort! | latency | 31940000 | none | none"]);
}

#[test]
fn what_cannot_be_stored_is_refused_by_name() {
    refuse(parse("   0.1   0.0   0.1 (  0.1)"), "give each `report` a label");
    refuse(parse(&"a   0.1   0.0   0.1 (  0.1)\n".repeat(2)), "benchmark `a` is there twice with `latency`");
    refuse(parse("a   0.1   0.0   0.1 (  NaN)"), "benchmark `a` has the value NaN");
}

#[test]
fn text_without_reports_is_refused() {
    refuse(parse(CAPTION), "expected lines such as `label  1.010000");
    refuse(parse("call(1, 2, 3) (4)"), "found `call(");
    refuse(parse("Rehearsal ---\na   0.1   0.0   0.1 (  0.1)\n"), "found `Rehearsal ---");
}

proptest! {
    #[test]
    fn nothing_like_ruby_panics(pieces in prop::collection::vec("a| |[0-9.]{1,5}|\\(|\\)|\n|Rehearsal ---|---|sec|ß|NaN", 0..30)) {
        let _ = parse(&pieces.concat());
    }
}
