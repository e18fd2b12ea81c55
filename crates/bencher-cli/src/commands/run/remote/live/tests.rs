use proptest::prelude::*;

use super::*;

fn piece(offset: u64, text: &str) -> OutputPiece {
    let text = text.to_owned();
    OutputPiece { sequence: 0, warmup: false, iteration: 0, stream: OutputStream::Stdout, offset, text }
}

#[track_caller]
fn check(pieces: &[(u64, &str)], text: &str, expected: &[&str]) {
    let mut printed = Printed::default();
    for (offset, part) in pieces {
        printed.add(&piece(*offset, part));
    }
    assert_eq!(printed.rest(false, 0, OutputStream::Stdout, text), expected);
}

#[test]
fn what_was_printed_is_not_printed_again() {
    check(&[], "all of it", &["all of it"]);
    check(&[(0, "all "), (4, "of")], "all of it", &[" it"]);
    check(&[(0, "all of it")], "all of it", &[]);
    check(&[(4, "of")], "all of it", &["all ", " it"]);
}

#[test]
fn another_text_than_was_printed_is_printed_whole() {
    check(&[(0, "all "), (4, "on")], "all of it", &["all of it"]);
    check(&[(90, "x")], "all of it", &["all of it"]);
    check(&[(1, "x")], "\u{20ac}", &["\u{20ac}"]);
}

#[test]
fn a_gap_is_counted() {
    let mut printed = Printed::default();
    assert_eq!([printed.add(&piece(0, "ab")), printed.add(&piece(2, "c")), printed.add(&piece(10, "d"))], [0, 0, 7]);
}

proptest! {
    /// Whatever was left out while the job ran, what was printed then and what is printed in the end are the whole, each byte once.
    #[test]
    fn printed_and_rest_are_the_whole(parts in prop::collection::vec(("[a-z\u{e9}\u{20ac}]{1,6}", any::<bool>()), 0..20)) {
        let whole: String = parts.iter().map(|(part, _)| part.as_str()).collect();
        let (mut printed, mut offset) = (Printed::default(), 0);
        let mut left = String::new();
        for (part, is_told) in &parts {
            if *is_told {
                printed.add(&piece(offset, part));
            } else {
                left.push_str(part);
            }
            offset += part.len() as u64;
        }
        prop_assert_eq!(printed.rest(false, 0, OutputStream::Stdout, &whole).concat(), left);
    }
}
