//! The queue of jobs: every change of a job's status is one transaction here.
//!
//! Whoever changes a job names the attempt it acts for, so that a runner whose job was given to another changes nothing.

use std::time::Duration;

use bencher_types::{
    DateTime, JobEvent, JobFailure, JobStatus, JobUuid, RunnerUuid, Tier, Transition,
    wire::{job::JobConfig, spec::Spec},
};

use super::{
    Id, Micros, Queries, Store, StoreError, Text, Tx,
    attempt::{self, End},
    live,
};
use crate::{limits, schedule::Rules, values};

/// A row of `job`, as far as the queue is concerned.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct QueuedJob {
    pub id: i64,
    pub uuid: Text<JobUuid>,
    pub project_id: i64,
    pub spec_id: i64,
    pub runner_id: Option<i64>,
    status: i64,
    output_key: Option<String>,
    config: String,
    env_sealed: Option<Vec<u8>>,
    pub attempt: i64,
    /// How often the job is still tried again by itself.
    pub retries: i64,
    pub claimed: Option<Micros>,
    pub created: Micros,
}

impl QueuedJob {
    pub(super) const COLUMNS: &str =
        "id, uuid, project_id, spec_id, runner_id, status, output_key, config, env_sealed, attempt, retries, claimed, created";

    /// # Errors
    /// The column holds no status.
    pub fn status(&self) -> Result<JobStatus, StoreError> {
        JobStatus::from_number(self.status).ok_or(StoreError::corrupt("job.status"))
    }

    /// What the runner needs to know, without the environment.
    ///
    /// # Errors
    /// The column holds no configuration.
    pub fn config(&self) -> Result<JobConfig, StoreError> {
        serde_json::from_str(&self.config).map_err(|_| StoreError::corrupt("job.config"))
    }

    /// The environment as it is kept.
    #[must_use]
    pub fn sealed_env(&self) -> Option<&[u8]> {
        self.env_sealed.as_deref()
    }
}

/// A job that was just claimed, and the spec it runs on.
#[derive(Clone, Debug)]
pub struct Claimed {
    pub job: QueuedJob,
    pub spec: Spec,
    /// Whether its project runs only what is signed.
    pub needs_signature: bool,
}

/// A job whose lease has run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired {
    pub job: JobUuid,
    pub attempt: i64,
    /// The row of the runner that had it.
    pub runner: Option<i64>,
}

/// What became of a terminal message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The job has this status now.
    Now(JobStatus),
    /// It was known already, or changes nothing any more.
    Unchanged,
    /// The job was canceled before; what the runner delivered is there to be looked at.
    Kept,
    /// A later attempt is under way; the result is kept beside it.
    Superseded,
    /// There is no such job, or this runner never had it.
    Unknown,
}

/// How a runner ended a job.
#[derive(Clone, Debug)]
pub struct Ending {
    pub event: JobEvent,
    /// Where the blob store has what was delivered.
    pub output_key: Option<String>,
    /// Why it failed.
    pub message: Option<String>,
    /// Whose business that is.
    pub failure: Option<JobFailure>,
}

#[derive(sqlx::FromRow)]
struct HeldRow {
    status: i64,
    output_key: Option<String>,
    current: i64,
    attempt: i64,
    outcome: Option<String>,
}

#[derive(sqlx::FromRow)]
struct EndedRow {
    source: Option<String>,
    organization_id: i64,
    tier: Text<Tier>,
    max_jobs: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct AttemptRow {
    attempt: i64,
}

impl Store {
    /// Ends what a runner still holds and has given up. Whether a job went back to the queue by that.
    ///
    /// # Errors
    /// The database failed.
    pub async fn give_up(&self, runner_id: i64, now: DateTime) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let put_back = fail_held(&mut tx, runner_id, now).await?;
        tx.commit().await?;
        Ok(put_back)
    }

    /// The job that a runner says it works on: the one it names, else the one it holds.
    ///
    /// # Errors
    /// The database failed.
    pub async fn job_of_runner(&self, runner_id: i64, named: Option<JobUuid>) -> Result<Option<QueuedJob>, StoreError> {
        let mut conn = self.read().await?;
        match named {
            Some(job) => conn.optional(format!("SELECT {} FROM job WHERE uuid = $1", QueuedJob::COLUMNS), values![job]).await,
            None => {
                let sql = format!("SELECT {} FROM job WHERE runner_id = $1 AND status IN (1, 2) ORDER BY id", QueuedJob::COLUMNS);
                conn.optional(sql, values![runner_id]).await
            }
        }
    }

