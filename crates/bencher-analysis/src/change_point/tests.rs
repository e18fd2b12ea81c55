use proptest::prelude::*;

use super::{ChangePoint, Options, Windows, change_points, change_points_after, found_with};

fn indexes(series: &[f64]) -> Vec<usize> {
    change_points(series, &Options::default()).iter().map(|point| point.index).collect()
}

/// Around each level with a little that repeats, so that no two points are alike for chance's sake.
fn steps(levels: &[(f64, usize)]) -> Vec<f64> {
    let points = levels.iter().flat_map(|(level, count)| std::iter::repeat_n(*level, *count));
    points.enumerate().map(|(number, level)| level * (1.0 + [0.0, 0.004, -0.003, 0.002, -0.005][number % 5])).collect()
}

#[test]
fn a_step_is_found_where_it_happened() {
    assert_eq!(indexes(&steps(&[(100.0, 20), (110.0, 20)])), [20]);
    assert_eq!(indexes(&steps(&[(100.0, 30), (95.0, 40), (105.0, 80)])), [30, 70]);
}

#[test]
fn a_step_is_told_with_what_was_before_and_after() {
    let [point] = <[ChangePoint; 1]>::try_from(change_points(&[1.0, 1.0, 1.0, 3.0, 3.0, 3.0], &Options::default())).unwrap();
    assert_eq!((point.index, point.before.points, point.after.points), (3, 3, 3));
    assert_eq!((point.before.mean, point.after.mean, point.p_value), (1.0, 3.0, 0.0));
    assert_eq!(point.relative_change(), Some(2.0));
}

#[test]
fn what_does_not_change_has_no_change_points() {
    for series in [&[][..], &[1.0], &[1.0, 2.0], &[7.0; 300], &[0.0; 60]] {
        assert_eq!(indexes(series), [0; 0]);
    }
    assert_eq!(indexes(&steps(&[(100.0, 400)])), [0; 0]);
}

#[test]
fn one_outlier_is_no_new_regime() {
    let mut series = steps(&[(100.0, 60)]);
    series[30] = 200.0;
    assert_eq!(indexes(&series), [0; 0]);
}

#[test]
fn a_change_smaller_than_asked_for_is_left_out() {
    let series = steps(&[(100.0, 40), (103.0, 40), (120.0, 40)]);
    assert_eq!(indexes(&series), [40, 80]);
    let large = Options::new(50, 0.001, 0.05).unwrap();
    let found: Vec<usize> = change_points(&series, &large).iter().map(|point| point.index).collect();
    assert_eq!(found, [80]);
}

#[test]
fn a_change_is_first_found_some_points_after_it_happened() {
    let options = Options::default();
    let series = steps(&[(100.0, 20), (110.0, 40), (100.0, 30)]);
    for point in change_points(&series, &options) {
        let length = found_with(&series, point.index, &options);
        assert!(length > point.index && length < point.index + 10, "{} of {}", point.index, length);
        let finds = |points: &[f64]| change_points(points, &options).iter().any(|found| found.index == point.index);
        assert!(finds(&series[..length]) && !finds(&series[..length - 1]), "{} of {}", point.index, length);
    }
    assert_eq!(found_with(&series, 7, &options), series.len(), "what is no change point is never found");
}

#[test]
fn options_out_of_range_are_refused_with_what_was_expected() {
    for (window, p_value, magnitude, expected) in [
        (1, 0.001, 0.0, "the window is 1 points: expected at least 2, such as 50"),
        (50, 0.0, 0.0, "the largest p-value is 0: expected above 0 and at most 1, such as 0.001"),
        (50, f64::NAN, 0.0, "the largest p-value is NaN: expected above 0 and at most 1, such as 0.001"),
        (50, 0.001, -1.0, "the least magnitude is -1: expected 0 or more, such as 0.05 for five percent"),
    ] {
        assert_eq!(Options::new(window, p_value, magnitude).unwrap_err().to_string(), expected);
    }
}

proptest! {
    #[test]
    fn points_that_are_appended_lead_to_what_the_whole_series_leads_to(
        series in prop::collection::vec(prop_oneof![90.0..110.0, Just(100.0), 190.0..210.0], 0..260),
        window in 2_usize..60,
        chunk in 1_usize..9,
    ) {
        let options = Options::new(window, 0.01, 0.0).unwrap();
        let mut windows = Windows::default();
        for length in (0..=series.len()).step_by(chunk) {
            let grown = &series[..length];
            prop_assert_eq!(change_points_after(&mut windows, grown, &options), change_points(grown, &options));
        }
    }

    #[test]
    fn change_points_are_inside_in_order_and_between_their_regimes(
        series in prop::collection::vec(prop_oneof![any::<i8>().prop_map(f64::from), -1e308..1e308_f64, Just(0.0)], 0..150),
    ) {
        let found = change_points(&series, &Options::default());
        let mut start = 0;
        for point in &found {
            prop_assert!(point.index > start || start == 0 && point.index > 0);
            prop_assert_eq!(point.before.points, point.index - start);
            start = point.index;
        }
        if let Some(last) = found.last() {
            prop_assert_eq!(last.after.points, series.len() - last.index);
        }
    }
}
