//! The queue's tables in memory: what [`bencher_api::store`] does in SQL, row by row. Who is served next, the product's own
//! [`schedule::choose`] says.

use std::{collections::BTreeMap, time::Duration};

use bencher_api::{
    limits::MAX_HANDOUTS,
    schedule::{self, Candidate, Share},
    store::queue::{Ended, Ending, Expired},
};
use bencher_types::{DateTime, JobEvent, JobFailure, JobStatus, JobUuid, Transition};
use uuid::Uuid;

use crate::queue::{Attempt, Claim, Held, Order, OrganizationIndex, Queue, RunnerIndex, View, rules, tier};

/// The tables `job`, `job_attempt`, `runner` and `organization_turn`.
#[derive(Clone, Debug, Default)]
pub struct Model {
    jobs: Vec<Row>,
    runners: BTreeMap<RunnerIndex, RunnerRow>,
    /// The attempt that was given to it last.
    served: BTreeMap<OrganizationIndex, i64>,
    /// Counts the attempts of all jobs.
    turns: i64,
}

#[derive(Clone, Debug)]
struct Row {
    uuid: JobUuid,
    order: Order,
    status: JobStatus,
    attempt: i64,
    runner: Option<RunnerIndex>,
    lease: Option<DateTime>,
    claimed: Option<DateTime>,
    queued: DateTime,
    front: Option<DateTime>,
    avoids: Option<RunnerIndex>,
    retries: u32,
    output: Option<String>,
    attempts: Vec<Attempt>,
}

#[derive(Clone, Copy, Debug, Default)]
struct RunnerRow {
    closed: bool,
    online: bool,
    failures: u32,
}

impl Row {
    fn end_attempt(&mut self, attempt: i64, outcome: &str) {
        if let Some(row) = self.attempts.iter_mut().find(|row| row.attempt == attempt) {
            row.outcome = Some(outcome.to_owned());
        }
    }

    fn write_ending(&mut self, to: JobStatus, output: Option<String>) {
        self.status = to;
        self.lease = None;
        self.output = output.or(self.output.take());
        self.end_attempt(self.attempt, to.as_str());
    }

    /// Ahead of the queue, as it was before it was handed out.
    fn put_back(&mut self, now: DateTime) {
        self.status = JobStatus::Pending;
        self.runner = None;
        self.lease = None;
        self.claimed = None;
        self.front = Some(now);
    }

    /// Back to the queue, where it is only claimed; whether it went back.
    fn release(&mut self, attempt: i64, now: DateTime) -> bool {
        if self.attempt != attempt || self.status != JobStatus::Claimed {
            return false;
        }
        let before = self.attempts.iter().rev().skip_while(|row| row.attempt >= attempt);
        let releases = before.take_while(|row| row.outcome.as_deref() == Some("released")).count();
        if releases as u64 + 1 >= MAX_HANDOUTS {
            self.write_ending(JobStatus::Failed, None);
            return false;
        }
        self.put_back(now);
        self.end_attempt(attempt, "released");
        true
    }
}

impl Model {
    fn row(&mut self, job: JobUuid) -> Option<&mut Row> {
        self.jobs.iter_mut().find(|row| row.uuid == job)
    }

    /// The row of an attempt that is in flight.
    fn in_flight(&mut self, job: JobUuid, attempt: i64) -> Option<&mut Row> {
        self.row(job).filter(|row| row.attempt == attempt && row.status.is_in_flight())
    }

    /// What the end of an attempt makes of its job.
    fn apply(&mut self, job: JobUuid, runner: Option<RunnerIndex>, ending: &Ending, now: DateTime) -> Option<JobStatus> {
        let row = self.row(job)?;
        let Ok(Transition::To(to)) = row.status.apply(ending.event) else { return None };
        let infrastructure = ending.failure == Some(JobFailure::Infrastructure);
        let again = to == JobStatus::Failed && infrastructure && row.retries > 0;
        let to = if again {
            row.retries -= 1;
            row.avoids = runner;
            row.put_back(now);
            row.end_attempt(row.attempt, JobStatus::Failed.as_str());
            JobStatus::Pending
        } else {
            row.runner = runner;
            row.write_ending(to, ending.output_key.clone());
            to
        };
        if let (Some(runner), true) = (runner, to != JobStatus::Canceled) {
            let failures = &mut self.runners.entry(runner).or_default().failures;
            *failures = if infrastructure { *failures + 1 } else { 0 };
        }
        Some(to)
    }

