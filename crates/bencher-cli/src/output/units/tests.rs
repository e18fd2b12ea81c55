use super::*;

fn check(value: f64, units: &str, expected: &str) {
    assert_eq!(Unit::new(units).format(value), expected);
}

#[test]
fn times_get_a_unit_of_their_size() {
    check(12_345_678.0, "nanoseconds (ns)", "12.35 ms");
    check(999.0, "nanoseconds (ns)", "999 ns");
    check(0.5, "nanoseconds (ns)", "0.50000 ns");
    check(3.2e9, "nanoseconds (ns)", "3.200 s");
    check(0.0042, "seconds (s)", "4.200 ms");
    check(0.0, "seconds (s)", "0 s");
    check(-2500.0, "nanoseconds (ns)", "-2.500 µs");
}

#[test]
fn sizes_and_rates_get_a_unit_of_their_size() {
    check(2048.0, "bytes (B)", "2 KiB");
    check(1_500_000.0, "operations / second (ops/s)", "1.500 M ops/s");
}

#[test]
fn unknown_units_are_shown_as_they_are() {
    check(42.0, "instructions", "42 instructions");
    check(1.25, "score (pt)", "1.250 pt");
    check(f64::NAN, "x", "NaN x");
}
