//! Several runs of one benchmark in one output.

use bencher_types::wire::adapter::Average;

use crate::{
    fold::{mean, median},
    metrics::MetricValue,
};

/// The average of the runs, between the smallest and the largest; a single run stands alone.
pub(super) fn summary(average: Average, runs: &[f64]) -> MetricValue {
    if let [single] = runs {
        return MetricValue::alone(*single);
    }
    let value = match average {
        Average::Mean => mean(runs.to_vec()),
        Average::Median => median(runs.to_vec()),
    };
    MetricValue {
        // Without any run there is no number, which the metrics refuse.
        value: value.unwrap_or(f64::NAN),
        lower_value: runs.iter().copied().min_by(f64::total_cmp),
        upper_value: runs.iter().copied().max_by(f64::total_cmp),
    }
}
