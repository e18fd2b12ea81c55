//! The bias-corrected and accelerated bootstrap interval of a change (Efron, "Better Bootstrap Confidence Intervals", 1987).

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{ContinuousCDF as _, Normal};

use super::Groups;
use crate::statistics::{count, quantile_of_sorted, standard_deviation};

/// Enough that the ends of the interval vary by a few percent of its length.
const RESAMPLES: usize = 10_000;

/// The most measurements drawn for one interval, which bounds the time where there are thousands; never fewer than a tenth of the
/// resamples.
const DRAWS: usize = 5_000_000;

/// One for all: whoever asks again gets the same answer.
const SEED: u64 = 0x0b5e_55ed;

/// Lower and upper end; `None` where the measurements are too large to add up.
pub(super) fn interval(groups: &Groups, confidence: f64) -> Option<(f64, f64)> {
    let change = groups.change()?;
    if groups.parts().all(|part| standard_deviation(part).is_none()) {
        return Some((change, change));
    }
    let resampled = resample(groups);
    let below = share(&resampled, |other| other < change);
    let at_most = share(&resampled, |other| other <= change);
    if below == at_most && (below == 0.0 || below == 1.0) {
        return None;
    }
    let normal = Normal::standard();
    let bias = normal.inverse_cdf(f64::midpoint(below, at_most));
    let acceleration = acceleration(groups);
    let end = |probability: f64| {
        let distance = bias + normal.inverse_cdf(probability);
        quantile_of_sorted(&resampled, normal.cdf(bias + distance / (1.0 - acceleration * distance)))
    };
    Some((end(f64::midpoint(0.0, 1.0 - confidence))?, end(f64::midpoint(1.0, confidence))?))
}

/// Changes of samples drawn with replacement, each group from itself, the smallest first.
fn resample(groups: &Groups) -> Vec<f64> {
    let mut generator = ChaCha8Rng::seed_from_u64(SEED);
    let size: usize = groups.parts().map(<[f64]>::len).sum();
    let many = (DRAWS / size.max(1)).clamp(RESAMPLES / 10, RESAMPLES);
    let mut drawn_mean = |values: &[f64]| {
        let sum: f64 = (0..values.len()).map(|_| values[generator.random_range(0..values.len())]).sum();
        sum / count(values)
    };
    let mut changes: Vec<f64> = (0..many)
        .map(|_| {
            let added = drawn_mean(&groups.added);
            if groups.subtracted.is_empty() { added } else { added - drawn_mean(&groups.subtracted) }
        })
        .collect();
    changes.sort_by(f64::total_cmp);
    changes
}

#[expect(clippy::cast_precision_loss, reason = "there are some thousands")]
fn share(changes: &[f64], counts: impl Fn(f64) -> bool) -> f64 {
    changes.iter().filter(|change| counts(**change)).count() as f64 / changes.len() as f64
}

/// From the jackknife; of a mean, leaving one out moves it by that one's distance over n − 1, so the distances themselves do.
fn acceleration(groups: &Groups) -> f64 {
    let (mut cubes, mut squares) = (0.0, 0.0);
    for (part, sign) in groups.parts().zip([1.0, -1.0]) {
        let n = count(part);
        let mean = part.iter().sum::<f64>() / n;
        for value in part {
            let distance = sign * (value - mean);
            cubes += distance.powi(3) / n.powi(3);
            squares += distance.powi(2) / n.powi(2);
        }
    }
    if squares > 0.0 { cubes / (6.0 * squares.powf(1.5)) } else { 0.0 }
}
