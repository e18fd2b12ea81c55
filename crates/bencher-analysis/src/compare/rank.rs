//! The test of Mann and Whitney: whether values of one set tend to be above those of another. It looks at their order only.

use statrs::distribution::{ContinuousCDF as _, Normal};

use crate::statistics::count;

/// Up to this many values in the smaller set, and without ties, the distribution is counted out, as SciPy does.
const EXACT_UP_TO: usize = 8;

/// The larger set of an exact test: counting costs the product of both and of its square.
const EXACT_BESIDE: usize = 200;

/// Two-sided; `None` where one set is empty, 1 where all values are equal.
pub(super) fn p_value(one: &[f64], other: &[f64]) -> Option<f64> {
    if one.is_empty() || other.is_empty() {
        return None;
    }
    let (rank_sum, ties) = rank_sum(one, other);
    let (n, m) = (count(one), count(other));
    let above = rank_sum - n * (n + 1.0) / 2.0;
    let u = above.max(n * m - above);
    let (small, large) = (one.len().min(other.len()), one.len().max(other.len()));
    if ties == 0.0 && small <= EXACT_UP_TO && large <= EXACT_BESIDE {
        return Some(exact(small, large, u).min(1.0));
    }
    let all = n + m;
    let variance = n * m / 12.0 * ((all + 1.0) - ties / (all * (all - 1.0)));
    if variance <= 0.0 {
        return Some(1.0);
    }
    // Half a step towards the middle, as the distribution is of whole and half numbers.
    let z = (u - n * m / 2.0 - 0.5) / variance.sqrt();
    Some((2.0 * Normal::standard().sf(z)).min(1.0))
}

/// The sum of the ranks of the first set, ties at their mean rank, and Σ(t³ − t) over the ties.
fn rank_sum(one: &[f64], other: &[f64]) -> (f64, f64) {
    let mut all: Vec<(f64, bool)> =
        one.iter().map(|value| (*value, true)).chain(other.iter().map(|value| (*value, false))).collect();
    all.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let (mut sum, mut ties, mut before) = (0.0, 0.0, 0.0);
    #[expect(clippy::float_cmp, reason = "a tie is of equal values")]
    for equal in all.chunk_by(|(one, _), (other, _)| one == other) {
        #[expect(clippy::cast_precision_loss, reason = "nobody measures 2^53 times")]
        let (size, own) = (equal.len() as f64, equal.iter().filter(|(_, own)| *own).count() as f64);
        sum += own * (before + f64::midpoint(size, 1.0));
        ties += size.powi(3) - size;
        before += size;
    }
    (sum, ties)
}

/// Twice the probability of a statistic of at least `u`, by counting how many orders lead to each.
fn exact(small: usize, large: usize, u: f64) -> f64 {
    // orders[k][s]: in how many ways k of the values so far considered have the statistic s.
    let most = small * large;
    let mut orders = vec![vec![0.0_f64; most + 1]; small + 1];
    orders[0][0] = 1.0;
    // The coefficients of the Gaussian binomial, one factor after the other: each value of the small set is above so many of the
    // large one, and those numbers, sorted, are a partition with at most `small` parts of at most `large`.
    for part in 0..=large {
        for chosen in 1..=small {
            for statistic in part..=most {
                let more = orders[chosen - 1][statistic - part];
                orders[chosen][statistic] += more;
            }
        }
    }
    let counts = &orders[small];
    let all: f64 = counts.iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "at most 1,600")]
    let as_far: f64 = counts.iter().enumerate().filter(|(statistic, _)| *statistic as f64 >= u).map(|(_, count)| count).sum();
    2.0 * as_far / all
}
