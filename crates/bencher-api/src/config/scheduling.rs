//! `plus.scheduling`: who is served before whom, how much each may have, and when a runner is no longer trusted. Keys of ours.

use std::{collections::BTreeMap, time::Duration};

use bencher_types::{Tier, Timeout};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::{Config, ConfigError};
use crate::{limits, schedule::Rules};

#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduling {
    /// Seconds after which a waiting job counts as one of the next higher tier.
    pub aging: Option<u64>,
    /// After how many failures in a row that no benchmark is to blame for a runner gets no more jobs; 0 for never.
    pub quarantine_after: Option<u32>,
    /// What an organization of each tier may have; no bound where none is named.
    pub tiers: Option<Tiers>,
}

#[skip_serializing_none]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tiers {
    pub free: Option<Bounds>,
    pub plus: Option<Bounds>,
    pub enterprise: Option<Bounds>,
}

#[skip_serializing_none]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Jobs of one organization at once.
    pub max_jobs: Option<u32>,
    /// Seconds of one iteration of a job.
    pub max_timeout: Option<Timeout>,
}

impl Tiers {
    const fn of(&self, tier: Tier) -> Option<Bounds> {
        match tier {
            Tier::Free => self.free,
            Tier::Plus => self.plus,
            Tier::Enterprise => self.enterprise,
        }
    }
}

impl Config {
    fn scheduling(&self) -> Scheduling {
        self.plus.as_ref().and_then(|plus| plus.scheduling.clone()).unwrap_or_default()
    }

    /// Who is served before whom.
    #[must_use]
    pub fn rules(&self) -> Rules {
        let Scheduling { aging, quarantine_after, tiers } = self.scheduling();
        let max_jobs: BTreeMap<Tier, u32> =
            Tier::ALL.into_iter().filter_map(|tier| Some((tier, tiers?.of(tier)?.max_jobs?))).collect();
        Rules {
            aging: aging.map_or(limits::DEFAULT_AGING, Duration::from_secs),
            other_runner_wait: limits::OTHER_RUNNER_WAIT,
            quarantine_after: Some(quarantine_after.unwrap_or(limits::DEFAULT_QUARANTINE_AFTER)).filter(|bound| *bound > 0),
            max_jobs,
        }
    }

    /// The longest that one iteration of a job of this tier may take; `None` for no bound.
    #[must_use]
    pub fn max_timeout(&self, tier: Tier) -> Option<Timeout> {
        self.scheduling().tiers?.of(tier)?.max_timeout
    }

    /// The settings with what is not said in them.
    pub(super) fn shown_scheduling(&self) -> Scheduling {
        let rules = self.rules();
        Scheduling {
            aging: Some(rules.aging.as_secs()),
            quarantine_after: Some(rules.quarantine_after.unwrap_or(0)),
            tiers: Some(self.scheduling().tiers.unwrap_or_default()),
        }
    }

    pub(super) fn check_scheduling(&self) -> Result<(), ConfigError> {
        let rules = self.rules();
        let out_of_range = |key| Err(ConfigError::OutOfRange { key, found: "0".to_owned(), expected: "a number above 0" });
        if rules.aging.is_zero() {
            return out_of_range("plus.scheduling.aging");
        }
        if rules.max_jobs.values().any(|jobs| *jobs == 0) {
            return out_of_range("plus.scheduling.tiers.max_jobs");
        }
        Ok(())
    }
}
