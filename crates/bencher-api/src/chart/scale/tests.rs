use super::*;

fn labels(scale: &Scale) -> Vec<&str> {
    scale.marks.iter().map(|(_, label)| label.as_str()).collect()
}

#[track_caller]
fn check_values(values: &[f64], expected: &[&str]) {
    let scale = Scale::of_values(values.iter().copied());
    assert_eq!(labels(&scale), expected);
    for value in values {
        assert!((0.0..=1.0).contains(&scale.place(*value)), "{value} in {scale:?}");
    }
}

/// Times as in RFC 3339.
#[track_caller]
fn check_times(times: &[&str], expected: &[&str]) {
    let times = times.iter().map(|time| time.parse::<Timestamp>().unwrap().as_duration().as_secs_f64());
    assert_eq!(labels(&Scale::of_times(times)), expected);
}

#[test]
fn values_have_marks_at_round_numbers() {
    check_values(&[1.0, 9.0], &["2", "4", "6", "8"]);
    check_values(&[0.11, 0.14], &["0.11", "0.12", "0.13", "0.14"]);
    check_values(&[-3.0, 3.0], &["-2", "0", "2"]);
}

#[test]
fn large_values_have_a_unit() {
    check_values(&[1_000.0, 3_000.0], &["1000", "1500", "2000", "2500", "3000"]);
    check_values(&[12_000.0, 30_000.0], &["15k", "20k", "25k", "30k"]);
    check_values(&[1.2e6, 1.4e6], &["1.20M", "1.25M", "1.30M", "1.35M", "1.40M"]);
}

#[test]
fn any_value_has_an_axis() {
    for values in
        [vec![], vec![0.0], vec![5.0], vec![-1e300, 1e300], vec![1e-300, 2e-300], vec![1e17, 1e17 + 1e3], vec![f64::MIN_POSITIVE]]
    {
        let scale = Scale::of_values(values.iter().copied());
        assert!(scale.marks.len() <= 32, "{scale:?}");
        for value in values {
            assert!((0.0..=1.0).contains(&scale.place(value)), "{value} in {scale:?}");
        }
    }
}

#[test]
fn times_have_marks_at_round_times() {
    check_times(
        &["2026-01-01T00:00:00Z", "2026-01-08T00:00:00Z"],
        &["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04", "2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08"],
    );
    check_times(
        &["2026-01-01T10:00:00Z", "2026-01-01T13:00:00Z"],
        &["01-01 10:00", "01-01 10:30", "01-01 11:00", "01-01 11:30", "01-01 12:00", "01-01 12:30", "01-01 13:00"],
    );
    check_times(
        &["2025-01-15T00:00:00Z", "2026-03-15T00:00:00Z"],
        &["2025-03", "2025-05", "2025-07", "2025-09", "2025-11", "2026-01", "2026-03"],
    );
    check_times(
        &["1990-06-01T00:00:00Z", "2026-06-01T00:00:00Z"],
        &["1990", "1995", "2000", "2005", "2010", "2015", "2020", "2025"],
    );
}

#[test]
fn one_time_and_the_ends_of_time_have_an_axis() {
    check_times(
        &["2026-01-01T12:00:00Z"],
        &[
            "01-01 11:00",
            "01-01 11:15",
            "01-01 11:30",
            "01-01 11:45",
            "01-01 12:00",
            "01-01 12:15",
            "01-01 12:30",
            "01-01 12:45",
            "01-01 13:00",
        ],
    );
    let ends = [Timestamp::MIN, Timestamp::MAX].map(|time| time.as_duration().as_secs_f64());
    assert!(Scale::of_times(ends.into_iter()).marks.len() <= 32);
}

#[test]
fn versions_have_whole_numbers() {
    assert_eq!(labels(&Scale::of_versions([0.0, 3.0].into_iter())), ["0", "1", "2", "3"]);
    assert_eq!(labels(&Scale::of_versions([7.0].into_iter())), ["7"]);
    assert_eq!(labels(&Scale::of_versions([0.0, 100.0].into_iter())), ["0", "20", "40", "60", "80", "100"]);
}
