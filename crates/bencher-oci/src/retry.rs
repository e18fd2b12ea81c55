//! When to try again: bounded, exponentially longer pauses with full jitter, or what the other side asked for.

use std::time::Duration;

use rand::Rng as _;

use crate::limits::TransferLimits;

/// Counts the attempts of one operation.
#[derive(Debug)]
pub(crate) struct Backoff<'a> {
    limits: &'a TransferLimits,
    fruitless: u32,
    total: u32,
}

impl<'a> Backoff<'a> {
    pub(crate) fn new(limits: &'a TransferLimits) -> Self {
        Self { limits, fruitless: 0, total: 0 }
    }

    /// The last attempt moved something: its failure says nothing about the next.
    pub(crate) fn progressed(&mut self) {
        self.fruitless = 0;
    }

    /// The pause before the next attempt, or `None` where there shall be none.
    pub(crate) fn next(&mut self, retry_after: Option<Duration>) -> Option<Duration> {
        self.fruitless += 1;
        self.total += 1;
        if self.fruitless >= self.limits.attempts || self.total >= self.limits.total_attempts {
            return None;
        }
        let doublings = (self.fruitless - 1).min(16);
        let ceiling = self.limits.backoff_min.saturating_mul(1 << doublings).min(self.limits.backoff_max);
        let jittered = ceiling.mul_f64(rand::rng().random_range(0.5..=1.0));
        Some(match retry_after {
            Some(asked) if asked > self.limits.retry_after_max => return None,
            Some(asked) => asked.max(jittered),
            None => jittered,
        })
    }
}

#[cfg(test)]
mod tests;
