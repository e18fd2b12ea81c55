//! How many bytes the repositories of one organization may move in a day, up and down, and how many one user may, where an admin bounds
//! that.
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
/// Movers that are remembered before those with nothing left to forget are thrown away.
const SWEEP_AT: usize = 10_000;

/// Everybody's bytes.
#[derive(Debug, Default)]
pub struct Bandwidth {
    allowed: OciBandwidth,
    moved: Arc<Mutex<HashMap<Mover, Moved>>>,
}

/// Whose bytes are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Mover {
    Organization(i64),
    /// A user, or the keys of one project, as uploads remember them.
    Principal(String),
}

impl std::fmt::Display for Mover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Organization(_) => "the organization has",
            Self::Principal(_) => "you have",
        })
    }
}

/// What was moved and is not forgotten yet.
#[derive(Clone, Copy, Debug)]
struct Moved {
    bytes: f64,
    at: DateTime,
    per_day: u64,
}

impl Moved {
    /// What is left of it.
    fn at(&self, now: DateTime) -> f64 {
        let days = now.since(self.at).as_secs_f64() / DAY.as_secs_f64();
        (self.bytes - days * as_f64(self.per_day)).max(0.0)
    }
}

/// What one request may move, for each of those that it counts for. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Allowance {
    bounds: Arc<[Bound]>,
    clock: Clock,
    moved: Arc<Mutex<HashMap<Mover, Moved>>>,
}

#[derive(Clone, Debug)]
struct Bound {
    mover: Mover,
    /// Bytes.
    per_day: u64,
}

/// Everything is used up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{mover} moved the {per_day} bytes that may be moved in a day; try again in {} s", retry_after.as_secs())]
pub struct UsedUp {
    mover: Mover,
    pub per_day: u64,
    /// At least a second.
    pub retry_after: Duration,
}

impl Bandwidth {
    #[must_use]
    pub fn new(allowed: Option<OciBandwidth>) -> Self {
        Self { allowed: allowed.unwrap_or_default(), moved: Arc::default() }
    }

    /// What the organization of a project, and who asks, may move; `None` where nobody bounds it.
    #[must_use]
    pub fn of(&self, project: &ProjectRow, principal: Option<&str>, clock: &Clock) -> Option<Allowance> {
        let OciBandwidth { unclaimed, free, plus, user } = self.allowed;
        let of_organization = match project.tier.0 {
            _ if project.claimed.is_none() => unclaimed,
            Tier::Free => free,
            Tier::Plus | Tier::Enterprise => plus,
        };
        let organization = of_organization.map(|per_day| (Mover::Organization(project.organization_id), per_day));
        let principal = principal.zip(user).map(|(principal, per_day)| (Mover::Principal(principal.to_owned()), per_day));
        let bounds: Arc<[Bound]> =
            organization.into_iter().chain(principal).map(|(mover, per_day)| Bound { mover, per_day }).collect();
        (!bounds.is_empty()).then(|| Allowance { bounds, clock: clock.clone(), moved: self.moved.clone() })
    }
}

impl Allowance {
    /// Whether something may be moved now.
    ///
    /// # Errors
    /// Not yet.
    pub fn check(&self) -> Result<(), UsedUp> {
        let now = self.clock.now();
        let moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        self.bounds.iter().try_for_each(|bound| bound.check(moved.get(&bound.mover).map_or(0.0, |moved| moved.at(now))))
    }

    /// Counts what passes.
    pub fn count(self, body: ByteStream) -> ByteStream {
        let count = move |bytes: &Bytes| self.add(bytes.len());
        body.inspect_ok(count).boxed()
    }

    /// Adds what was moved.
    fn add(&self, bytes: usize) {
        let now = self.clock.now();
        let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        if moved.len() > SWEEP_AT {
            moved.retain(|_, before| before.at(now) > 0.0);
        }
        for Bound { mover, per_day } in self.bounds.iter() {
            let before = moved.get(mover).map_or(0.0, |before| before.at(now));
            moved.insert(mover.clone(), Moved { bytes: before + as_f64(bytes as u64), at: now, per_day: *per_day });
        }
    }
}

impl Bound {
    fn check(&self, bytes: f64) -> Result<(), UsedUp> {
        let per_day = as_f64(self.per_day);
        if bytes < per_day {
            return Ok(());
        }
        // Until there is a thousandth of a day's again: less would not be worth coming back for.
        let excess = bytes - per_day * 0.999;
        let wait = if self.per_day == 0 { DAY } else { DAY.mul_f64((excess / per_day).min(1000.0)) };
        let retry_after = wait.max(Duration::from_secs(1));
        Err(UsedUp { mover: self.mover.clone(), per_day: self.per_day, retry_after })
    }
}

/// A byte more or less in a petabyte does not matter.
fn as_f64(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests;
