//! What must hold, whatever happens.
//!
//! The ledger remembers what really happened, apart from what server and runners believe.

use std::collections::{BTreeMap, BTreeSet};

use bencher_types::{JobStatus, JobUuid};

use crate::queue::{Attempt, Order, Queue, RunnerIndex, View};

/// What should have held and did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

/// What really happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// Jobs by how they last looked.
    seen: BTreeMap<JobUuid, View>,
    /// Results that were safely on a runner's disk.
    kept: Vec<(RunnerIndex, JobUuid, String)>,
    /// Terminal messages the server has taken note of.
    judged: BTreeSet<(RunnerIndex, JobUuid)>,
    /// Jobs that a user or their time stopped.
    stopped: BTreeSet<JobUuid>,
    /// How often a job's benchmark was started.
    starts: BTreeMap<JobUuid, usize>,
    /// What was asked for.
    orders: BTreeMap<JobUuid, Order>,
    /// How often a user had a job tried again, and those of it that nobody has seen yet.
    retried: BTreeMap<JobUuid, usize>,
    to_be_seen: BTreeSet<JobUuid>,
    /// Runners that get no jobs, as an admin wants it.
    locked: BTreeSet<RunnerIndex>,
    /// What was found in between.
    found: Option<Violation>,
}

impl Ledger {
    pub(crate) fn started(&mut self, runner: RunnerIndex, job: JobUuid, busy: bool, waits: bool) {
        *self.starts.entry(job).or_default() += 1;
        if busy {
            self.complain(format!("runner {runner} starts job {job} while another one runs"));
        }
        if waits {
            self.complain(format!("runner {runner} starts job {job} while a result waits to be delivered"));
        }
        // What is said of an earlier attempt proves nothing for this one.
        self.judged.remove(&(runner, job));
    }

    /// A benchmark ended. `kept` is its result, where it is safe on the disk.
    pub(crate) fn ended(&mut self, runner: RunnerIndex, job: JobUuid, kept: Option<String>) {
        self.kept.extend(kept.map(|result| (runner, job, result)));
    }

    /// A runner was killed while it ran a job.
    pub(crate) fn abandoned(&mut self, runner: RunnerIndex, job: JobUuid) {
        self.judged.remove(&(runner, job));
    }

    pub(crate) fn judged(&mut self, runner: RunnerIndex, job: JobUuid) {
        self.judged.insert((runner, job));
    }

    /// A runner is gone with all that was on its disk.
    pub(crate) fn lost(&mut self, runner: RunnerIndex) {
        self.kept.retain(|(by, ..)| *by != runner);
    }

    pub(crate) fn submitted(&mut self, job: JobUuid, order: Order) {
        self.orders.insert(job, order);
    }

    pub(crate) fn retried(&mut self, job: JobUuid) {
        *self.retried.entry(job).or_default() += 1;
        self.to_be_seen.insert(job);
    }

    pub(crate) fn locked(&mut self, runner: RunnerIndex) {
        self.locked.insert(runner);
    }

    pub(crate) fn unlocked(&mut self, runner: RunnerIndex) {
        self.locked.remove(&runner);
    }

    pub(crate) fn claimed(&mut self, runner: RunnerIndex) {
        if self.locked.contains(&runner) {
            self.complain(format!("runner {runner} is locked and gets a job"));
        }
    }

    pub(crate) fn stopped(&mut self, job: JobUuid) {
        self.stopped.insert(job);
    }

    /// A runner removes a result from its disk.
    pub(crate) fn forgotten(&mut self, runner: RunnerIndex, job: JobUuid) {
        if !self.judged.contains(&(runner, job)) {
            self.complain(format!("runner {runner} removes its result of job {job}, which the server never took"));
        }
    }

    fn complain(&mut self, text: String) {
        self.found.get_or_insert(Violation(text));
    }