    /// Whether a job may wait for this one to end: both come from the same source, or as many jobs of its organization or project are in
    /// flight as may be.
    ///
    /// # Errors
    /// The database failed.
    pub async fn frees_another(&self, job: JobUuid, rules: &Rules) -> Result<bool, StoreError> {
        let mut conn = self.read().await?;
        let sql = "SELECT job.source, project.organization_id, organization.tier, project.max_jobs FROM job \
                   JOIN project ON project.id = job.project_id JOIN organization ON organization.id = project.organization_id \
                   WHERE job.uuid = $1";
        let Some(ended) = conn.optional::<EndedRow>(sql, values![job]).await? else { return Ok(false) };
        if let Some(source) = ended.source {
            let sql = "SELECT id FROM job WHERE source = $1 AND status = 0 LIMIT 1";
            if conn.optional::<Id>(sql, values![source]).await?.is_some() {
                return Ok(true);
            }
        }
        if ended.max_jobs.is_none() && !rules.max_jobs.contains_key(&ended.tier.0) {
            return Ok(false);
        }
        let sql = "SELECT waiting.id FROM project JOIN job AS waiting ON waiting.project_id = project.id AND waiting.status = 0 \
                   WHERE project.organization_id = $1 LIMIT 1";
        Ok(conn.optional::<Id>(sql, values![ended.organization_id]).await?.is_some())
    }

    /// The runner works on the job: `running`, with a new lease. Whether that was news or not.
    ///
    /// # Errors
    /// The database failed.
    pub async fn start_job(&self, job: JobUuid, attempt: i64, lease: Duration, now: DateTime) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.execute(
            "UPDATE job SET status = $3, started = COALESCE(started, $4), lease_expires = $5, modified = $4 \
             WHERE uuid = $1 AND attempt = $2 AND status IN (1, 2)",
            values![job, attempt, JobStatus::Running, now, now.saturating_add(lease)],
        )
        .await?;
        tx.commit().await
    }

    /// A job that was handed out but never received goes back to the queue. Whether it did; one that was handed out too often fails.
    ///
    /// # Errors
    /// The database failed.
    pub async fn release_job(&self, job: JobUuid, attempt: i64, now: DateTime) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let released = release(&mut tx, job, attempt, now).await?;
        tx.commit().await?;
        Ok(released)
    }

    /// The server ends an attempt: the runner was lost (`Fail`) or the job took too long (`Cancel`). Whether it was still in flight.
    /// A lost runner's job goes back to the queue where it is to be tried again.
    ///
    /// # Errors
    /// The database failed.
    pub async fn end_job(
        &self,
        job: JobUuid,
        attempt: i64,
        event: JobEvent,
        message: &str,
        now: DateTime,
    ) -> Result<bool, StoreError> {
        let failure = if event == JobEvent::Cancel { JobFailure::Timeout } else { JobFailure::Infrastructure };
        let mut tx = self.begin().await?;
        let Some(row) = in_flight(&mut tx, job, attempt).await? else { return Ok(false) };
        let ending = Ending { event, output_key: None, message: Some(message.to_owned()), failure: Some(failure) };
        if apply(&mut tx, &row, row.runner_id, &ending, now).await?.is_none() {
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }

    /// The server cannot hand a job out, and no runner is to blame: it fails for good.
    ///
    /// # Errors
    /// The database failed.
    pub async fn refuse_job(
        &self,
        job: JobUuid,
        attempt: i64,
        (failure, message): (JobFailure, String),
        now: DateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let Some(row) = in_flight(&mut tx, job, attempt).await? else { return Ok(()) };
        let ending = Ending { event: JobEvent::Fail, output_key: None, message: Some(message), failure: Some(failure) };
        write_ending(&mut tx, &row, JobStatus::Failed, &ending, now).await?;
        tx.commit().await
    }

    /// A runner's terminal message. Only a runner that was given the job at some time can end it.
    ///
    /// # Errors
    /// The database failed; the message is not stored and must not be acknowledged.
    pub async fn finish_job(&self, runner_id: i64, job: JobUuid, ending: &Ending, now: DateTime) -> Result<Ended, StoreError> {
        let mut tx = self.begin().await?;
        let Some(row) = lock_job(&mut tx, job).await? else { return Ok(Ended::Unknown) };
        // The newest attempt of this runner: what it delivers can be no other's.
        let attempt: Option<AttemptRow> = tx
            .optional(
                "SELECT attempt FROM job_attempt WHERE job_id = $1 AND runner_id = $2 ORDER BY attempt DESC LIMIT 1",
                values![row.id, runner_id],
            )
            .await?;
        let Some(AttemptRow { attempt }) = attempt else { return Ok(Ended::Unknown) };

        if attempt != row.attempt {
            tx.execute(
                "UPDATE job_attempt SET ended = COALESCE(ended, $3), outcome = 'superseded', output_key = $4 \
                 WHERE job_id = $1 AND attempt = $2",
                values![row.id, attempt, now, ending.output_key.clone()],
            )
            .await?;
            tx.commit().await?;
            return Ok(Ended::Superseded);
        }
        if let Some(to) = apply(&mut tx, &row, Some(runner_id), ending, now).await? {
            tx.commit().await?;
            return Ok(Ended::Now(to));
        }
        match row.status()?.apply(ending.event) {
            // Whatever the runner says of a canceled job: how it ended stays, and what it printed until then is kept, once.
            Ok(Transition::Unchanged)
                if row.status()? == JobStatus::Canceled && row.output_key.is_none() && ending.output_key.is_some() =>
            {
                let sql = "UPDATE job SET output_key = $2, modified = $3 WHERE id = $1";
                tx.execute(sql, values![row.id, ending.output_key.clone(), now]).await?;
                live::forget(&mut tx, &row).await?;
                tx.commit().await?;
                Ok(Ended::Kept)
            }
            Ok(_) | Err(_) => Ok(Ended::Unchanged),
        }
    }

    /// Whether a terminal message of a runner would change anything: the runner was given the job, and the job, or what is known of
    /// the runner's attempt, can still become what the message says; or the job was canceled and nothing was delivered yet.
    ///
    /// # Errors
    /// The database failed.
    pub async fn wants_ending(&self, runner_id: i64, job: JobUuid, event: JobEvent) -> Result<bool, StoreError> {
        let mut conn = self.read().await?;
        let sql = "SELECT job.status, job.output_key, job.attempt AS current, job_attempt.attempt, job_attempt.outcome \
                   FROM job JOIN job_attempt ON job_attempt.job_id = job.id \
                   WHERE job.uuid = $1 AND job_attempt.runner_id = $2 ORDER BY job_attempt.attempt DESC LIMIT 1";
        let Some(row) = conn.optional::<HeldRow>(sql, values![job, runner_id]).await? else { return Ok(false) };
        if row.attempt != row.current {
            return Ok(row.outcome.as_deref() != Some("superseded"));
        }
        if row.outcome.as_deref() == Some(JobStatus::Completed.as_str()) {
            // Its result was taken. That it could not be processed makes room for no other.
            return Ok(false);
        }
        let status = JobStatus::from_number(row.status).ok_or(StoreError::corrupt("job.status"))?;
        let is_canceled_without_output = status == JobStatus::Canceled && row.output_key.is_none();
        Ok(is_canceled_without_output || matches!(status.apply(event), Ok(Transition::To(_))))
    }
}

