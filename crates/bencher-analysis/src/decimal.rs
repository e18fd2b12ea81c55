//! Moving the decimal point of a number without the error of a multiplication.
//!
//! Harnesses print decimals. `26.029 µs * 1000.0` is 26028.999999999996 in binary; people expect 26029.

/// `value * 10^exponent`, as if the shortest decimal that reads back as `value` had its point moved: the result is the
/// `f64` nearest to that decimal. Infinite where it does not fit; what is not finite stays as it is.
pub(crate) fn shift(value: f64, exponent: i32) -> f64 {
    let printed = format!("{value:e}");
    let Some((digits, printed_exponent)) = printed.split_once('e') else {
        // "NaN" and "inf" have no exponent.
        return value;
    };
    let printed_exponent: i32 = printed_exponent.parse().expect("the exponent of an f64 has at most three digits");
    format!("{digits}e{}", printed_exponent + exponent).parse().expect("digits and an exponent are a number")
}

#[cfg(test)]
mod tests;
