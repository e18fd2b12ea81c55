//! Several iterations' metrics become one. Knows nothing of where the iterations came from.

use std::collections::BTreeMap;

use bencher_types::{BenchmarkName, ResourceName, wire::adapter::Fold};

use crate::{
    metrics::{BenchmarkMetrics, MetricValue, Metrics},
    suffix::Alerts,
};

/// One value per benchmark and measure out of those of all iterations.
///
/// `Min` and `Max` take the iteration with the smallest or largest value whole, with its own lower and upper value: they
/// belong to that measurement. `Mean` and `Median` average each part for itself; a lower or upper value is left out unless
/// every iteration gave one. A benchmark that only some iterations measured is folded over those. One that any iteration
/// ignored raises no alerts. No iterations fold to no metrics.
#[must_use]
pub fn fold(fold: Fold, iterations: &[Metrics]) -> Metrics {
    type Values<'a> = BTreeMap<&'a ResourceName, Vec<MetricValue>>;
    let mut gathered: BTreeMap<&BenchmarkName, (Alerts, Values)> = BTreeMap::new();
    for (name, benchmark) in iterations.iter().flat_map(Metrics::iter) {
        let (alerts, values) = gathered.entry(name).or_default();
        if benchmark.alerts == Alerts::Suppressed {
            *alerts = Alerts::Suppressed;
        }
        for (measure, value) in &benchmark.measures {
            values.entry(measure).or_default().push(*value);
        }
    }
    let benchmarks = gathered.into_iter().map(|(name, (alerts, values))| {
        let measures = values.into_iter().filter_map(|(measure, values)| Some((measure.clone(), fold_values(fold, &values)?)));
        (name.clone(), BenchmarkMetrics { alerts, measures: measures.collect() })
    });
    Metrics::from_checked(benchmarks.collect())
}

fn fold_values(fold: Fold, values: &[MetricValue]) -> Option<MetricValue> {
    match fold {
        Fold::Min => values.iter().copied().min_by(|a, b| a.value.total_cmp(&b.value)),
        Fold::Max => values.iter().copied().max_by(|a, b| a.value.total_cmp(&b.value)),
        Fold::Mean => each_part(values, mean),
        Fold::Median => each_part(values, median),
    }
}

fn each_part(values: &[MetricValue], average: fn(Vec<f64>) -> Option<f64>) -> Option<MetricValue> {
    let bound = |part: fn(&MetricValue) -> Option<f64>| values.iter().map(part).collect::<Option<Vec<_>>>().and_then(average);
    Some(MetricValue {
        value: average(values.iter().map(|value| value.value).collect())?,
        lower_value: bound(|value| value.lower_value),
        upper_value: bound(|value| value.upper_value),
    })
}

/// The arithmetic mean of finite numbers, never outside of them.
pub(crate) fn mean(numbers: Vec<f64>) -> Option<f64> {
    let count = u32::try_from(numbers.len()).ok().map(f64::from)?;
    let min = numbers.iter().copied().min_by(f64::total_cmp)?;
    let max = numbers.iter().copied().max_by(f64::total_cmp)?;
    let sum: f64 = numbers.iter().sum();
    // A sum beyond the largest number is the rare case; dividing first would cost every other mean its last digits.
    let mean = if sum.is_finite() { sum / count } else { numbers.iter().map(|number| number / count).sum() };
    // Rounding may end an ulp outside: the mean of three times 0.1 is 0.1.
    Some(mean.clamp(min, max))
}

/// The middle of finite numbers, or the mean of the two in the middle.
pub(crate) fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let upper = *numbers.get(numbers.len() / 2)?;
    if numbers.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(*numbers.get(numbers.len() / 2 - 1)?, upper))
}

#[cfg(test)]
mod tests;