/// A job's row, kept from other writers until the transaction ends.
pub(super) async fn lock_job(tx: &mut Tx, job: JobUuid) -> Result<Option<QueuedJob>, StoreError> {
    // SQLite has one writer, so that the row is safe without a lock.
    let lock = if matches!(tx, Tx::Postgres(_)) { "FOR UPDATE" } else { "" };
    tx.optional(format!("SELECT {} FROM job WHERE uuid = $1 {lock}", QueuedJob::COLUMNS), values![job]).await
}

/// The row of an attempt that is in flight, kept from other writers.
pub(super) async fn in_flight(tx: &mut Tx, job: JobUuid, attempt: i64) -> Result<Option<QueuedJob>, StoreError> {
    let Some(row) = lock_job(tx, job).await? else { return Ok(None) };
    Ok((row.attempt == attempt && row.status()?.is_in_flight()).then_some(row))
}

/// What the end of an attempt makes of its job, `None` where it changes nothing: a failure that is the infrastructure's puts a job that
/// may be tried again ahead of the queue. `runner` is whose attempt it was.
async fn apply(
    tx: &mut Tx,
    row: &QueuedJob,
    runner: Option<i64>,
    ending: &Ending,
    now: DateTime,
) -> Result<Option<JobStatus>, StoreError> {
    let status = row.status()?;
    let Ok(Transition::To(to)) = status.apply(ending.event) else { return Ok(None) };
    if ending.output_key.is_some() {
        live::forget(tx, row).await?;
    }
    if let Some(runner) = runner {
        let failure = if to == JobStatus::Canceled { Some(JobFailure::Canceled) } else { ending.failure };
        attempt::judge_runner(tx, runner, failure).await?;
    }
    let again = to == JobStatus::Failed && ending.failure == Some(JobFailure::Infrastructure) && row.retries > 0;
    if let (true, Ok(Transition::To(to))) = (again, status.apply(JobEvent::Retry)) {
        let sql = "UPDATE job SET retries = retries - 1, avoids = $2 WHERE id = $1";
        tx.execute(sql, values![row.id, runner]).await?;
        put_back(tx, row, now).await?;
        let (failure, message) = (ending.failure, ending.message.as_deref());
        let end = End { outcome: JobStatus::Failed.as_str(), failure, message, output_key: ending.output_key.as_deref() };
        attempt::end(tx, row.id, row.attempt, end, now).await?;
        return Ok(Some(to));
    }
    // A released job has no runner; the result says whose it was.
    if row.runner_id != runner {
        tx.execute("UPDATE job SET runner_id = $2 WHERE id = $1", values![row.id, runner]).await?;
    }
    write_ending(tx, row, to, ending, now).await?;
    Ok(Some(to))
}