    fn candidate(&self, index: usize) -> Candidate {
        let row = &self.jobs[index];
        let organization = row.order.organization;
        let in_flight = self.jobs.iter().filter(|row| row.order.organization == organization && row.status.is_in_flight());
        let share = Share {
            id: i64::try_from(organization).unwrap_or(i64::MAX),
            in_flight: i64::try_from(in_flight.count()).unwrap_or(i64::MAX),
            served: self.served.get(&organization).copied().unwrap_or_default(),
            max_jobs: rules().max_jobs.get(&tier(organization)).copied().map(i64::from),
        };
        Candidate {
            job: i64::try_from(index).unwrap_or(i64::MAX),
            queued: row.queued,
            front: row.front,
            priority: tier(organization).priority(),
            organization: share,
            // Each organization has one project here.
            project: Share { max_jobs: None, ..share },
        }
    }

    /// The jobs that a runner could get: the first of each organization, and what was put ahead of the queue.
    fn heads(&self, runner: RunnerIndex, now: DateTime) -> Vec<usize> {
        let another = self.runners.iter().any(|(other, row)| *other != runner && row.online && !row.closed);
        let leaves = |row: &Row| {
            let waits = row.front.is_some_and(|front| now < front.saturating_add(rules().other_runner_wait));
            row.avoids == Some(runner) && waits && another
        };
        let mut heads: BTreeMap<OrganizationIndex, usize> = BTreeMap::new();
        let mut found = Vec::new();
        for (index, row) in self.jobs.iter().enumerate().filter(|(_, row)| row.status == JobStatus::Pending) {
            if row.front.is_none() {
                let head = heads.entry(row.order.organization).or_insert(index);
                if row.queued < self.jobs[*head].queued {
                    *head = index;
                }
            } else if !leaves(row) {
                found.push(index);
            }
        }
        found.extend(heads.into_values());
        found
    }
}

impl Queue for Model {
    fn submit(&mut self, order: Order, now: DateTime) -> JobUuid {
        let uuid = JobUuid::from(Uuid::from_u128(self.jobs.len() as u128 + 1));
        self.jobs.push(Row {
            uuid,
            order,
            status: JobStatus::Pending,
            attempt: 0,
            runner: None,
            lease: None,
            claimed: None,
            queued: now,
            front: None,
            avoids: None,
            retries: order.retries,
            output: None,
            attempts: Vec::new(),
        });
        uuid
    }

    fn claim(&mut self, runner: RunnerIndex, lease: Duration, now: DateTime) -> Option<Claim> {
        let held = self.jobs.iter().filter(|row| row.runner == Some(runner) && row.status.is_in_flight());
        for (job, attempt, status) in held.map(|row| (row.uuid, row.attempt, row.status)).collect::<Vec<_>>() {
            // It has given up by asking what it still holds; what it never began was probably never received.
            if status == JobStatus::Claimed {
                self.release(job, attempt, now);
            } else {
                self.end(job, attempt, JobEvent::Fail, now);
            }
        }
        let standing = self.runners.entry(runner).or_default();
        if rules().quarantine_after.is_some_and(|bound| standing.failures >= bound) {
            standing.closed = true;
        }
        if standing.closed {
            return None;
        }
        let heads = self.heads(runner, now);
        let candidates: Vec<Candidate> = heads.iter().map(|index| self.candidate(*index)).collect();
        let index = heads[schedule::choose(&candidates, &rules(), now)?];
        self.turns += 1;
        let row = &mut self.jobs[index];
        row.status = JobStatus::Claimed;
        row.runner = Some(runner);
        row.attempt += 1;
        row.lease = Some(now.saturating_add(lease));
        row.claimed = Some(now);
        row.attempts.push(Attempt { attempt: row.attempt, runner, outcome: None, output: None });
        if row.front.is_none() {
            self.served.insert(row.order.organization, self.turns);
        }
        Some(Claim { job: row.uuid, attempt: row.attempt })
    }

    fn of_runner(&mut self, runner: RunnerIndex, named: Option<JobUuid>) -> Option<Held> {
        let row = match named {
            Some(job) => self.row(job).map(|row| &*row),
            None => self.jobs.iter().find(|row| row.runner == Some(runner) && row.status.is_in_flight()),
        }?;
        Some(Held { job: row.uuid, status: row.status, runner: row.runner, attempt: row.attempt, claimed: row.claimed })
    }

    fn start(&mut self, job: JobUuid, attempt: i64, lease: Duration, now: DateTime) {
        if let Some(row) = self.in_flight(job, attempt) {
            row.status = JobStatus::Running;
            row.lease = Some(now.saturating_add(lease));
        }
    }

    fn renew(&mut self, job: JobUuid, attempt: i64, lease: Duration, now: DateTime) {
        if let Some(row) = self.in_flight(job, attempt) {
            row.lease = Some(now.saturating_add(lease));
        }
    }

