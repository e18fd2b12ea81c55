use super::*;

#[track_caller]
fn check(time: &str, expected: &str) {
    assert_eq!(month_of(time.parse().unwrap()).to_string(), expected);
}

#[test]
fn a_month_begins_on_its_first_day() {
    check("2026-02-28T23:59:59.999999Z", "2026-02-01T00:00:00Z");
    check("2026-02-01T00:00:00Z", "2026-02-01T00:00:00Z");
    check("2026-03-01T00:30:00+02:00", "2026-02-01T00:00:00Z");
}