/// Ends a job, and its attempt if there is one.
pub(super) async fn write_ending(
    tx: &mut Tx,
    row: &QueuedJob,
    to: JobStatus,
    ending: &Ending,
    now: DateTime,
) -> Result<(), StoreError> {
    let failure = match to {
        JobStatus::Canceled => Some(ending.failure.unwrap_or(JobFailure::Canceled)),
        JobStatus::Failed => ending.failure,
        _ => None,
    };
    tx.execute(
        "UPDATE job SET status = $2, lease_expires = NULL, output_key = COALESCE($3, output_key), message = $4, failure = $6, \
         completed = $5, modified = $5 WHERE id = $1",
        values![row.id, to, ending.output_key.clone(), ending.message.clone(), now, failure.map(JobFailure::as_str)],
    )
    .await?;
    let end = End { outcome: to.as_str(), failure, message: ending.message.as_deref(), output_key: None };
    attempt::end(tx, row.id, row.attempt, end, now).await
}

/// Puts a job ahead of the queue, as it was before it was handed out.
async fn put_back(tx: &mut Tx, row: &QueuedJob, now: DateTime) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE job SET status = $2, runner_id = NULL, lease_expires = NULL, claimed = NULL, started = NULL, front = $3, \
         modified = $3 WHERE id = $1",
        values![row.id, JobStatus::Pending, now],
    )
    .await?;
    Ok(())
}

/// Puts a job that is only claimed back; whether it went back.
async fn release(tx: &mut Tx, job: JobUuid, attempt: i64, now: DateTime) -> Result<bool, StoreError> {
    let Some(row) = lock_job(tx, job).await? else { return Ok(false) };
    if row.attempt != attempt || row.status()? != JobStatus::Claimed {
        return Ok(false);
    }
    if attempt::releases_before(tx, row.id, attempt).await? + 1 >= limits::MAX_HANDOUTS {
        let handouts = limits::MAX_HANDOUTS;
        let message =
            format!("the job was handed out {handouts} times in a row and no runner began it: see the logs of the runners");
        let failure = Some(JobFailure::Infrastructure);
        let ending = Ending { event: JobEvent::Fail, output_key: None, message: Some(message), failure };
        write_ending(tx, &row, JobStatus::Failed, &ending, now).await?;
        return Ok(false);
    }
    put_back(tx, &row, now).await?;
    let end = End { outcome: "released", failure: None, message: None, output_key: None };
    attempt::end(tx, row.id, attempt, end, now).await?;
    Ok(true)
}

/// Fails what a runner that asks for work still holds; what it never began goes back, since it was probably never received. Whether a
/// job went back to the queue.
pub(super) async fn fail_held(tx: &mut Tx, runner_id: i64, now: DateTime) -> Result<bool, StoreError> {
    // Whoever ends one of them at this moment is waited for, and then it is not held any more.
    let lock = if matches!(tx, Tx::Postgres(_)) { "FOR UPDATE" } else { "" };
    let columns = QueuedJob::COLUMNS;
    let sql = format!("SELECT {columns} FROM job WHERE runner_id = $1 AND status IN (1, 2) ORDER BY id {lock}");
    let mut put_back = false;
    for job in tx.all::<QueuedJob>(sql, values![runner_id]).await? {
        if job.status()? == JobStatus::Claimed {
            put_back |= release(tx, job.uuid.0, job.attempt, now).await?;
            continue;
        }
        let message = "the runner asked for new work without a result of this job: it was probably restarted";
        let failure = Some(JobFailure::Infrastructure);
        let ending = Ending { event: JobEvent::Fail, output_key: None, message: Some(message.to_owned()), failure };
        put_back |= apply(tx, &job, Some(runner_id), &ending, now).await? == Some(JobStatus::Pending);
    }
    Ok(put_back)
}

/// A runner as its key names it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RunnerAuthRow {
    pub id: i64,
    pub uuid: Text<RunnerUuid>,
    pub slug: String,
    pub archived: Option<Micros>,
}

impl Store {
    /// The runner with this key.
    ///
    /// # Errors
    /// The database failed.
    pub async fn runner_by_key(&self, hash: &bencher_types::KeyHash) -> Result<Option<RunnerAuthRow>, StoreError> {
        let mut conn = self.read().await?;
        conn.optional("SELECT id, uuid, slug, archived FROM runner WHERE key_hash = $1", values![hash]).await
    }
}
