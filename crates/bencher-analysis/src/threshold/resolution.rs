//! How small a difference of two printed numbers says nothing.

/// Of numbers with more digits than this the last ones say nothing: they were computed, not read.
const RELATIVE: f64 = 1e-9;

/// The largest numbers below and above the first that are the same as far as can be told: one of the last digit that either is
/// printed with away from it, and at least a billionth of it.
pub(super) fn around(one: f64, other: f64) -> (f64, f64) {
    let decimals = decimals(one).max(decimals(other));
    let digit = 10.0_f64.powi(-i32::try_from(decimals).unwrap_or(i32::MAX));
    let least = one.abs() * RELATIVE;
    if digit < least {
        return (one - least, one + least);
    }
    // As it is printed: 12.34 and one digit is 12.35, and not what the sum of two binary numbers comes to.
    let rounded = |number: f64| format!("{number:.decimals$}").parse().expect("a printed number is a number");
    (rounded(one - digit), rounded(one + digit))
}

/// How many digits the shortest decimal that reads back as the number has behind its point.
fn decimals(number: f64) -> usize {
    number.to_string().split_once('.').map_or(0, |(_, decimals)| decimals.len())
}
