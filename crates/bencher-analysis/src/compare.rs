//! Whether one set of measurements is slower than another, how sure that is, and what could have been missed.
//!
//! All is about the ratio of new to old as a geometric mean, so that twice as slow and twice as fast are equally far from no change;
//! measurements must be positive for that. Where both were taken in turns, the first with the first and so on, the pairs are what is
//! compared: what both of a pair had in common (a warm machine, a noisy hour) cancels out.

mod bootstrap;
mod multiple;
mod rank;
mod sign_flip;

pub use bencher_types::wire::compare::{Better, Comparison, Design, Interval, Summary, Verdict};
use statrs::distribution::{ContinuousCDF as _, StudentsT};

use crate::statistics::{count, mean, standard_deviation};

/// How sure a verdict must be, and how small a change nobody minds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    confidence: f64,
    margin: f64,
}

/// Options that nothing can be compared with.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum InvalidOptions {
    #[error("the confidence is {0}: expected at least 0.5 and below 1, such as 0.95")]
    Confidence(f64),
    #[error("the margin is {0}: expected at least 0 and below 1, such as 0.01 for one percent")]
    Margin(f64),
}

impl Default for Options {
    fn default() -> Self {
        Self { confidence: 0.95, margin: 0.01 }
    }
}

impl Options {
    /// `confidence` of the intervals, `margin` as a share of the old value within which a change does not matter.
    ///
    /// # Errors
    /// One of them is out of its range.
    pub fn new(confidence: f64, margin: f64) -> Result<Self, InvalidOptions> {
        if !(0.5..1.0).contains(&confidence) {
            return Err(InvalidOptions::Confidence(confidence));
        }
        if !(0.0..1.0).contains(&margin) {
            return Err(InvalidOptions::Margin(margin));
        }
        Ok(Self { confidence, margin })
    }

    #[must_use]
    pub const fn confidence(&self) -> f64 {
        self.confidence
    }

    #[must_use]
    pub const fn margin(&self) -> f64 {
        self.margin
    }
}

/// Which way a measure of this slug gets better: more operations and more hits are better, of everything else less is.
#[must_use]
pub fn better(measure: &str) -> Better {
    if measure.ends_with("throughput") || measure.ends_with("hit-rate") { Better::Higher } else { Better::Lower }
}

/// What is compared: finite measurements of one benchmark and one measure, in the order in which they were taken.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    pub old: &'a [f64],
    pub new: &'a [f64],
    pub design: Design,
    pub better: Better,
}

/// How often a change of the least detectable size is found.
const POWER: f64 = 0.8;

