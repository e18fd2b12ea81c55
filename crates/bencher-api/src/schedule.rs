//! Who is served next: a pure decision over the jobs that could be.
//!
//! 1. Jobs that were put ahead of the queue, the one that waits longest first: they had their turn already, and lost it by no fault
//!    of their own.
//! 2. The higher level. A job's level is its organization's priority, and one tier more for every [`Rules::aging`] that it has
//!    waited, up to the highest there is.
//! 3. Of equal level: the organization with fewer jobs in flight; then the one that was served longest ago; then the same for the
//!    projects of the organization; then the job that waits longest.
//!
//! **The bound.** Take an organization that has a job waiting and none in flight. Once that job has the highest level, which takes
//! at most three times [`Rules::aging`], every other organization is served at most once before it, beside jobs that were put ahead:
//! whoever was served has a job in flight or was served later, and comes after it both ways. The same holds for the projects of one
//! organization. An organization with jobs in flight is being served on as many runners as it has jobs in flight.
//!
//! Knows no SQL and no clock. The store finds the candidates and writes the choice down; the simulation's model decides with this.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use bencher_types::{DateTime, Tier};

use crate::limits;

/// What an admin may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// After how long a waiting job counts as one of the next higher tier.
    pub aging: Duration,
    /// How long a job waits for another runner than the one that failed it.
    pub other_runner_wait: Duration,
    /// After how many failures in a row a runner is quarantined; never for `None`.
    pub quarantine_after: Option<u32>,
    /// How many jobs an organization of each tier may have in flight; any number where none is named.
    pub max_jobs: BTreeMap<Tier, u32>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            aging: limits::DEFAULT_AGING,
            other_runner_wait: limits::OTHER_RUNNER_WAIT,
            quarantine_after: Some(limits::DEFAULT_QUARANTINE_AFTER),
            max_jobs: BTreeMap::new(),
        }
    }
}

/// The next job of one lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub job: i64,
    pub queued: DateTime,
    /// When it was put ahead of the queue.
    pub front: Option<DateTime>,
    pub priority: i64,
    pub organization: Share,
    pub project: Share,
}

/// What an organization or a project has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub id: i64,
    pub in_flight: i64,
    /// Grows with every time that anybody is served.
    pub served: i64,
    /// How many jobs may be in flight.
    pub max_jobs: Option<i64>,
}

impl Share {
    /// As many jobs are in flight as may be.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.max_jobs.is_some_and(|max| self.in_flight >= max)
    }

    fn serve(&mut self, turn: i64) {
        self.in_flight += 1;
        self.served = turn;
    }
}

impl Candidate {
    /// The order in which candidates are served: the least first.
    fn place(&self, rules: &Rules, now: DateTime) -> impl Ord + use<> {
        let ahead = self.front.map_or((true, 0), |since| (false, since.as_micros()));
        let share = |share: &Share| (share.in_flight, share.served);
        // Of what was put ahead, nobody's share counts: it was served already.
        let fair = match self.front {
            Some(_) => None,
            None => Some((Reverse(self.level(rules, now)), share(&self.organization), share(&self.project))),
        };
        (ahead, fair, self.queued.as_micros(), self.job)
    }

    /// The priority, and what waiting adds to it.
    fn level(&self, rules: &Rules, now: DateTime) -> i64 {
        let aging = rules.aging.as_micros().max(1);
        // A clock that was set back makes nobody wait a negative time.
        let tiers = i64::try_from(now.since(self.queued).as_micros() / aging).unwrap_or(i64::MAX);
        let level = self.priority.saturating_add(tiers.saturating_mul(Tier::STEP));
        level.min(Tier::HIGHEST_PRIORITY.max(self.priority))
    }
}

/// Which candidate is served; `None` where none may be.
#[must_use]
pub fn choose(candidates: &[Candidate], rules: &Rules, now: DateTime) -> Option<usize> {
    let may = |candidate: &Candidate| !candidate.organization.is_full() && !candidate.project.is_full();
    let open = candidates.iter().enumerate().filter(|(_, candidate)| may(candidate));
    open.min_by_key(|(_, candidate)| candidate.place(rules, now)).map(|(index, _)| index)
}

/// Jobs that wait in one lane, its head among them.
#[derive(Clone, Debug)]
pub struct Lane {
    pub head: Candidate,
    pub waiting: u32,
}

/// How many jobs are served until the job comes that has `before` jobs before it in the lane with this index, that job included, if no
/// other job arrives and nobody is held up by a bound. `None` where that is far away.
#[must_use]
pub fn position(mut lanes: Vec<Lane>, index: usize, mut before: u32, rules: &Rules, now: DateTime) -> Option<u32> {
    let mut turn = lanes.iter().map(|lane| lane.head.organization.served.max(lane.head.project.served)).max()?;
    for position in 1..=limits::MAX_SHOWN_POSITION {
        let next = lanes.iter().enumerate().filter(|(_, lane)| lane.waiting > 0);
        let (next, _) = next.min_by_key(|(_, lane)| lane.head.place(rules, now))?;
        if next == index {
            if before == 0 {
                return Some(position);
            }
            before -= 1;
        }
        lanes[next].waiting -= 1;
        turn += 1;
        let head = &lanes[next].head;
        let (organization, project, charged) = (head.organization.id, head.project.id, head.front.is_none());
        for head in lanes.iter_mut().map(|lane| &mut lane.head).filter(|_| charged) {
            if head.organization.id == organization {
                head.organization.serve(turn);
            }
            if head.project.id == project {
                head.project.serve(turn);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests;
