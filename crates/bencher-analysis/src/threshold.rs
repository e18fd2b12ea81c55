//! Whether a new value is where its history says it should be.
//!
//! A [`Model`] and the values that were measured before give limits; a value strictly outside of one raises an alert. Which values
//! are the history (branch, testbed, benchmark, measure, how many, how old) is decided by the caller.

mod resolution;

use std::collections::HashMap;

use bencher_types::wire::{
    alert::{Boundary, BoundaryLimit},
    threshold::{Model, ModelTest},
};
use statrs::distribution::{ContinuousCDF as _, Normal, StudentsT};

use crate::statistics::{count, mean, quantile, standard_deviation};

/// A model that no limits can be had from.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidModel {
    #[error("a {test} threshold needs a boundary: expected `lower_boundary`, `upper_boundary` or both, found neither")]
    NoBoundary { test: &'static str },
    #[error("the {side} boundary of a {test} threshold is {found}: expected {expected}")]
    Boundary { test: &'static str, side: &'static str, expected: &'static str, found: f64 },
    #[error(
        "the lower boundary {lower} of a static threshold is above its upper boundary {upper}: expected it at or below; swap them"
    )]
    Crossed { lower: f64, upper: f64 },
    #[error("`min_sample_size` is {min} and `max_sample_size` is {max}: expected the first to be at most the second")]
    SampleSizes { min: u32, max: u32 },
}

/// What a value was compared with, and what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Check {
    /// Empty where there was not enough history, or none that the test can work with.
    pub boundary: Boundary,
    /// The limit that the value is outside of.
    pub limit: Option<BoundaryLimit>,
}

/// Looks at a model before anything is checked with it.
///
/// # Errors
/// It has no boundary, one that means nothing to its test, or sample sizes that cannot both hold.
pub fn validate(model: &Model) -> Result<(), InvalidModel> {
    let test = model.test.as_str();
    let (lower, upper) = (model.lower_boundary, model.upper_boundary);
    if lower.is_none() && upper.is_none() {
        return Err(InvalidModel::NoBoundary { test });
    }
    for (side, boundary) in [("lower", lower), ("upper", upper)] {
        let Some(found) = boundary else { continue };
        let (valid, expected) = match model.test {
            ModelTest::Static => (found.is_finite(), "a finite number"),
            ModelTest::ZScore | ModelTest::TTest | ModelTest::LogNormal => {
                ((0.5..1.0).contains(&found), "a probability of at least 0.5 and below 1, such as 0.99")
            }
            ModelTest::Percentage => (found.is_finite() && found >= 0.0, "a share of at least 0, such as 0.1 for ten percent"),
            ModelTest::Iqr | ModelTest::DeltaIqr => {
                (found.is_finite() && found >= 0.0, "a number of interquartile ranges of at least 0")
            }
        };
        if !valid {
            return Err(InvalidModel::Boundary { test, side, expected, found });
        }
    }
    if let (ModelTest::Static, Some(lower), Some(upper)) = (model.test, lower, upper)
        && lower > upper
    {
        return Err(InvalidModel::Crossed { lower, upper });
    }
    match (model.min_sample_size, model.max_sample_size) {
        (Some(min), Some(max)) if min > max => Err(InvalidModel::SampleSizes { min: min.get(), max: max.get() }),
        _ => Ok(()),
    }
}

/// Whether the values that were measured before play a part in the check.
#[must_use]
pub fn needs_history(model: &Model) -> bool {
    model.test != ModelTest::Static || model.min_sample_size.is_some()
}

/// Checks a value as [`Checker::check`] does.
#[must_use]
pub fn check(model: &Model, history: &[f64], value: f64) -> Check {
    Checker::new(model).check(history, value)
}

/// Checks the values of many series with one model.
#[derive(Clone, Debug)]
pub struct Checker<'m> {
    model: &'m Model,
    quantiles: Quantiles,
}

impl<'m> Checker<'m> {
    #[must_use]
    pub fn new(model: &'m Model) -> Self {
        Self { model, quantiles: Quantiles::default() }
    }

    /// Checks a value against what was measured before, the newest first. Of a longer history the newest `max_sample_size` count.
    ///
    /// Limits that are not finite are none: a history of huge numbers, or one with values that are not positive where the test takes
    /// logarithms, gives no boundary and so no alert.
    pub fn check(&mut self, history: &[f64], value: f64) -> Check {
        let model = self.model;
        let most = model.max_sample_size.map_or(usize::MAX, |size| usize::try_from(size.get()).unwrap_or(usize::MAX));
        let history = history.get(..most).unwrap_or(history);
        let fewest = model.min_sample_size.map_or(0, |size| usize::try_from(size.get()).unwrap_or(usize::MAX));
        if history.len() < fewest {
            return Check::default();
        }
        let Some(boundary) = boundary(model, &mut self.quantiles, history, value) else { return Check::default() };
        let limit = match boundary {
            Boundary { lower_limit: Some(lower), .. } if value < lower => Some(BoundaryLimit::Lower),
            Boundary { upper_limit: Some(upper), .. } if value > upper => Some(BoundaryLimit::Upper),
            _ => None,
        };
        Check { boundary, limit }
    }
}

/// Quantiles of Student's distribution that were needed before: finding one takes longer than all the rest of a check, and it depends on
/// how long a history is and not on what is in it.
#[derive(Clone, Debug, Default)]
struct Quantiles {
    /// By the degrees of freedom and the probability.
    known: HashMap<(u64, u64), Option<f64>>,
}

