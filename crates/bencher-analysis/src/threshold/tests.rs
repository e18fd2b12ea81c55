use bencher_types::{
    SampleSize,
    wire::{
        alert::{Boundary, BoundaryLimit},
        threshold::{Model, ModelTest},
    },
};
use proptest::prelude::*;

use super::{Check, Checker, check, validate};

fn model(test: ModelTest, lower: Option<f64>, upper: Option<f64>) -> Model {
    let none = Model {
        test,
        min_sample_size: None,
        max_sample_size: None,
        window: None,
        lower_boundary: None,
        upper_boundary: None,
        since_change_point: None,
    };
    Model { lower_boundary: lower, upper_boundary: upper, ..none }
}

fn sample_size(number: u32) -> Option<SampleSize> {
    Some(SampleSize::new(number).unwrap())
}

#[track_caller]
fn refused(model: Model, expected: &str) {
    assert_eq!(validate(&model).unwrap_err().to_string(), expected);
}

/// Limits of both boundaries, to nine digits.
#[track_caller]
fn limits(test: ModelTest, boundary: f64, history: &[f64], expected: [f64; 3]) {
    let Boundary { baseline, lower_limit, upper_limit } =
        check(&model(test, Some(boundary), Some(boundary)), history, 0.0).boundary;
    for (found, expected) in [baseline, lower_limit, upper_limit].into_iter().zip(expected) {
        let found = found.unwrap();
        assert!((found - expected).abs() <= expected.abs() * 1e-9, "expected {expected}, found {found}");
    }
}

#[test]
fn a_model_is_refused_with_what_was_expected() {
    refused(
        model(ModelTest::TTest, None, None),
        "a t_test threshold needs a boundary: expected `lower_boundary`, `upper_boundary` or both, found neither",
    );
    for test in [ModelTest::ZScore, ModelTest::TTest, ModelTest::LogNormal] {
        let name = test.as_str();
        for found in [0.49, 1.0, -1.0, f64::NAN] {
            refused(
                model(test, None, Some(found)),
                &format!(
                    "the upper boundary of a {name} threshold is {found}: expected a probability of at least 0.5 and below 1, such as 0.99"
                ),
            );
        }
        assert_eq!(validate(&model(test, Some(0.5), Some(0.999))), Ok(()));
    }
    for test in [ModelTest::Percentage, ModelTest::Iqr, ModelTest::DeltaIqr] {
        assert!(validate(&model(test, Some(-0.1), None)).unwrap_err().to_string().contains("is -0.1: expected"));
        assert_eq!(validate(&model(test, Some(0.0), Some(3.0))), Ok(()));
    }
    refused(
        model(ModelTest::Static, Some(2.0), Some(1.0)),
        "the lower boundary 2 of a static threshold is above its upper boundary 1: expected it at or below; swap them",
    );
    assert!(validate(&model(ModelTest::Static, Some(f64::INFINITY), None)).is_err());
    assert_eq!(validate(&model(ModelTest::Static, Some(-1.0), Some(-1.0))), Ok(()));
    let sizes =
        Model { min_sample_size: sample_size(3), max_sample_size: sample_size(2), ..model(ModelTest::Iqr, None, Some(1.0)) };
    refused(sizes, "`min_sample_size` is 3 and `max_sample_size` is 2: expected the first to be at most the second");
}

#[test]
fn only_what_is_strictly_outside_raises_an_alert() {
    let bounded = model(ModelTest::Static, Some(1.0), Some(2.0));
    let limit = |value| check(&bounded, &[], value).limit;
    assert_eq!(
        [limit(0.9), limit(1.0), limit(2.0), limit(2.1)],
        [Some(BoundaryLimit::Lower), None, None, Some(BoundaryLimit::Upper)]
    );
    assert_eq!(
        check(&bounded, &[5.0], 1.5).boundary,
        Boundary { baseline: None, lower_limit: Some(1.0), upper_limit: Some(2.0) }
    );
    assert_eq!(check(&model(ModelTest::Static, None, Some(2.0)), &[], -1e300).limit, None);
}

