//! How long to wait before the next connection. Pure; the shell adds jitter.

use std::time::Duration;

use super::limits::{REFUSED_BACKOFF, UNREACHABLE_BACKOFF};

/// Why a connection did not come about, as far as the next attempt cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Likely to pass by itself: no network, a server that restarts.
    Unreachable,
    /// Stays until somebody does something: a wrong key, an unknown runner.
    Refused,
}

/// Counts failures of each kind since the last success.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    unreachable: u32,
    refused: u32,
}

impl Backoff {
    /// The wait after one more failure.
    pub(crate) fn after(&mut self, problem: Problem) -> Duration {
        let (count, (first, longest)) = match problem {
            Problem::Unreachable => (&mut self.unreachable, UNREACHABLE_BACKOFF),
            Problem::Refused => (&mut self.refused, REFUSED_BACKOFF),
        };
        let wait = first.saturating_mul(2_u32.saturating_pow(*count)).min(longest);
        *count = count.saturating_add(1);
        wait
    }

    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests;
