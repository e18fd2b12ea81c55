//! The pieces that the text of most harnesses is made of: lines, numbers and times.
//!
//! Harnesses print names that may hold anything, so an adapter first cuts the line around its name and then reads the rest
//! with these.

use std::borrow::Cow;

use winnow::{
    Parser,
    ascii::{digit1, space0},
    combinator::{alt, opt},
    error::EmptyError,
    token::{one_of, take_while},
};

use crate::decimal;

/// The result of a parser. That a line is not what was looked for is the usual case and needs no reason.
pub(super) type Scan<T> = Result<T, EmptyError>;

/// The units of time that [`nanos`] knows.
pub(super) const UNITS: &str = "ps, ns, µs, ms and s";

/// What a parser makes of a text that it must take whole.
pub(super) fn whole<'a, T>(parser: impl Parser<&'a str, T, EmptyError>, text: &'a str) -> Option<T> {
    let mut parser = parser;
    parser.parse(text).ok()
}

/// What stays to be seen of a line on a terminal, where harnesses use color and write over their progress.
pub(super) fn as_displayed(line: &str) -> Cow<'_, str> {
    let line = line.trim_end_matches('\r');
    let line = line.rsplit_once('\r').map_or(line, |(_, last)| last);
    if !line.contains('\x1b') {
        return Cow::Borrowed(line);
    }
    let mut displayed = String::with_capacity(line.len());
    let mut pieces = line.split("\x1b[");
    displayed.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        // A control sequence has parameters and ends at the first letter.
        let end = piece.find(|c: char| ('@'..='~').contains(&c)).map_or(piece.len(), |end| end + 1);
        displayed.push_str(&piece[end..]);
    }
    Cow::Owned(displayed)
}

/// A number in decimals, perhaps with commas between its thousands and an exponent; or what is printed for one that is not
/// finite, which the metrics then refuse by name.
pub(super) fn number(input: &mut &str) -> Scan<f64> {
    let sign = || opt(one_of(['-', '+']));
    let digits = take_while(1.., |c: char| c.is_ascii_digit() || matches!(c, '.' | ','));
    let exponent = opt((one_of(['e', 'E']), sign(), digit1));
    let finite = (sign(), digits, exponent)
        .take()
        .verify_map(|text: &str| if text.contains(',') { text.replace(',', "").parse().ok() } else { text.parse().ok() });
    let not_finite = (sign(), alt(("NaN", "nan", "Infinity", "inf"))).take().verify_map(|text: &str| text.parse().ok());
    alt((finite, not_finite)).parse_next(input)
}

/// A number and the letters behind it, with or without a space between: `1.5 ms`, `20µs`.
pub(super) fn quantity<'a>(input: &mut &'a str) -> Scan<(f64, &'a str)> {
    let unit = take_while(1.., char::is_alphabetic);
    (number, space0, unit).map(|(number, _, unit)| (number, unit)).parse_next(input)
}

/// So much time in nanoseconds; `None` for a unit that is not among [`UNITS`].
pub(super) fn nanos(number: f64, unit: &str) -> Option<f64> {
    let exponent = match unit {
        "ps" => -3,
        "ns" => 0,
        // The micro sign, the Greek letter that looks like it, and what is left of either in ASCII.
        "\u{b5}s" | "\u{3bc}s" | "us" => 3,
        "ms" => 6,
        "s" => 9,
        _ => return None,
    };
    Some(decimal::shift(number, exponent))
}

#[cfg(test)]
mod tests;
