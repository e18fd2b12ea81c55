//! The queue's tables in memory: what [`bencher_api::store`] does in SQL, row by row.

use std::time::Duration;

use bencher_api::{
    limits::MAX_HANDOUTS,
    store::queue::{Ended, Ending, Expired},
};
use bencher_types::{DateTime, JobEvent, JobStatus, JobUuid, Transition};
use uuid::Uuid;

use crate::queue::{Attempt, Claim, Held, Queue, RunnerIndex, View};

/// The tables `job` and `job_attempt`.
#[derive(Clone, Debug, Default)]
pub struct Model {
    jobs: Vec<Row>,
}

#[derive(Clone, Debug)]
struct Row {
    uuid: JobUuid,
    status: JobStatus,
    attempt: i64,
    runner: Option<RunnerIndex>,
    lease: Option<DateTime>,
    claimed: Option<DateTime>,
    output: Option<String>,
    attempts: Vec<Attempt>,
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

    /// Back to the queue, where it is only claimed; whether it went back.
    fn release(&mut self, attempt: i64) -> bool {
        if self.attempt != attempt || self.status != JobStatus::Claimed {
            return false;
        }
        if attempt >= MAX_HANDOUTS {
            self.write_ending(JobStatus::Failed, None);
            return false;
        }
        self.status = JobStatus::Pending;
        self.runner = None;
        self.lease = None;
        self.claimed = None;
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
}

impl Queue for Model {
    fn submit(&mut self, _now: DateTime) -> JobUuid {
        let uuid = JobUuid::from(Uuid::from_u128(self.jobs.len() as u128 + 1));
        self.jobs.push(Row {
            uuid,
            status: JobStatus::Pending,
            attempt: 0,
            runner: None,
            lease: None,
            claimed: None,
            output: None,
            attempts: Vec::new(),
        });
        uuid
    }

    fn claim(&mut self, runner: RunnerIndex, lease: Duration, now: DateTime) -> Option<Claim> {
        for row in self.jobs.iter_mut().filter(|row| row.runner == Some(runner) && row.status.is_in_flight()) {
            // It has given up by asking what it still holds; what it never began was probably never received.
            if row.status == JobStatus::Claimed {
                row.release(row.attempt);
            } else {
                row.write_ending(JobStatus::Failed, None);
            }
        }
        let row = self.jobs.iter_mut().find(|row| row.status == JobStatus::Pending)?;
        row.status = JobStatus::Claimed;
        row.runner = Some(runner);
        row.attempt += 1;
        row.lease = Some(now.saturating_add(lease));
        row.claimed = Some(now);
        row.attempts.push(Attempt { attempt: row.attempt, runner, outcome: None, output: None });
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

    fn finish(&mut self, runner: RunnerIndex, job: JobUuid, ending: &Ending, _now: DateTime) -> Ended {
        let Some(row) = self.row(job) else { return Ended::Unknown };
        let current = row.attempt;
        let Some(attempt) = row.attempts.iter_mut().rev().find(|attempt| attempt.runner == runner) else { return Ended::Unknown };
        if attempt.attempt != current {
            attempt.outcome = Some("superseded".to_owned());
            attempt.output = ending.output_key.clone();
            return Ended::Superseded;
        }
        match row.status.apply(ending.event) {
            Ok(Transition::To(to)) => {
                row.runner = Some(runner);
                row.write_ending(to, ending.output_key.clone());
                Ended::Now(to)
            }
            Ok(Transition::Unchanged)
                if row.status == JobStatus::Canceled && row.output.is_none() && ending.output_key.is_some() =>
            {
                row.output = ending.output_key.clone();
                Ended::Kept
            }
            Ok(Transition::Unchanged) | Err(_) => Ended::Unchanged,
        }
    }

    fn release(&mut self, job: JobUuid, attempt: i64, _now: DateTime) -> bool {
        self.row(job).is_some_and(|row| row.release(attempt))
    }

    fn end(&mut self, job: JobUuid, attempt: i64, event: JobEvent, _now: DateTime) -> bool {
        let Some(row) = self.in_flight(job, attempt) else { return false };
        let Ok(Transition::To(to)) = row.status.apply(event) else { return false };
        row.write_ending(to, None);
        true
    }

    fn cancel(&mut self, job: JobUuid, _now: DateTime) -> Option<JobStatus> {
        let row = self.row(job)?;
        let was = row.status;
        let Ok(Transition::To(to)) = was.apply(JobEvent::Cancel) else { return None };
        row.write_ending(to, None);
        Some(was)
    }

    fn expired(&mut self, now: DateTime) -> Vec<Expired> {
        let late = self.jobs.iter().filter(|row| row.status.is_in_flight() && row.lease.is_some_and(|lease| lease <= now));
        late.map(|row| Expired { job: row.uuid, attempt: row.attempt }).collect()
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
