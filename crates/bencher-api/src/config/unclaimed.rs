//! What is taken from whom nobody knows, and how much may be created in a project.

use std::time::Duration;

use super::Config;
use crate::limits;

impl Config {
    /// Whether runs and pushes without a log-in are taken.
    #[must_use]
    pub fn anonymous_runs(&self) -> bool {
        self.plus.as_ref().and_then(|plus| plus.anonymous_runs).unwrap_or(true)
    }

    /// Over which time what is created in a project is counted.
    #[must_use]
    pub fn creation_window(&self) -> Duration {
        let configured = self.rate_limiting().window;
        configured.map_or(limits::CREATION_WINDOW, |secs| Duration::from_secs(u64::from(secs)))
    }

    /// How many things of each kind may be created in an unclaimed project per window; `None` for any number.
    #[must_use]
    pub fn unclaimed_limit(&self) -> Option<u32> {
        self.is_limited().then(|| self.rate_limiting().unclaimed_limit.unwrap_or(limits::UNCLAIMED_CREATIONS))
    }

    /// How many things of each kind may be created in a claimed project per window; `None` for any number.
    #[must_use]
    pub fn claimed_limit(&self) -> Option<u32> {
        self.is_limited().then(|| self.rate_limiting().claimed_limit.unwrap_or(limits::CLAIMED_CREATIONS))
    }

    fn is_limited(&self) -> bool {
        self.rate_limiting().enabled != Some(false)
    }
}