#[test]
fn too_short_a_history_gives_no_boundary() {
    for test in [ModelTest::ZScore, ModelTest::TTest, ModelTest::LogNormal, ModelTest::Iqr, ModelTest::DeltaIqr] {
        assert_eq!(check(&model(test, Some(0.9), Some(0.9)), &[1.0], 1e9), Check::default(), "{}", test.as_str());
    }
    let percentage = model(ModelTest::Percentage, None, Some(0.1));
    assert_eq!(check(&percentage, &[], 1e9), Check::default());
    assert_eq!(check(&percentage, &[10.0], 11.5).limit, Some(BoundaryLimit::Upper));
    for test in [percentage, model(ModelTest::Static, None, Some(0.1))] {
        let patient = Model { min_sample_size: sample_size(2), ..test };
        assert_eq!(check(&patient, &[10.0], 1e9), Check::default());
        assert_eq!(check(&patient, &[10.0, 10.0], 1e9).limit, Some(BoundaryLimit::Upper));
    }
}

#[test]
fn a_constant_history_shows_any_change_beyond_its_resolution() {
    let outside =
        |test: ModelTest, history: f64, value: f64| check(&model(test, Some(0.99), Some(0.99)), &[history; 10], value).limit;
    for test in [ModelTest::ZScore, ModelTest::TTest, ModelTest::LogNormal, ModelTest::Iqr, ModelTest::DeltaIqr] {
        for (history, value, expected) in [
            (1000.0, 1000.0, None),
            // Of numbers printed whole, one more may be a rounding.
            (1000.0, 1001.0, None),
            (1000.0, 1002.0, Some(BoundaryLimit::Upper)),
            (1000.0, 998.0, Some(BoundaryLimit::Lower)),
            (12.34, 12.35, None),
            (12.34, 12.37, Some(BoundaryLimit::Upper)),
            (12.3, 12.29, None),
            (12.3, 12.28, Some(BoundaryLimit::Lower)),
            // Computed numbers end in digits that say nothing.
            (0.1 + 0.2, 0.3, None),
            (0.1 + 0.2, 0.300_000_001, Some(BoundaryLimit::Upper)),
            (1e12 / 3.0, 1e12 / 3.0 + 300.0, None),
            (1e12 / 3.0, 1e12 / 3.0 + 400.0, Some(BoundaryLimit::Upper)),
        ] {
            assert_eq!(outside(test, history, value), expected, "{}: {value} after {history}", test.as_str());
        }
    }
    // Quartiles that are equal have no range, whatever is beyond them.
    let mostly = check(&model(ModelTest::Iqr, None, Some(3.0)), &[5.0, 5.0, 5.0, 5.0, 9.0], 6.0);
    assert_eq!((mostly.boundary.upper_limit, mostly.limit), (Some(6.0), None));
    let zeros = check(&model(ModelTest::TTest, None, Some(0.99)), &[0.0; 3], 5.0);
    assert_eq!(zeros.boundary, Boundary { baseline: Some(0.0), lower_limit: None, upper_limit: Some(1.0) });
    assert_eq!(zeros.limit, Some(BoundaryLimit::Upper));
}

#[test]
fn the_newest_samples_count() {
    let newest = Model { max_sample_size: sample_size(2), ..model(ModelTest::Percentage, None, Some(0.0)) };
    assert_eq!(check(&newest, &[1.0, 3.0, 1000.0], 0.0).boundary.baseline, Some(2.0));
}

#[test]
fn limits_are_those_of_the_formulas() {
    let history = [10.0, 12.0, 11.0, 13.0, 9.0];
    limits(ModelTest::Percentage, 0.1, &history, [11.0, 9.9, 12.1]);
    // The mean is 11, the standard deviation √2.5; the quantiles are those of printed tables.
    limits(
        ModelTest::ZScore,
        0.975,
        &history,
        [11.0, 11.0 - 1.959_963_984_540_054 * 2.5_f64.sqrt(), 11.0 + 1.959_963_984_540_054 * 2.5_f64.sqrt()],
    );
    let reach = 2.776_445_105_197_793_6 * (2.5_f64 * 1.2).sqrt();
    limits(ModelTest::TTest, 0.975, &history, [11.0, 11.0 - reach, 11.0 + reach]);
    limits(ModelTest::Iqr, 1.5, &history, [11.0, 8.0, 14.0]);
    // Changes of 1/6, 1/11, 2/13 and 4/9, whose quartiles are at 0.75 and 2.25 of them in order.
    let changes = [1.0 / 11.0, 2.0 / 13.0, 1.0 / 6.0, 4.0 / 9.0];
    let range = (changes[2] + (changes[3] - changes[2]) * 0.25) - (changes[0] + (changes[1] - changes[0]) * 0.75);
    limits(ModelTest::DeltaIqr, 2.0, &history, [11.0, 11.0 - 22.0 * range, 11.0 + 22.0 * range]);
    // Logarithms 0 and 2: mean 1, standard deviation √2.
    let e = std::f64::consts::E;
    let above = (1.0 + 2.0_f64.sqrt() * 1.281_551_565_544_600_4).exp() - e;
    limits(ModelTest::LogNormal, 0.9, &[1.0, e * e], [e, e - above, e + above]);
}

