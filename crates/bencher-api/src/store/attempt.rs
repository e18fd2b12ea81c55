//! Every time that a job was handed to a runner, and what it says of the runner.

use bencher_types::{DateTime, JobFailure, RunnerUuid, wire::job::JobAttempt};

use super::{Count, Micros, Queries, Store, StoreError, Text, Tx};
use crate::values;

#[derive(sqlx::FromRow)]
struct AttemptRow {
    attempt: i64,
    runner: Text<RunnerUuid>,
    claimed: Micros,
    ended: Option<Micros>,
    outcome: Option<String>,
    failure: Option<Text<JobFailure>>,
    message: Option<String>,
}

impl Store {
    /// Every time that a job was handed to a runner, the first first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn attempts(&self, job_id: i64) -> Result<Vec<JobAttempt>, StoreError> {
        let sql = "SELECT job_attempt.attempt, runner.uuid AS runner, job_attempt.claimed, job_attempt.ended, job_attempt.outcome, \
                   job_attempt.failure, job_attempt.message FROM job_attempt JOIN runner ON runner.id = job_attempt.runner_id \
                   WHERE job_attempt.job_id = $1 ORDER BY job_attempt.attempt";
        let rows: Vec<AttemptRow> = self.read().await?.all(sql, values![job_id]).await?;
        rows.into_iter()
            .map(|row| {
                Ok(JobAttempt {
                    attempt: u32::try_from(row.attempt).map_err(|_| StoreError::corrupt("job_attempt.attempt"))?,
                    runner: row.runner.0,
                    claimed: row.claimed.0,
                    ended: row.ended.map(|time| time.0),
                    outcome: row.outcome,
                    failure: row.failure.map(|class| class.0),
                    message: row.message,
                })
            })
            .collect()
    }
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(super) struct End<'a> {
    /// The status it gave the job, or `released`.
    pub(super) outcome: &'static str,
    pub(super) failure: Option<JobFailure>,
    pub(super) message: Option<&'a str>,
    /// What was delivered, where the job does not keep it.
    pub(super) output_key: Option<&'a str>,
}

/// Writes how an attempt ended.
pub(super) async fn end(tx: &mut Tx, job_id: i64, attempt: i64, end: End<'_>, now: DateTime) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE job_attempt SET ended = $3, outcome = $4, failure = $5, message = $6, output_key = COALESCE($7, output_key) \
         WHERE job_id = $1 AND attempt = $2",
        values![job_id, attempt, now, end.outcome, end.failure.map(JobFailure::as_str), end.message, end.output_key],
    )
    .await?;
    Ok(())
}

/// How often in a row a job was handed out and never begun, until this attempt.
pub(super) async fn releases_before(tx: &mut Tx, job_id: i64, attempt: i64) -> Result<u64, StoreError> {
    let sql = "SELECT COUNT(*) AS count FROM job_attempt WHERE job_id = $1 AND attempt < $2 AND attempt > COALESCE((\
               SELECT MAX(begun.attempt) FROM job_attempt AS begun WHERE begun.job_id = $1 AND begun.attempt < $2 \
               AND begun.outcome <> 'released'), 0)";
    Ok(tx.one::<Count>(sql, values![job_id, attempt]).await?.get())
}

/// Counts what the end of an attempt says of its runner: how many jobs in a row it failed that were not to blame.
pub(super) async fn judge_runner(tx: &mut Tx, runner_id: i64, failure: Option<JobFailure>) -> Result<(), StoreError> {
    let sql = match failure {
        Some(JobFailure::Infrastructure) => "UPDATE runner SET failures = failures + 1 WHERE id = $1",
        // That a job was stopped says nothing of the runner.
        Some(JobFailure::Canceled) => return Ok(()),
        _ => "UPDATE runner SET failures = 0 WHERE id = $1 AND failures > 0",
    };
    tx.execute(sql, values![runner_id]).await?;
    Ok(())
}
