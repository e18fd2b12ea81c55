use proptest::prelude::*;

use super::shift;

#[test]
fn shifted_decimals_are_what_people_expect() {
    assert_eq!(shift(26.029, 3), 26029.0);
    assert_eq!(shift(0.05490666922666668, 9), 54906669.22666668);
    assert_eq!(shift(1.2, 9), 1_200_000_000.0);
    assert_eq!(shift(999.99, -3), 0.99999);
    assert_eq!(shift(0.0, 9), 0.0);
    assert_eq!(shift(-4.435607235142094e-6, 9), -4435.607235142094);
}

#[test]
fn numbers_out_of_range_become_infinite_or_stay() {
    assert_eq!(shift(1e300, 9), f64::INFINITY);
    assert_eq!(shift(5e-324, -3), 0.0);
    assert_eq!(shift(f64::NEG_INFINITY, 9), f64::NEG_INFINITY);
    assert!(shift(f64::NAN, 9).is_nan());
}

proptest! {
    #[test]
    fn nothing_panics_and_no_shift_changes_nothing(value in any::<f64>(), exponent in -9..=9_i32) {
        shift(value, exponent);
        prop_assert_eq!(shift(value, 0).to_bits(), value.to_bits());
    }

    #[test]
    fn integers_shift_exactly(value in 0..1_000_000_u32) {
        prop_assert_eq!(shift(f64::from(value), 9), f64::from(value) * 1e9);
        prop_assert_eq!(shift(shift(f64::from(value), -9), 9), f64::from(value));
    }
}
