use proptest::prelude::*;

use super::{as_displayed, nanos, number, quantity, whole};

#[test]
fn numbers_are_read_as_tools_print_them() {
    for (text, expected) in [("0", 0.0), ("1,234,567.5", 1_234_567.5), ("-3.25e+02", -325.0), ("+7", 7.0), ("1E-3", 0.001)] {
        assert_eq!(whole(number, text), Some(expected), "{text}");
    }
    assert_eq!(whole(number, "Infinity"), Some(f64::INFINITY));
    assert_eq!(whole(number, "-inf"), Some(f64::NEG_INFINITY));
    assert!(whole(number, "NaN").unwrap().is_nan());
    for text in ["", ".", ",", "-", "1.2.3", "0x10", "e5", "１"] {
        assert_eq!(whole(number, text), None, "{text}");
    }
}

#[test]
fn units_stand_behind_their_number() {
    assert_eq!(whole(quantity, "1.5 ms"), Some((1.5, "ms")));
    assert_eq!(whole(quantity, "20µs"), Some((20.0, "µs")));
    assert_eq!(whole(quantity, "20"), None);
    assert_eq!(whole(quantity, "20 ms later"), None);
}

#[test]
fn times_keep_their_digits() {
    assert_eq!(nanos(26.029, "µs"), Some(26029.0));
    assert_eq!(nanos(26.029, "\u{3bc}s"), Some(26029.0));
    assert_eq!(nanos(1.5, "cycles"), None);
}

#[test]
fn lines_are_read_as_they_end_up_on_a_terminal() {
    assert_eq!(as_displayed("working...\r\x1b[2K\x1b[32ma\x1b[0m done\r"), "a done");
    assert_eq!(as_displayed("plain"), "plain");
}

proptest! {
    #[test]
    fn printed_numbers_come_back(value in any::<f64>()) {
        let printed = format!("{value:e}");
        prop_assert_eq!(whole(number, &printed).map(f64::to_bits), printed.parse::<f64>().ok().map(f64::to_bits));
    }
}
