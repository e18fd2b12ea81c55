//! Mean, standard deviation and quantiles of finite numbers. Knows nothing of what they measure.

/// The arithmetic mean, never outside of the numbers; `None` of nothing, or where the sum is too large.
pub(crate) fn mean(numbers: &[f64]) -> Option<f64> {
    let (min, max) = extremes(numbers)?;
    let mean = numbers.iter().sum::<f64>() / count(numbers);
    // Rounding may end an ulp outside: the mean of three times 0.1 is 0.1.
    mean.is_finite().then(|| mean.clamp(min, max))
}

/// The standard deviation of a sample (n − 1); `None` of fewer than two numbers, or of equal ones.
pub(crate) fn standard_deviation(numbers: &[f64]) -> Option<f64> {
    let (min, max) = extremes(numbers)?;
    if numbers.len() < 2 || min == max {
        return None;
    }
    let mean = mean(numbers)?;
    let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
    let deviation = (squares / (count(numbers) - 1.0)).sqrt();
    (deviation.is_finite() && deviation > 0.0).then_some(deviation)
}

/// The quantile by linear interpolation on (n − 1)p, which is type 7 of Hyndman and Fan; `None` of nothing.
pub(crate) fn quantile(numbers: &[f64], probability: f64) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile_of_sorted(&sorted, probability)
}

/// The same of numbers that are in order already.
pub(crate) fn quantile_of_sorted(sorted: &[f64], probability: f64) -> Option<f64> {
    let position = (count(sorted) - 1.0) * probability;
    let below = position.floor();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a position among the numbers")]
    let index = below as usize;
    let lower = *sorted.get(index)?;
    let Some(upper) = sorted.get(index + 1) else { return Some(lower) };
    Some((upper - lower).mul_add(position - below, lower))
}

fn extremes(numbers: &[f64]) -> Option<(f64, f64)> {
    let min = numbers.iter().copied().min_by(f64::total_cmp)?;
    let max = numbers.iter().copied().max_by(f64::total_cmp)?;
    Some((min, max))
}

/// How many numbers there are, as the formulas take it. Exact up to 2⁵³.
#[expect(clippy::cast_precision_loss, reason = "no history has 2^53 values")]
pub(crate) const fn count(numbers: &[f64]) -> f64 {
    numbers.len() as f64
}