    /// What must hold at every moment.
    pub(crate) fn check_step(&mut self, queue: &mut impl Queue, jobs: &[JobUuid]) -> Result<(), Violation> {
        for job in jobs {
            let now = queue.view(*job);
            // A user may have had it tried again: then it begins anew.
            let anew = self.to_be_seen.remove(job);
            if let Some(before) = self.seen.get(job).filter(|_| !anew) {
                follows(before, &now).map_err(|problem| Violation(format!("job {job}: {problem}; {before:?}, then {now:?}")))?;
                if *before == now {
                    continue;
                }
            }
            self.seen.insert(*job, now);
        }
        self.found.take().map_or(Ok(()), Err)
    }

    /// What must hold when everything has come to its end. `undisturbed` is whether nothing went wrong.
    pub(crate) fn check_end(&self, queue: &mut impl Queue, jobs: &[JobUuid], undisturbed: bool) -> Result<(), Violation> {
        for job in jobs {
            let view = queue.view(*job);
            let attempts = queue.attempts(*job);
            let starts = self.starts.get(job).copied().unwrap_or_default();
            if view.status == JobStatus::Canceled && !self.stopped.contains(job) && !self.runner_said_canceled(*job) {
                return Err(Violation(format!("job {job} is canceled, and nobody wanted that")));
            }
            for (runner, _, result) in self.kept.iter().filter(|(_, of, _)| of == job) {
                let newest = attempts.iter().rev().find(|attempt| attempt.runner == *runner);
                let current = newest.is_some_and(|newest| newest.attempt == view.attempt);
                let taken = view.output.as_deref() == Some(result);
                // The runner may have been given the job once more since, and failed it.
                let kept_by = |attempt: &Attempt| attempt.runner == *runner && attempt.output.as_deref() == Some(result.as_str());
                let beside = attempts.iter().any(kept_by);
                let failed = view.status == JobStatus::Failed;
                if current && failed && !taken && !beside && !self.later_result(*runner, *job, result) {
                    return Err(Violation(format!("the result {result} of job {job} is lost: the job failed")));
                }
                if !current
                    && !beside
                    && !taken
                    && !self.later_result(*runner, *job, result)
                    && view.status != JobStatus::Canceled
                {
                    return Err(Violation(format!("the result {result} of an earlier attempt of job {job} is lost")));
                }
            }
            let failures = attempts.iter().filter(|attempt| attempt.outcome.as_deref() == Some(JobStatus::Failed.as_str()));
            let allowed =
                self.orders.get(job).map_or(0, |order| order.retries as usize) + self.retried.get(job).copied().unwrap_or(0);
            if failures.count() > allowed + 1 {
                return Err(Violation(format!("job {job} was to be tried again {allowed} times, and failed more often")));
            }
            if undisturbed && (view.attempt != 1 || starts != 1) {
                return Err(Violation(format!("nothing went wrong, and job {job} was handed out {} times", view.attempt)));
            }
        }
        Ok(())
    }

    /// Whether the runner got another result of the same job after this one.
    fn later_result(&self, runner: RunnerIndex, job: JobUuid, result: &str) -> bool {
        let of_job = self.kept.iter().filter(|(by, of, _)| (*by, *of) == (runner, job));
        of_job.skip_while(|(.., known)| known != result).nth(1).is_some()
    }

    /// A runner that is told to stop may cancel its job.
    fn runner_said_canceled(&self, job: JobUuid) -> bool {
        self.judged.iter().any(|(_, of)| *of == job)
    }
}

/// Whether a job may look like this after it looked like that. Several things may have happened in between.
fn follows(before: &View, now: &View) -> Result<(), &'static str> {
    use JobStatus::{Canceled, Claimed, Completed, Failed, Pending, Processed, Running};
    let possible = match before.status {
        Pending | Claimed | Running => true,
        Failed => matches!(now.status, Failed | Completed | Processed),
        Completed => matches!(now.status, Completed | Processed | Failed),
        Processed => now.status == Processed,
        Canceled => now.status == Canceled,
    };
    let has_result = matches!(before.status, Completed | Processed);
    if !possible {
        Err("its status went back")
    } else if now.attempt < before.attempt {
        Err("its attempts went back")
    } else if has_result && now.output != before.output {
        Err("its result was replaced")
    } else {
        Ok(())
    }
}
