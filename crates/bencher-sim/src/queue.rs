//! The queue as the server's shell uses it: one method for one transaction of [`bencher_api::store`].

use std::{collections::BTreeMap, time::Duration};

use bencher_api::{
    schedule::Rules,
    store::queue::{Ended, Ending, Expired},
};
use bencher_types::{DateTime, JobEvent, JobStatus, JobUuid, Tier};

/// Which of the runners, from 0.
pub type RunnerIndex = usize;

/// Which of the organizations, from 0.
pub type OrganizationIndex = usize;

/// How many organizations there are.
pub const ORGANIZATIONS: usize = 2;

/// The tier of an organization.
#[must_use]
pub const fn tier(organization: OrganizationIndex) -> Tier {
    if organization == 0 { Tier::Free } else { Tier::Plus }
}

/// What claims go by: short times and low bounds, so that worlds come across them.
#[must_use]
pub fn rules() -> Rules {
    Rules {
        aging: Duration::from_secs(60),
        other_runner_wait: Duration::from_secs(45),
        quarantine_after: Some(3),
        max_jobs: BTreeMap::from([(Tier::Free, 1)]),
    }
}

/// What somebody wants to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    pub organization: OrganizationIndex,
    /// How often it is tried again where its runner fails.
    pub retries: u32,
}

/// A job that was just handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    pub job: JobUuid,
    pub attempt: i64,
}

/// What the queue knows of the job that a runner says it works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub job: JobUuid,
    pub status: JobStatus,
    pub runner: Option<RunnerIndex>,
    pub attempt: i64,
    pub claimed: Option<DateTime>,
}

/// A job as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    pub status: JobStatus,
    pub attempt: i64,
    pub runner: Option<RunnerIndex>,
    /// Where what it delivered is.
    pub output: Option<String>,
}

/// One handing-out of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub attempt: i64,
    pub runner: RunnerIndex,
    pub outcome: Option<String>,
    pub output: Option<String>,
}

/// The queue of one server, durable: it survives every crash.
pub trait Queue {
    /// A new job, for any runner.
    fn submit(&mut self, order: Order, now: DateTime) -> JobUuid;
    fn claim(&mut self, runner: RunnerIndex, lease: Duration, now: DateTime) -> Option<Claim>;
    fn of_runner(&mut self, runner: RunnerIndex, named: Option<JobUuid>) -> Option<Held>;
    fn start(&mut self, job: JobUuid, attempt: i64, lease: Duration, now: DateTime);
    fn renew(&mut self, job: JobUuid, attempt: i64, lease: Duration, now: DateTime);
    fn wants(&mut self, runner: RunnerIndex, job: JobUuid, event: JobEvent) -> bool;
    fn finish(&mut self, runner: RunnerIndex, job: JobUuid, ending: &Ending, now: DateTime) -> Ended;
    fn release(&mut self, job: JobUuid, attempt: i64, now: DateTime) -> bool;
    fn end(&mut self, job: JobUuid, attempt: i64, event: JobEvent, now: DateTime) -> bool;
    /// The status until now, if the job could be canceled.
    fn cancel(&mut self, job: JobUuid, now: DateTime) -> Option<JobStatus>;
    /// Tries a job that failed again; whether it had.
    fn retry(&mut self, job: JobUuid, now: DateTime) -> bool;
    /// Whether a runner is connected.
    fn set_online(&mut self, runner: RunnerIndex, online: bool, now: DateTime);
    /// An admin keeps jobs from a runner.
    fn lock(&mut self, runner: RunnerIndex, now: DateTime);
    /// An admin lets a runner have jobs again, whatever kept them from it.
    fn unlock(&mut self, runner: RunnerIndex, now: DateTime);
    fn expired(&mut self, now: DateTime) -> Vec<Expired>;
    fn next_expiry(&mut self) -> Option<DateTime>;
    fn extend(&mut self, lease: Duration, now: DateTime);
    /// Turns the results of the oldest completed job into metrics; whether there was one.
    fn process(&mut self, now: DateTime) -> bool;
    fn view(&mut self, job: JobUuid) -> View;
    fn attempts(&mut self, job: JobUuid) -> Vec<Attempt>;
}
