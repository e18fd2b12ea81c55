use super::{InvalidMetric, MetricValue, Metrics};
use crate::{limits::MAX_METRICS, suffix::Alerts};

fn value(value: f64) -> MetricValue {
    MetricValue { value, lower_value: None, upper_value: None }
}

fn insert(metrics: &mut Metrics, benchmark: &str, measure: &str, value: MetricValue) -> Result<(), InvalidMetric> {
    metrics.insert(&benchmark.parse().unwrap(), measure.parse().unwrap(), value)
}

#[test]
fn benchmark_is_filed_without_its_ignore_suffix() {
    let mut metrics = Metrics::default();
    insert(&mut metrics, "flaky_bencher_ignore", "latency", value(1.0)).unwrap();
    insert(&mut metrics, "flaky_bencher_ignore", "throughput", value(2.0)).unwrap();
    let flaky = metrics.get(&"flaky".parse().unwrap()).unwrap();
    assert_eq!((flaky.alerts, flaky.measures.len(), metrics.count()), (Alerts::Suppressed, 2, 2));
}

#[test]
fn one_benchmark_cannot_be_both_ignored_and_not() {
    let mut metrics = Metrics::default();
    insert(&mut metrics, "flaky", "latency", value(1.0)).unwrap();
    let error = insert(&mut metrics, "flaky-bencher-ignore", "throughput", value(1.0)).unwrap_err();
    assert_eq!(error.to_string(), "benchmark `flaky` is there both with and without an ignore suffix: use one of the two names");
}

#[test]
fn second_value_of_a_measure_is_refused_and_the_first_stays() {
    let mut metrics = Metrics::default();
    insert(&mut metrics, "a", "latency", value(1.0)).unwrap();
    let error = insert(&mut metrics, "a", "latency", value(2.0)).unwrap_err();
    assert_eq!(error.to_string(), "benchmark `a` is there twice with `latency`: give each benchmark a name of its own");
    let (_, a) = metrics.iter().next().unwrap();
    assert_eq!(a.measures.values().collect::<Vec<_>>(), [&value(1.0)]);
}

#[test]
fn every_part_must_be_finite() {
    let mut metrics = Metrics::default();
    for (part, metric) in [
        ("value NaN", value(f64::NAN)),
        ("lower value -inf", MetricValue { lower_value: Some(f64::NEG_INFINITY), ..value(1.0) }),
        ("upper value inf", MetricValue { upper_value: Some(f64::INFINITY), ..value(1.0) }),
    ] {
        let error = insert(&mut metrics, "a", "latency", metric).unwrap_err();
        assert_eq!(error.to_string(), format!("benchmark `a` has the {part} for `latency`: expected a finite number"));
    }
    assert!(metrics.is_empty() && metrics.iter().next().is_none());
}

#[test]
fn more_metrics_than_the_bound_are_refused() {
    let mut metrics = Metrics::default();
    for n in 0..MAX_METRICS {
        insert(&mut metrics, &format!("b{n}"), "latency", value(1.0)).unwrap();
    }
    assert_eq!(insert(&mut metrics, "one more", "latency", value(1.0)), Err(InvalidMetric::TooMany));
    assert_eq!(metrics.count(), MAX_METRICS);
}