#[test]
fn logarithms_are_only_taken_of_positive_values() {
    for history in [[1.0, 0.0], [1.0, -2.0]] {
        assert_eq!(check(&model(ModelTest::LogNormal, None, Some(0.9)), &history, 7.0), Check::default());
    }
}

#[test]
fn the_lower_limit_of_negative_values_is_below_them() {
    limits(ModelTest::Percentage, 0.1, &[-10.0], [-10.0, -11.0, -9.0]);
}

#[test]
fn a_change_from_zero_is_passed_over() {
    let changes = super::relative_changes(&[3.0, 2.0, 0.0, 0.0, 1.0]);
    assert_eq!(changes, [0.5, 1.0]);
}

fn any_model() -> impl Strategy<Value = Model> {
    let boundary = |test: ModelTest| match test {
        ModelTest::ZScore | ModelTest::TTest | ModelTest::LogNormal => (0.5..1.0).boxed(),
        ModelTest::Static => proptest::num::f64::NORMAL.boxed(),
        _ => (0.0..100.0).boxed(),
    };
    proptest::sample::select(ModelTest::ALL.to_vec())
        .prop_flat_map(move |test| (Just(test), proptest::option::of(boundary(test)), proptest::option::of(boundary(test))))
        .prop_map(|(test, lower, upper)| model(test, lower, upper))
        .prop_filter("a valid model", |model| validate(model).is_ok())
}

proptest! {
    #[test]
    fn whatever_was_measured_limits_are_finite_and_alerts_are_outside(
        model in any_model(),
        history in prop::collection::vec(proptest::num::f64::NORMAL | proptest::num::f64::ZERO, 0..80),
        value in proptest::num::f64::NORMAL,
    ) {
        let Check { boundary, limit } = check(&model, &history, value);
        prop_assert!([boundary.baseline, boundary.lower_limit, boundary.upper_limit].into_iter().flatten().all(f64::is_finite));
        match limit {
            Some(BoundaryLimit::Lower) => prop_assert!(value < boundary.lower_limit.unwrap()),
            Some(BoundaryLimit::Upper) => prop_assert!(value > boundary.upper_limit.unwrap()),
            None => prop_assert!(boundary.lower_limit.is_none_or(|lower| value >= lower) && boundary.upper_limit.is_none_or(|upper| value <= upper)),
        }
    }

    #[test]
    fn a_series_is_checked_as_it_is_alone_whatever_was_checked_before(
        model in any_model(),
        series in prop::collection::vec((prop::collection::vec(-1e6..1e6, 0..20), -1e6..1e6), 1..20),
    ) {
        let mut checker = Checker::new(&model);
        for (history, value) in series {
            prop_assert_eq!(checker.check(&history, value), Checker::new(&model).check(&history, value));
        }
    }

    #[test]
    fn the_baseline_is_between_its_limits(model in any_model(), history in prop::collection::vec(-1e6..1e6, 2..80)) {
        let Boundary { baseline, lower_limit, upper_limit } = check(&model, &history, 0.0).boundary;
        if let Some(baseline) = baseline {
            prop_assert!(lower_limit.is_none_or(|lower| lower <= baseline) && upper_limit.is_none_or(|upper| baseline <= upper));
        }
    }

    #[test]
    fn more_history_narrows_the_t_test_towards_the_z_score(history in prop::collection::vec(1.0..2.0, 3..200), boundary in 0.6..0.999) {
        let upper = |test| check(&model(test, None, Some(boundary)), &history, 0.0).boundary.upper_limit;
        if let (Some(t), Some(z)) = (upper(ModelTest::TTest), upper(ModelTest::ZScore)) {
            prop_assert!(t > z, "{t} {z}");
        }
    }
}
