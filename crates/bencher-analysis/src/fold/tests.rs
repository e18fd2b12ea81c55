use bencher_types::wire::adapter::Fold;
use proptest::prelude::*;

use super::{fold, fold_values};
use crate::{
    metrics::{MetricValue, Metrics},
    suffix::Alerts,
};

const ALL: [Fold; 4] = [Fold::Min, Fold::Max, Fold::Mean, Fold::Median];

fn plain(value: f64) -> MetricValue {
    MetricValue { value, lower_value: None, upper_value: None }
}

fn spread(value: f64, lower: f64, upper: f64) -> MetricValue {
    MetricValue { value, lower_value: Some(lower), upper_value: Some(upper) }
}

fn check(how: Fold, values: &[MetricValue], expected: MetricValue) {
    assert_eq!(fold_values(how, values), Some(expected));
}

fn iteration(values: &[(&str, &str, f64)]) -> Metrics {
    let mut metrics = Metrics::default();
    for (benchmark, measure, value) in values {
        metrics.insert(&benchmark.parse().unwrap(), measure.parse().unwrap(), plain(*value)).unwrap();
    }
    metrics
}

#[test]
fn extremes_keep_the_spread_of_their_own_iteration() {
    let values = [spread(2.0, 1.9, 2.1), spread(1.0, 0.5, 3.0), spread(3.0, 0.1, 3.1)];
    check(Fold::Min, &values, spread(1.0, 0.5, 3.0));
    check(Fold::Max, &values, spread(3.0, 0.1, 3.1));
}

#[test]
fn averages_take_each_part_for_itself() {
    let values = [spread(2.0, 1.0, 4.0), spread(1.0, 0.0, 2.0), spread(6.0, 5.0, 9.0)];
    check(Fold::Mean, &values, spread(3.0, 2.0, 5.0));
    check(Fold::Median, &values, spread(2.0, 1.0, 4.0));
    check(Fold::Median, &values[..2], spread(1.5, 0.5, 3.0));
}

#[test]
fn spread_that_some_iterations_lack_is_left_out_of_averages() {
    let values = [spread(2.0, 1.0, 4.0), MetricValue { lower_value: Some(0.0), ..plain(4.0) }];
    for how in [Fold::Mean, Fold::Median] {
        check(how, &values, MetricValue { lower_value: Some(0.5), ..plain(3.0) });
    }
}

#[test]
fn one_iteration_folds_to_itself() {
    let metrics = iteration(&[("a", "latency", 0.1), ("b", "latency", f64::MAX), ("b", "custom", -0.0)]);
    for how in ALL {
        assert_eq!(fold(how, std::slice::from_ref(&metrics)), metrics);
    }
}

#[test]
fn benchmark_is_folded_over_the_iterations_that_have_it() {
    let iterations = [
        iteration(&[("a", "latency", 1.0), ("b", "latency", 5.0)]),
        iteration(&[("a", "latency", 3.0), ("a", "throughput", 9.0)]),
    ];
    let expected = iteration(&[("a", "latency", 2.0), ("a", "throughput", 9.0), ("b", "latency", 5.0)]);
    assert_eq!(fold(Fold::Mean, &iterations), expected);
}

#[test]
fn benchmark_ignored_once_raises_no_alerts() {
    let iterations = [iteration(&[("a", "latency", 1.0)]), iteration(&[("aBencherIgnore", "latency", 2.0)])];
    let folded = fold(Fold::Max, &iterations);
    let a = folded.get(&"a".parse().unwrap()).unwrap();
    assert_eq!((a.alerts, folded.count()), (Alerts::Suppressed, 1));
}

#[test]
fn no_iterations_fold_to_nothing() {
    assert!(fold(Fold::Median, &[]).is_empty());
}

#[test]
fn mean_of_the_same_number_is_that_number() {
    check(Fold::Mean, &[plain(0.1); 3], plain(0.1));
    check(Fold::Mean, &[plain(f64::MAX); 4], plain(f64::MAX));
}

proptest! {
    #[test]
    fn every_fold_is_finite_and_within_the_values(
        values in prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::ZERO | prop::num::f64::SUBNORMAL, 1..20)
    ) {
        let metrics: Vec<_> = values.iter().copied().map(plain).collect();
        let min = values.iter().copied().fold(f64::INFINITY, f64::min);
        let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for how in ALL {
            let folded = fold_values(how, &metrics).unwrap().value;
            prop_assert!(folded.is_finite() && (min..=max).contains(&folded), "{how:?} is {folded}");
        }
        prop_assert_eq!(fold_values(Fold::Min, &metrics).unwrap().value, min);
        prop_assert_eq!(fold_values(Fold::Max, &metrics).unwrap().value, max);
    }
}