/// Compares all that belongs to one question at once; the same measurements always lead to the same figures.
#[must_use]
pub fn compare(all: &[Samples<'_>], options: &Options) -> Vec<Comparison> {
    let mut comparisons: Vec<Comparison> = all.iter().map(|samples| one(samples, options)).collect();
    let p_values: Vec<Option<f64>> = comparisons.iter().map(|comparison| comparison.p_value).collect();
    for (comparison, adjusted) in comparisons.iter_mut().zip(multiple::adjust(&p_values)) {
        comparison.adjusted_p_value = adjusted;
        comparison.verdict = verdict(comparison, options);
    }
    comparisons
}

/// All but what depends on the others.
fn one(samples: &Samples<'_>, options: &Options) -> Comparison {
    let Samples { old, new, better, .. } = *samples;
    // A side that is longer has something the other has not: the pairs would be arbitrary.
    let design = if old.len() == new.len() { samples.design } else { Design::Unpaired };
    let mut comparison = Comparison {
        design,
        better,
        old: summary(old),
        new: summary(new),
        ratio: None,
        interval: None,
        p_value: None,
        adjusted_p_value: None,
        detectable: None,
        verdict: Verdict::Inconclusive,
    };
    let (Some(old_logarithms), Some(new_logarithms)) = (logarithms(old), logarithms(new)) else { return comparison };
    let groups = match design {
        Design::Paired => {
            let differences = new_logarithms.iter().zip(&old_logarithms).map(|(new, old)| new - old).collect();
            Groups { added: differences, subtracted: Vec::new() }
        }
        Design::Unpaired => Groups { added: new_logarithms, subtracted: old_logarithms },
    };
    let Some(change) = groups.change() else { return comparison };
    comparison.ratio = Some(change.exp());
    if groups.smallest() < 2 {
        return comparison;
    }
    comparison.interval = bootstrap::interval(&groups, options.confidence)
        .map(|(lower, upper)| Interval { lower: lower.exp(), upper: upper.exp() });
    comparison.p_value = match design {
        Design::Paired => Some(sign_flip::p_value(&groups.added)),
        Design::Unpaired => rank::p_value(old, new),
    };
    comparison.detectable = groups.detectable(options.confidence);
    comparison
}

/// Logarithms whose means make the change: those of the ratios, or of the new values less those of the old ones.
struct Groups {
    added: Vec<f64>,
    /// Empty where the first are ratios already.
    subtracted: Vec<f64>,
}

impl Groups {
    fn change(&self) -> Option<f64> {
        let subtracted = if self.subtracted.is_empty() { 0.0 } else { mean(&self.subtracted)? };
        Some(mean(&self.added)? - subtracted)
    }

    fn parts(&self) -> impl Iterator<Item = &[f64]> {
        [&self.added[..], &self.subtracted[..]].into_iter().filter(|part| !part.is_empty())
    }

    fn smallest(&self) -> usize {
        self.parts().map(<[f64]>::len).min().unwrap_or_default()
    }

    /// By the t-distribution with the freedom of Welch and Satterthwaite, which is n − 1 for one group.
    fn detectable(&self, confidence: f64) -> Option<f64> {
        let variances: Vec<(f64, f64)> = self
            .parts()
            .map(|part| (standard_deviation(part).unwrap_or_default().powi(2) / count(part), count(part) - 1.0))
            .collect();
        let variance: f64 = variances.iter().map(|(variance, _)| variance).sum();
        if variance == 0.0 {
            return Some(0.0);
        }
        let freedom = variance.powi(2) / variances.iter().map(|(variance, freedom)| variance.powi(2) / freedom).sum::<f64>();
        let distribution = StudentsT::new(0.0, 1.0, freedom).ok()?;
        let distances = distribution.inverse_cdf(f64::midpoint(1.0, confidence)) + distribution.inverse_cdf(POWER);
        Some((distances * variance.sqrt()).exp_m1()).filter(|share| share.is_finite())
    }
}

fn summary(values: &[f64]) -> Summary {
    let deviation = standard_deviation(values).or((values.len() > 1).then_some(0.0));
    Summary { count: values.len(), mean: mean(values), deviation }
}

/// Where they all exist.
fn logarithms(values: &[f64]) -> Option<Vec<f64>> {
    values.iter().map(|value| (*value > 0.0 && value.is_finite()).then(|| value.ln())).collect()
}

/// Sure of a change: the adjusted p-value is small and the interval does not contain 1. It matters where the ratio itself is beyond
/// the margin. Sure of none that matters: the whole interval is within the margin.
fn verdict(comparison: &Comparison, options: &Options) -> Verdict {
    let (Some(ratio), Some(Interval { lower, upper }), Some(p_value)) =
        (comparison.ratio, comparison.interval, comparison.adjusted_p_value)
    else {
        return Verdict::Inconclusive;
    };
    let (least, most) = (1.0 / (1.0 + options.margin), 1.0 + options.margin);
    if least <= lower && upper <= most {
        return Verdict::Equivalent;
    }
    let sure = p_value <= 1.0 - options.confidence;
    let (more, less) = (lower > 1.0 && ratio > most, upper < 1.0 && ratio < least);
    match comparison.better {
        Better::Lower if sure && more => Verdict::Regression,
        Better::Higher if sure && less => Verdict::Regression,
        Better::Lower | Better::Higher if sure && (more || less) => Verdict::Improvement,
        Better::Lower | Better::Higher => Verdict::Inconclusive,
    }
}

#[cfg(test)]
mod tests;
