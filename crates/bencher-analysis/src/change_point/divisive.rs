//! The first step in one window: divided where its two sides differ most, and again within the parts.
//!
//! The sides are compared by the energy statistic with exponent 1. For a left side X of n points and a right side Y of m points
//!
//! ```text
//! q = 2/(n+m) Σ|x−y| − 2m/((n+m)(n−1)) Σ|x−x'| − 2n/((n+m)(m−1)) Σ|y−y'|
//! ```
//!
//! where the last two sums are over unordered pairs of one side, and are left out for a side of one point. The right side may end
//! before its part does: the largest q is looked for over both ends of it.

use std::ops::Range;

use super::regime::{Regime, p_value};

/// Where a part could be divided.
#[derive(Clone, Copy)]
struct Candidate {
    at: usize,
    statistic: f64,
}

struct Part {
    range: Range<usize>,
    candidate: Option<Candidate>,
}

impl Part {
    fn new(window: &[f64], range: Range<usize>) -> Self {
        let candidate = window.get(range.clone()).and_then(candidate);
        let candidate = candidate.map(|found| Candidate { at: found.at + range.start, ..found });
        Self { range, candidate }
    }
}

/// The points that divide the window, in order: the best of all parts first, until one is not significant.
pub(super) fn divide(window: &[f64], max_p_value: f64) -> Vec<usize> {
    let mut parts = vec![Part::new(window, 0..window.len())];
    loop {
        let mut best: Option<(usize, Candidate)> = None;
        for (number, part) in parts.iter().enumerate() {
            if let Some(candidate) = part.candidate
                && best.is_none_or(|(_, best)| candidate.statistic > best.statistic)
            {
                best = Some((number, candidate));
            }
        }
        let Some((number, Candidate { at, .. })) = best else { break };
        let range = parts[number].range.clone();
        let side = |range: Range<usize>| Regime::of(&window[range]);
        if p_value(&side(range.start..at), &side(at..range.end)) > max_p_value {
            break;
        }
        let halves = [Part::new(window, range.start..at), Part::new(window, at..range.end)];
        parts.splice(number..=number, halves);
    }
    parts.iter().skip(1).map(|part| part.range.start).collect()
}

/// The division with the largest statistic, the earliest where several are equal; `None` of fewer than two points.
fn candidate(points: &[f64]) -> Option<Candidate> {
    let sums = Distances::new(points);
    let mut best: Option<Candidate> = None;
    let mut left = 0.0;
    for at in 1..points.len() {
        left += sums.up_to(at - 1, at - 1);
        let (mut across, mut right) = (0.0, 0.0);
        for last in at..points.len() {
            across += sums.up_to(last, at);
            right += sums.up_to(last, last) - sums.up_to(last, at);
            let statistic = statistic(at, last + 1 - at, across, left, right);
            if best.is_none_or(|best| statistic > best.statistic) {
                best = Some(Candidate { at, statistic });
            }
        }
    }
    best
}

/// q of `n` and `m` points, with the sums of the distances across and within the sides.
#[expect(clippy::cast_precision_loss, reason = "a window has few points")]
fn statistic(n: usize, m: usize, across: f64, left: f64, right: f64) -> f64 {
    let (n, m) = (n as f64, m as f64);
    let within = |own: f64, other: f64, sum: f64| if own > 1.0 { 2.0 * other / ((n + m) * (own - 1.0)) * sum } else { 0.0 };
    2.0 / (n + m) * across - within(n, m, left) - within(m, n, right)
}

/// For each point the distances to those before it, added up.
struct Distances {
    points: usize,
    sums: Vec<f64>,
}

impl Distances {
    fn new(points: &[f64]) -> Self {
        let mut sums = Vec::with_capacity(points.len() * (points.len() + 1));
        for point in points {
            let mut sum = 0.0;
            sums.push(sum);
            for other in points {
                sum += (point - other).abs();
                sums.push(sum);
            }
        }
        Self { points: points.len(), sums }
    }

    /// The distances from `point` to the first `many` points.
    fn up_to(&self, point: usize, many: usize) -> f64 {
        self.sums[point * (self.points + 1) + many]
    }
}
