//! A stretch of a series between two change points, and whether two of them differ.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF as _, StudentsT};

use crate::statistics::count;

/// What the points of one regime have in common.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Regime {
    /// How many points it has.
    pub points: usize,
    /// Their arithmetic mean.
    pub mean: f64,
    /// Their standard deviation, of all points (divided by n), as the reference implementation has it.
    pub deviation: f64,
}

impl Regime {
    pub(super) fn of(points: &[f64]) -> Self {
        let mean = points.iter().sum::<f64>() / count(points);
        let squares: f64 = points.iter().map(|point| (point - mean).powi(2)).sum();
        Self { points: points.len(), mean, deviation: (squares / count(points)).sqrt() }
    }
}

/// The p-value of Student's two-sided t-test with pooled variance; 1 where there is nothing to compare.
pub(super) fn p_value(before: &Regime, after: &Regime) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "no series has 2^53 points")]
    let (n, m) = (before.points as f64, after.points as f64);
    let freedom = n + m - 2.0;
    let Ok(distribution) = StudentsT::new(0.0, 1.0, freedom) else { return 1.0 };
    let pooled = ((n - 1.0) * before.deviation.powi(2) + (m - 1.0) * after.deviation.powi(2)) / freedom;
    let error = (pooled * (1.0 / n + 1.0 / m)).sqrt();
    let difference = (before.mean - after.mean).abs();
    // Numbers so large that their sums or squares are none cannot be told apart.
    if difference == 0.0 || !difference.is_finite() || !error.is_finite() {
        return 1.0;
    }
    let t = difference / error;
    if t.is_finite() { 2.0 * distribution.sf(t) } else { 0.0 }
}
