//! Where a series of measurements began to be another one.
//!
//! Two steps, both functions of the numbers alone. The first goes over the series in overlapping windows and divides each where the
//! energy statistic is largest (E-divisive, Matteson and James, arXiv 1306.4933), as long as Student's t-test takes the two
//! sides for different with a p-value of at most ten times what was asked for. The second joins regimes again, the least
//! significant boundary first, until all that is left is significant and large enough (Fleming et al., "Hunter", arXiv 2301.03034).
//!
//! A window that is full is never looked at again, so a point that is appended costs the last windows and the second step:
//! [`Windows`] keeps what the full ones said. The outcome is the same as if the whole series had been looked at.

mod divisive;
mod merge;
mod regime;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use regime::Regime;

/// How sure and how large a change must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    window: usize,
    max_p_value: f64,
    min_magnitude: f64,
}

/// Options that no change point can be found with.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum InvalidOptions {
    #[error("the window is {0} points: expected at least 2, such as 50")]
    Window(usize),
    #[error("the largest p-value is {0}: expected above 0 and at most 1, such as 0.001")]
    PValue(f64),
    #[error("the least magnitude is {0}: expected 0 or more, such as 0.05 for five percent")]
    Magnitude(f64),
}

impl Default for Options {
    fn default() -> Self {
        Self { window: 50, max_p_value: 0.001, min_magnitude: 0.0 }
    }
}

impl Options {
    /// `window` in points, `max_p_value` as a probability, `min_magnitude` as a share of the mean.
    ///
    /// # Errors
    /// One of them is out of its range.
    pub fn new(window: usize, max_p_value: f64, min_magnitude: f64) -> Result<Self, InvalidOptions> {
        if window < 2 {
            return Err(InvalidOptions::Window(window));
        }
        if !(max_p_value > 0.0 && max_p_value <= 1.0) {
            return Err(InvalidOptions::PValue(max_p_value));
        }
        if !(min_magnitude.is_finite() && min_magnitude >= 0.0) {
            return Err(InvalidOptions::Magnitude(min_magnitude));
        }
        Ok(Self { window, max_p_value, min_magnitude })
    }

    /// What the first step accepts: more than was asked for, as its windows see only a part of each regime.
    fn weak_p_value(&self) -> f64 {
        match self.max_p_value {
            p if p < 0.05 => 10.0 * p,
            p if p < 0.5 => 2.0 * p,
            p => p,
        }
    }
}

/// The first point of a new regime, with what was before and what came after.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ChangePoint {
    /// Of the new regime's first point in the series, from 0.
    pub index: usize,
    /// From the change point before, or the beginning, to this one.
    pub before: Regime,
    /// From this one to the next change point, or the end.
    pub after: Regime,
    /// How probable a difference like this were if both regimes were one.
    pub p_value: f64,
}

impl ChangePoint {
    /// By how much of the old mean the new one is above (or, negative, below) it; `None` where the old one is zero.
    #[must_use]
    pub fn relative_change(&self) -> Option<f64> {
        (self.before.mean != 0.0).then(|| self.after.mean / self.before.mean - 1.0)
    }

    fn between(index: usize, before: Regime, after: Regime) -> Self {
        Self { index, before, after, p_value: regime::p_value(&before, &after) }
    }

    /// The larger of the change from left to right and from right to left, so that halving and doubling are the same.
    fn magnitude(&self) -> f64 {
        let share = |from: f64, to: f64| if from == 0.0 { 0.0 } else { (to / from - 1.0).abs() };
        share(self.before.mean, self.after.mean).max(share(self.after.mean, self.before.mean))
    }
}

/// What the full windows of a series said. It belongs to that series and to the options it was made with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// Where the first window that was not full began.
    next: usize,
    /// Where full windows divided the series.
    found: BTreeSet<usize>,
}

/// The change points of a series of finite numbers, the oldest first.
#[must_use]
pub fn change_points(series: &[f64], options: &Options) -> Vec<ChangePoint> {
    change_points_after(&mut Windows::default(), series, options)
}

/// The change points of a series that has grown since `windows` was last given here; the points before must be the same.
#[must_use]
pub fn change_points_after(windows: &mut Windows, series: &[f64], options: &Options) -> Vec<ChangePoint> {
    let mut found = windows.found.clone();
    let mut start = windows.next;
    while start < series.len() {
        let end = series.len().min(start + options.window);
        let window = series.get(start..end).unwrap_or_default();
        let divided: Vec<usize> = divisive::divide(window, options.weak_p_value()).into_iter().map(|at| start + at).collect();
        let next = (start + options.window / 2).max(divided.last().copied().unwrap_or_default());
        found.extend(&divided);
        if end - start == options.window {
            *windows = Windows { next, found: found.clone() };
        }
        start = next;
    }
    merge::merge(series, &found.into_iter().collect::<Vec<_>>(), options.max_p_value, options.min_magnitude)
}

/// How many points there were when a change point of the series was first found, had they come one by one: its regime needs some of them
/// before it can be told from noise. All of them, where it was found later than within a window.
#[must_use]
pub fn found_with(series: &[f64], index: usize, options: &Options) -> usize {
    let mut windows = Windows::default();
    let within = index + 1..series.len().min(index + options.window);
    let mut grown = within.filter_map(|length| Some((length, series.get(..length)?)));
    let found = grown.find(|(_, grown)| change_points_after(&mut windows, grown, options).iter().any(|at| at.index == index));
    found.map_or(series.len(), |(length, _)| length)
}

#[cfg(test)]
mod tests;
