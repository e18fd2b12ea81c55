//! How many bytes the repositories of one organization may move in a day, up and down, where an admin bounds that.
//!
//! A bucket that leaks: what was moved is forgotten at the pace at which it may be moved. What is under way is finished, so that an
//! image that is larger than what is left is moved once, and the next one waits. Counted in memory, and by each server for itself.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bencher_types::{DateTime, Tier};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};

use super::blob::ByteStream;
use crate::{clock::Clock, config::rate_limiting::OciBandwidth, store::project::ProjectRow};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Organizations that are remembered before those with nothing left to forget are thrown away.
const SWEEP_AT: usize = 10_000;

/// Everybody's bytes.
#[derive(Debug, Default)]
pub struct Bandwidth {
    allowed: OciBandwidth,
    moved: Arc<Mutex<HashMap<i64, Moved>>>,
}

/// What one organization moved and is not forgotten yet.
#[derive(Clone, Copy, Debug)]
struct Moved {
    bytes: f64,
    at: DateTime,
}

/// What one organization may move. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Allowance {
    organization: i64,
    /// Bytes.
    per_day: u64,
    clock: Clock,
    moved: Arc<Mutex<HashMap<i64, Moved>>>,
}

/// Everything is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the organization has moved the {per_day} bytes that it may in a day; try again in {} s", retry_after.as_secs())]
pub struct UsedUp {
    pub per_day: u64,
    /// At least a second.
    pub retry_after: Duration,
}

impl Bandwidth {
    #[must_use]
    pub fn new(allowed: Option<OciBandwidth>) -> Self {
        Self { allowed: allowed.unwrap_or_default(), moved: Arc::default() }
    }

    /// What the organization of a project may move; `None` where nobody bounds it.
    #[must_use]
    pub fn of(&self, project: &ProjectRow, clock: &Clock) -> Option<Allowance> {
        let OciBandwidth { unclaimed, free, plus } = self.allowed;
        let per_day = match project.tier.0 {
            _ if project.claimed.is_none() => unclaimed,
            Tier::Free => free,
            Tier::Plus | Tier::Enterprise => plus,
        }?;
        Some(Allowance { organization: project.organization_id, per_day, clock: clock.clone(), moved: self.moved.clone() })
    }
}

impl Allowance {
    /// Whether something may be moved now.
    ///
    /// # Errors
    /// Not yet.
    pub fn check(&self) -> Result<(), UsedUp> {
        let bytes = self.add(0);
        let per_day = as_f64(self.per_day);
        if bytes < per_day {
            return Ok(());
        }
        // Until there is a thousandth of a day's again: less would not be worth coming back for.
        let excess = bytes - per_day * 0.999;
        let wait = if self.per_day == 0 { DAY } else { DAY.mul_f64((excess / per_day).min(1000.0)) };
        Err(UsedUp { per_day: self.per_day, retry_after: wait.max(Duration::from_secs(1)) })
    }

    /// Counts what passes.
    pub fn count(self, body: ByteStream) -> ByteStream {
        let count = move |bytes: &Bytes| {
            self.add(bytes.len());
        };
        body.inspect_ok(count).boxed()
    }

    /// Adds what was moved and returns what is remembered.
    fn add(&self, bytes: usize) -> f64 {
        let now = self.clock.now();
        let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        let forgotten = |before: &Moved| {
            let days = now.since(before.at).as_secs_f64() / DAY.as_secs_f64();
            (before.bytes - days * as_f64(self.per_day)).max(0.0)
        };
        if moved.len() > SWEEP_AT {
            moved.retain(|_, before| forgotten(before) > 0.0);
        }
        let before = moved.get(&self.organization).map_or(0.0, forgotten);
        let after = before + as_f64(bytes as u64);
        if after > 0.0 {
            moved.insert(self.organization, Moved { bytes: after, at: now });
        } else {
            moved.remove(&self.organization);
        }
        after
    }
}

/// A byte more or less in a petabyte does not matter.
fn as_f64(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests;
