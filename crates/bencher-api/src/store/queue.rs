//! The queue of jobs: every change of a job's status is one transaction here.
//!
//! Whoever changes a job names the attempt it acts for, so that a runner whose job was given to another changes nothing.

use std::time::Duration;

use bencher_types::{
    DateTime, JobEvent, JobStatus, JobUuid, RunnerUuid, Transition,
    wire::{job::JobConfig, spec::Spec},
};

use super::{Dialect, Micros, Queries, Store, StoreError, Text, Tx, postgres, spec::SpecRow, sqlite};
use crate::{limits, values};

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
    pub claimed: Option<Micros>,
    pub created: Micros,
}

impl QueuedJob {
    const COLUMNS: &str =
        "id, uuid, project_id, spec_id, runner_id, status, output_key, config, env_sealed, attempt, claimed, created";

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
}

/// A job whose lease has run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired {
    pub job: JobUuid,
    pub attempt: i64,
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
}

#[derive(sqlx::FromRow)]
struct Lease {
    uuid: Text<JobUuid>,
    attempt: i64,
}

#[derive(sqlx::FromRow)]
struct NextExpiry {
    expires: Option<Micros>,
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
struct AttemptRow {
    attempt: i64,
}

impl Store {
    /// Gives a runner the next job of its specs, if there is one.
    ///
    /// Of the jobs that count for their source, at most one per source is in flight.
    ///
    /// What the runner still held it has given up by asking: those jobs fail, or go back where they were never begun.
    ///
    /// # Errors
    /// The database failed; nothing was claimed.
    pub async fn claim_job(&self, runner_id: i64, lease: Duration, now: DateTime) -> Result<Option<Claimed>, StoreError> {
        for _ in 0..limits::MAX_CLAIM_CONFLICTS {
            match self.claim_next(runner_id, lease, now).await {
                // Another runner was given a job of the same source at this moment. That one is seen now.
                Err(StoreError::Unique { .. }) => {}
                claimed => return claimed,
            }
        }
        Ok(None)
    }