    fn wants(&mut self, runner: RunnerIndex, job: JobUuid, event: JobEvent) -> bool {
        let Some(row) = self.row(job) else { return false };
        let Some(attempt) = row.attempts.iter().rev().find(|attempt| attempt.runner == runner) else { return false };
        if attempt.attempt != row.attempt {
            return attempt.outcome.as_deref() != Some("superseded");
        }
        if attempt.outcome.as_deref() == Some(JobStatus::Completed.as_str()) {
            return false;
        }
        let is_canceled_without_output = row.status == JobStatus::Canceled && row.output.is_none();
        is_canceled_without_output || matches!(row.status.apply(event), Ok(Transition::To(_)))
    }

    fn finish(&mut self, runner: RunnerIndex, job: JobUuid, ending: &Ending, now: DateTime) -> Ended {
        let Some(row) = self.row(job) else { return Ended::Unknown };
        let current = row.attempt;
        let Some(attempt) = row.attempts.iter_mut().rev().find(|attempt| attempt.runner == runner) else { return Ended::Unknown };
        if attempt.attempt != current {
            attempt.outcome = Some("superseded".to_owned());
            attempt.output = ending.output_key.clone();
            return Ended::Superseded;
        }
        if let Some(to) = self.apply(job, Some(runner), ending, now) {
            return Ended::Now(to);
        }
        let Some(row) = self.row(job) else { return Ended::Unknown };
        match row.status.apply(ending.event) {
            Ok(Transition::Unchanged)
                if row.status == JobStatus::Canceled && row.output.is_none() && ending.output_key.is_some() =>
            {
                row.output = ending.output_key.clone();
                Ended::Kept
            }
            Ok(_) | Err(_) => Ended::Unchanged,
        }
    }

    fn release(&mut self, job: JobUuid, attempt: i64, now: DateTime) -> bool {
        self.row(job).is_some_and(|row| row.release(attempt, now))
    }

    fn end(&mut self, job: JobUuid, attempt: i64, event: JobEvent, now: DateTime) -> bool {
        let Some(row) = self.in_flight(job, attempt) else { return false };
        let runner = row.runner;
        let failure = if event == JobEvent::Cancel { JobFailure::Timeout } else { JobFailure::Infrastructure };
        let ending = Ending { event, output_key: None, message: None, failure: Some(failure) };
        self.apply(job, runner, &ending, now).is_some()
    }

    fn cancel(&mut self, job: JobUuid, _now: DateTime) -> Option<JobStatus> {
        let row = self.row(job)?;
        let was = row.status;
        let Ok(Transition::To(to)) = was.apply(JobEvent::Cancel) else { return None };
        row.write_ending(to, None);
        Some(was)
    }

    fn retry(&mut self, job: JobUuid, now: DateTime) -> bool {
        let Some(row) = self.row(job).filter(|row| row.status == JobStatus::Failed) else { return false };
        let output = row.output.take();
        let current = row.attempt;
        if let Some(attempt) = row.attempts.iter_mut().find(|attempt| attempt.attempt == current) {
            attempt.output = attempt.output.take().or(output);
        }
        row.put_back(now);
        (row.front, row.avoids, row.queued) = (None, None, now);
        true
    }

    fn set_online(&mut self, runner: RunnerIndex, online: bool, _now: DateTime) {
        self.runners.entry(runner).or_default().online = online;
    }

    fn lock(&mut self, runner: RunnerIndex, _now: DateTime) {
        self.runners.entry(runner).or_default().closed = true;
    }

    fn unlock(&mut self, runner: RunnerIndex, _now: DateTime) {
        let row = self.runners.entry(runner).or_default();
        (row.closed, row.failures) = (false, 0);
    }

    fn expired(&mut self, now: DateTime) -> Vec<Expired> {
        let late = self.jobs.iter().filter(|row| row.status.is_in_flight() && row.lease.is_some_and(|lease| lease <= now));
        late.map(|row| Expired { job: row.uuid, attempt: row.attempt, runner: None }).collect()
    }

    fn next_expiry(&mut self) -> Option<DateTime> {
        self.jobs.iter().filter(|row| row.status.is_in_flight()).filter_map(|row| row.lease).min()
    }

    fn extend(&mut self, lease: Duration, now: DateTime) {
        let until = now.saturating_add(lease);
        for row in self.jobs.iter_mut().filter(|row| row.status.is_in_flight()) {
            row.lease = row.lease.map(|lease| lease.max(until));
        }
    }

    fn process(&mut self, _now: DateTime) -> bool {
        let Some(row) = self.jobs.iter_mut().find(|row| row.status == JobStatus::Completed) else { return false };
        row.status = JobStatus::Processed;
        true
    }

    fn view(&mut self, job: JobUuid) -> View {
        let row = self.row(job).expect("only jobs that were submitted are looked at");
        View { status: row.status, attempt: row.attempt, runner: row.runner, output: row.output.clone() }
    }

    fn attempts(&mut self, job: JobUuid) -> Vec<Attempt> {
        self.row(job).map(|row| row.attempts.clone()).unwrap_or_default()
    }
}