impl Quantiles {
    fn standard_t(&mut self, freedom: f64, probability: f64) -> Option<f64> {
        let known = self.known.entry((freedom.to_bits(), probability.to_bits()));
        *known.or_insert_with(|| standard_t(freedom, probability))
    }
}

fn boundary(model: &Model, quantiles: &mut Quantiles, history: &[f64], value: f64) -> Option<Boundary> {
    if let Some(baseline) = without_spread(model, history) {
        let (lower, upper) = resolution::around(baseline, value);
        return Some(Boundary {
            baseline: Some(baseline),
            lower_limit: model.lower_boundary.and_then(|_| finite(lower)),
            upper_limit: model.upper_boundary.and_then(|_| finite(upper)),
        });
    }
    match model.test {
        ModelTest::Static => {
            Some(Boundary { baseline: None, lower_limit: model.lower_boundary, upper_limit: model.upper_boundary })
        }
        ModelTest::Percentage => {
            let mean = mean(history)?;
            // Of a negative mean, too, the lower limit is the one below it.
            Some(around(model, mean, |share| Some(mean.abs() * share)))
        }
        ModelTest::ZScore => {
            let (mean, deviation) = (mean(history)?, standard_deviation(history)?);
            Some(around(model, mean, |probability| Some(deviation * standard_normal(probability)?)))
        }
        ModelTest::TTest => {
            let (mean, deviation) = (mean(history)?, standard_deviation(history)?);
            let count = count(history);
            // The new value varies as much as any other, on top of what the mean may be wrong by.
            let scale = deviation * (1.0 + 1.0 / count).sqrt();
            Some(around(model, mean, |probability| Some(scale * quantiles.standard_t(count - 1.0, probability)?)))
        }
        ModelTest::LogNormal => log_normal(model, history),
        ModelTest::Iqr => {
            let range = interquartile_range(history)?;
            let median = quantile(history, 0.5)?;
            Some(around(model, median, |ranges| Some(ranges * range)))
        }
        ModelTest::DeltaIqr => {
            let range = interquartile_range(&relative_changes(history))?;
            let median = quantile(history, 0.5)?;
            Some(around(model, median, |ranges| Some(median.abs() * ranges * range)))
        }
    }
}

/// The baseline of a history whose spread, by which the test measures, is zero: its limits would be the baseline itself, or none.
fn without_spread(model: &Model, history: &[f64]) -> Option<f64> {
    match model.test {
        ModelTest::Static | ModelTest::Percentage => None,
        ModelTest::ZScore | ModelTest::TTest | ModelTest::LogNormal => {
            let (first, others) = history.split_first()?;
            #[expect(clippy::float_cmp, reason = "without any spread they are the same number")]
            let constant = !others.is_empty() && others.iter().all(|other| other == first);
            constant.then_some(*first)
        }
        ModelTest::Iqr => (interquartile_range(history)? == 0.0).then(|| quantile(history, 0.5))?,
        ModelTest::DeltaIqr => (interquartile_range(&relative_changes(history))? == 0.0).then(|| quantile(history, 0.5))?,
    }
}

/// Limits as far above and below the baseline as the model's boundaries come to.
fn around(model: &Model, baseline: f64, mut distance: impl FnMut(f64) -> Option<f64>) -> Boundary {
    let mut limit = |boundary: Option<f64>, side: f64| finite(distance(boundary?)?.mul_add(side, baseline));
    Boundary {
        baseline: finite(baseline),
        lower_limit: limit(model.lower_boundary, -1.0),
        upper_limit: limit(model.upper_boundary, 1.0),
    }
}

/// The quantiles of the distribution whose logarithms are normal; the lower limit is as far below the baseline as its quantile is above.
fn log_normal(model: &Model, history: &[f64]) -> Option<Boundary> {
    if history.iter().any(|value| *value <= 0.0) {
        return None;
    }
    let logarithms: Vec<f64> = history.iter().map(|value| value.ln()).collect();
    let (location, scale) = (mean(&logarithms)?, standard_deviation(&logarithms)?);
    let baseline = location.exp();
    Some(around(model, baseline, |probability| Some(scale.mul_add(standard_normal(probability)?, location).exp() - baseline)))
}

fn standard_normal(probability: f64) -> Option<f64> {
    let distribution = Normal::new(0.0, 1.0).expect("the standard normal distribution exists");
    (0.5..1.0).contains(&probability).then(|| distribution.inverse_cdf(probability))
}

fn standard_t(freedom: f64, probability: f64) -> Option<f64> {
    let distribution = StudentsT::new(0.0, 1.0, freedom).ok()?;
    (0.5..1.0).contains(&probability).then(|| distribution.inverse_cdf(probability))
}

/// `None` of fewer than two values, which are no spread to measure by.
fn interquartile_range(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    Some(quantile(values, 0.75)? - quantile(values, 0.25)?)
}

/// How much each value is away from the one before it, as a share of that. One after a zero has no such share.
fn relative_changes(history: &[f64]) -> Vec<f64> {
    let changes = history.windows(2).map(|pair| {
        let (newer, older) = (pair[0], pair[1]);
        ((newer - older) / older).abs()
    });
    changes.filter(|change| change.is_finite()).collect()
}

fn finite(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests;