    async fn claim_next(&self, runner_id: i64, lease: Duration, now: DateTime) -> Result<Option<Claimed>, StoreError> {
        let row_lock = match self.dialect() {
            Dialect::Sqlite => sqlite::CLAIM_ROW_LOCK,
            Dialect::Postgres => postgres::CLAIM_ROW_LOCK,
        };
        let mut tx = self.begin().await?;
        fail_held(&mut tx, runner_id, now).await?;
        let job: Option<QueuedJob> = tx
            .optional(
                format!(
                    "UPDATE job SET status = $3, runner_id = $1, attempt = attempt + 1, lease_expires = $4, claimed = $2, modified = $2 \
                     WHERE id = (SELECT next.id FROM job AS next WHERE next.status = 0 \
                       AND next.spec_id IN (SELECT spec_id FROM runner_spec WHERE runner_id = $1) \
                       AND (next.source IS NULL OR NOT EXISTS \
                         (SELECT busy.id FROM job AS busy WHERE busy.source = next.source AND busy.status IN (1, 2))) \
                       ORDER BY next.priority DESC, next.created, next.id LIMIT 1 {row_lock}) \
                     AND status = 0 RETURNING {}",
                    QueuedJob::COLUMNS
                ),
                values![runner_id, now, JobStatus::Claimed, now.saturating_add(lease)],
            )
            .await?;
        let Some(job) = job else {
            tx.commit().await?;
            return Ok(None);
        };
        tx.execute(
            "INSERT INTO job_attempt (job_id, attempt, runner_id, claimed) VALUES ($1, $2, $3, $4)",
            values![job.id, job.attempt, runner_id, now],
        )
        .await?;
        let spec: SpecRow = tx.one("SELECT * FROM spec WHERE id = $1", values![job.spec_id]).await?;
        tx.commit().await?;
        Ok(Some(Claimed { job, spec: spec.try_into()? }))
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

    /// Whether a job waits for this one to end, because both come from the same source.
    ///
    /// # Errors
    /// The database failed.
    pub async fn frees_another(&self, job: JobUuid) -> Result<bool, StoreError> {
        let sql = "SELECT waiting.id FROM job AS ended JOIN job AS waiting ON waiting.source = ended.source \
                   WHERE ended.uuid = $1 AND waiting.status = 0 LIMIT 1";
        let row: Option<super::Id> = self.read().await?.optional(sql, values![job]).await?;
        Ok(row.is_some())
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

    /// The runner is alive: a new lease.
    ///
    /// # Errors
    /// The database failed.
    pub async fn renew_lease(&self, job: JobUuid, attempt: i64, lease: Duration, now: DateTime) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.execute(
            "UPDATE job SET lease_expires = $3 WHERE uuid = $1 AND attempt = $2 AND status IN (1, 2)",
            values![job, attempt, now.saturating_add(lease)],
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
        let mut tx = self.begin().await?;
        let Some(row) = lock_job(&mut tx, job).await? else { return Ok(false) };
        let status = row.status()?;
        if row.attempt != attempt || !status.is_in_flight() {
            return Ok(false);
        }
        let Ok(Transition::To(to)) = status.apply(event) else { return Ok(false) };
        let ending = Ending { event, output_key: None, message: Some(message.to_owned()) };
        write_ending(&mut tx, &row, to, &ending, now).await?;
        tx.commit().await?;
        Ok(true)
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
        match row.status()?.apply(ending.event) {
            Ok(Transition::To(to)) => {
                // A released job has no runner; the result says whose it was.
                tx.execute("UPDATE job SET runner_id = $2 WHERE id = $1", values![row.id, runner_id]).await?;
                write_ending(&mut tx, &row, to, ending, now).await?;
                tx.commit().await?;
                Ok(Ended::Now(to))
            }
            // Whatever the runner says of a canceled job: how it ended stays, and what it printed until then is kept, once.
            Ok(Transition::Unchanged)
                if row.status()? == JobStatus::Canceled && row.output_key.is_none() && ending.output_key.is_some() =>
            {
                let sql = "UPDATE job SET output_key = $2, modified = $3 WHERE id = $1";
                tx.execute(sql, values![row.id, ending.output_key.clone(), now]).await?;
                tx.commit().await?;
                Ok(Ended::Kept)
            }
            Ok(Transition::Unchanged) | Err(_) => Ok(Ended::Unchanged),
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

    /// Jobs in flight whose runner was not heard of in time.
    ///
    /// # Errors
    /// The database failed.
    pub async fn expired_leases(&self, now: DateTime) -> Result<Vec<Expired>, StoreError> {
        let mut conn = self.read().await?;
        let rows: Vec<Lease> = conn
            .all("SELECT uuid, attempt FROM job WHERE status IN (1, 2) AND lease_expires <= $1 ORDER BY id", values![now])
            .await?;
        Ok(rows.into_iter().map(|row| Expired { job: row.uuid.0, attempt: row.attempt }).collect())
    }

    /// When the next lease runs out, if a job is in flight.
    ///
    /// # Errors
    /// The database failed.
    pub async fn next_lease_expiry(&self) -> Result<Option<DateTime>, StoreError> {
        let mut conn = self.read().await?;
        let row: NextExpiry = conn.one("SELECT MIN(lease_expires) AS expires FROM job WHERE status IN (1, 2)", values![]).await?;
        Ok(row.expires.map(|expires| expires.0))
    }

    /// Gives every runner in a job time to be heard of, after nobody listened.
    ///
    /// # Errors
    /// The database failed.
    pub async fn extend_leases(&self, lease: Duration, now: DateTime) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let until = now.saturating_add(lease);
        let changed =
            tx.execute("UPDATE job SET lease_expires = $1 WHERE status IN (1, 2) AND lease_expires < $1", values![until]).await?;
        tx.commit().await?;
        Ok(changed)
    }
}

/// A job's row, kept from other writers until the transaction ends.
pub(super) async fn lock_job(tx: &mut Tx, job: JobUuid) -> Result<Option<QueuedJob>, StoreError> {
    // SQLite has one writer, so that the row is safe without a lock.
    let lock = if matches!(tx, Tx::Postgres(_)) { "FOR UPDATE" } else { "" };
    tx.optional(format!("SELECT {} FROM job WHERE uuid = $1 {lock}", QueuedJob::COLUMNS), values![job]).await
}

pub(super) async fn write_ending(
    tx: &mut Tx,
    row: &QueuedJob,
    to: JobStatus,
    ending: &Ending,
    now: DateTime,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE job SET status = $2, lease_expires = NULL, output_key = COALESCE($3, output_key), message = $4, \
         completed = $5, modified = $5 WHERE id = $1",
        values![row.id, to, ending.output_key.clone(), ending.message.clone(), now],
    )
    .await?;
    end_attempt(tx, row.uuid.0, row.attempt, to.as_str(), now).await
}

/// Puts a job that is only claimed back; whether it went back.
async fn release(tx: &mut Tx, job: JobUuid, attempt: i64, now: DateTime) -> Result<bool, StoreError> {
    let Some(row) = lock_job(tx, job).await? else { return Ok(false) };
    if row.attempt != attempt || row.status()? != JobStatus::Claimed {
        return Ok(false);
    }
    if attempt >= limits::MAX_HANDOUTS {
        let message = format!("the job was handed out {attempt} times and no runner began it: see the logs of the runners");
        let ending = Ending { event: JobEvent::Fail, output_key: None, message: Some(message) };
        write_ending(tx, &row, JobStatus::Failed, &ending, now).await?;
        return Ok(false);
    }
    tx.execute(
        "UPDATE job SET status = $2, runner_id = NULL, lease_expires = NULL, claimed = NULL, modified = $3 WHERE id = $1",
        values![row.id, JobStatus::Pending, now],
    )
    .await?;
    end_attempt(tx, job, attempt, "released", now).await?;
    Ok(true)
}

async fn end_attempt(tx: &mut Tx, job: JobUuid, attempt: i64, outcome: &'static str, now: DateTime) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE job_attempt SET ended = $3, outcome = $4 WHERE job_id = (SELECT id FROM job WHERE uuid = $1) AND attempt = $2",
        values![job, attempt, now, outcome],
    )
    .await?;
    Ok(())
}

/// Fails what a runner that asks for work still holds; what it never began goes back, since it was probably never received.
async fn fail_held(tx: &mut Tx, runner_id: i64, now: DateTime) -> Result<(), StoreError> {
    let held: Vec<QueuedJob> = tx
        .all(format!("SELECT {} FROM job WHERE runner_id = $1 AND status IN (1, 2)", QueuedJob::COLUMNS), values![runner_id])
        .await?;
    for job in held {
        if job.status()? == JobStatus::Claimed {
            release(tx, job.uuid.0, job.attempt, now).await?;
            continue;
        }
        let ending = Ending {
            event: JobEvent::Fail,
            output_key: None,
            message: Some("the runner asked for new work without a result of this job: it was probably restarted".to_owned()),
        };
        write_ending(tx, &job, JobStatus::Failed, &ending, now).await?;
    }
    Ok(())
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

    /// What a runner is doing and that it was heard of.
    ///
    /// # Errors
    /// The database failed.
    pub async fn set_runner_state(
        &self,
        runner_id: i64,
        state: bencher_types::wire::runner::RunnerState,
        now: DateTime,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.execute("UPDATE runner SET state = $2, last_heartbeat = $3 WHERE id = $1", values![runner_id, state.as_str(), now])
            .await?;
        tx.commit().await
    }

    /// What a runner says it is; `None` where it does not say.
    ///
    /// # Errors
    /// The database failed.
    pub async fn set_runner_version(&self, runner_id: i64, version: Option<&str>) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.execute("UPDATE runner SET version = $2 WHERE id = $1", values![runner_id, version]).await?;
        tx.commit().await
    }
}
