//! The job queue's decisions: what a claim, a sign of life and a result of a runner mean for its job.

use std::{sync::Arc, time::Duration};

use bencher_types::{
    DateTime, JobEvent, JobFailure, JobStatus, JobUuid,
    wire::{
        channel::{ClaimedJob, IterationOutput},
        job::{JobConfig, JobOutput},
    },
};
use object_store::{ObjectStoreExt as _, PutPayload, path::Path};

use crate::{
    app::App,
    chain::chain,
    registry,
    run::{self, ImageError},
    store::{
        StoreError,
        claim::{Prospect, Terms},
        queue::{Claimed, Ended, Ending, RunnerAuthRow},
    },
};

/// A runner's claim on a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub job: JobUuid,
    /// Which handing-out of the job this is. Whatever is written names it, so that an outdated holder changes nothing.
    pub attempt: i64,
    /// When the server stops the job.
    pub must_end: DateTime,
}

/// What a runner delivers with the end of a job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delivered {
    pub results: Vec<IterationOutput>,
    /// Of the warm-up runs; kept to be looked at.
    pub warmups: Option<Vec<IterationOutput>>,
}

impl From<Vec<IterationOutput>> for Delivered {
    fn from(results: Vec<IterationOutput>) -> Self {
        Self { results, warmups: None }
    }
}

impl Delivered {
    fn is_empty(&self) -> bool {
        self.results.is_empty() && self.warmups.is_none()
    }

    fn with_error(self, error: Option<String>) -> JobOutput {
        JobOutput { results: self.results, warmups: self.warmups, error }
    }
}

/// The message that ends a job.
#[derive(Clone, Debug, PartialEq)]
pub enum Terminal {
    Completed(Delivered),
    /// With whose business it is, where the runner says so.
    Failed(Delivered, String, Option<JobFailure>),
    Canceled(Delivered),
}

/// What the database said of a job that a runner claims to be working on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// It is this runner's and goes on.
    Held(Held),
    /// It was canceled, or is somebody else's by now.
    Stop,
    /// The runner has no job.
    Nothing,
}

/// A terminal message that could not be stored; the runner has to send it again.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    #[error("could not keep the job's output")]
    Output(#[source] object_store::Error),
    #[error("could not write how the job ended")]
    Store(#[source] StoreError),
}

/// The next job for a runner.
///
/// # Errors
/// The database failed; nothing was claimed.
pub async fn claim(app: &App, runner: &RunnerAuthRow) -> Result<Option<(Held, Box<ClaimedJob>)>, StoreError> {
    let now = app.clock.now();
    let Prospect { holds, waits } = app.store.prospect(runner.id).await?;
    if holds != 0 && app.store.give_up(runner.id, now).await? {
        app.hub.wake();
    } else if waits == 0 {
        return Ok(None);
    }
    let terms = Terms { lease: app.config.heartbeat_timeout(), rules: app.config.rules() };
    let claimed = app.store.claim_job(runner.id, terms, now).await;
    // Somebody follows the lease from now on: also that of a claim which was written and whose answer got lost.
    if !matches!(claimed, Ok(None)) {
        app.lease_taken.notify_one();
    }
    let Some(Claimed { job, spec, needs_signature }) = claimed? else { return Ok(None) };
    let mut config = job.config()?;
    // The policy, or what is attached to the image, may be another one than when the job was made.
    if needs_signature && let Err(error) = run::check_image_again(app, &config, spec.architecture).await {
        match error {
            ImageError::NotSigned(refusal) => {
                tracing::warn!(job.uuid = %job.uuid.0, "a job's image is not signed as its project now wants it");
                app.store.refuse_job(job.uuid.0, job.attempt, (JobFailure::Image, refusal.to_string()), now).await?;
                app.hub.wake();
            }
            // Nobody is woken: who asks next finds the job again.
            error => {
                tracing::error!(job.uuid = %job.uuid.0, error = chain(&error), "could not look whether a job's image is signed");
                app.store.release_job(job.uuid.0, job.attempt, now).await?;
            }
        }
        return Ok(None);
    }
    if let Some(sealed) = job.sealed_env() {
        match run::job::open_env(&app.sealer, job.uuid.0, sealed) {
            Ok(env) => config.env = Some(env),
            Err(error) => {
                // No runner could do better: the job ends here, and the runner asks again.
                tracing::error!(job.uuid = %job.uuid.0, error = chain(&error), "a job's environment cannot be opened");
                app.store.refuse_job(job.uuid.0, job.attempt, (JobFailure::Infrastructure, chain(&error)), now).await?;
                app.hub.wake();
                return Ok(None);
            }
        }
    }
    let held = Held { job: job.uuid.0, attempt: job.attempt, must_end: must_end(app, &config, now) };
    let oci_token = registry::runner_pull_token(app, runner.uuid.0, config.project, app.config.fetch_timeout());
    let timeout = config.timeout;
    Ok(Some((held, Box::new(ClaimedJob { uuid: job.uuid.0, spec, config, oci_token, timeout, created: job.created.0 }))))
}

/// When the server stops a job: fetching and building the image, then every run, warm-ups too, each with its grace.
fn must_end(app: &App, config: &JobConfig, claimed: DateTime) -> DateTime {
    let iteration = config.timeout.duration() + app.config.job_timeout_grace_period();
    let runs = iteration.saturating_mul(config.runs());
    claimed.saturating_add(app.config.fetch_timeout().saturating_add(runs))
}

/// What a runner that says it works may go on with.
///
/// # Errors
/// The database failed.
pub async fn resume(app: &App, runner: &RunnerAuthRow, named: Option<JobUuid>) -> Result<Resume, StoreError> {
    let Some(job) = app.store.job_of_runner(runner.id, named).await? else {
        return Ok(if named.is_some() { Resume::Stop } else { Resume::Nothing });
    };
    if job.status()?.is_in_flight() && job.runner_id == Some(runner.id) {
        let claimed = job.claimed.map_or(app.clock.now(), |claimed| claimed.0);
        Ok(Resume::Held(Held { job: job.uuid.0, attempt: job.attempt, must_end: must_end(app, &job.config()?, claimed) }))
    } else {
        Ok(Resume::Stop)
    }
}

/// Stores how a runner ended a job: first what it delivered, then the status.
///
/// # Errors
/// Not stored; nothing may be acknowledged.
pub async fn finish(app: &App, runner: &RunnerAuthRow, job: JobUuid, terminal: Terminal) -> Result<Ended, FinishError> {
    let mut failure = None;
    let (event, output, message) = match terminal {
        Terminal::Completed(delivered) => (JobEvent::Complete, Some(delivered.with_error(None)), None),
        Terminal::Failed(delivered, error, class) => {
            failure = Some(class.unwrap_or_else(|| JobFailure::of_message(&error)));
            (JobEvent::Fail, Some(delivered.with_error(Some(error.clone()))), Some(error))
        }
        Terminal::Canceled(delivered) => (JobEvent::Cancel, (!delivered.is_empty()).then(|| delivered.with_error(None)), None),
    };
    if !app.store.wants_ending(runner.id, job, event).await.map_err(FinishError::Store)? {
        // Nothing is kept of it, so that no runner fills the blob store with what no job refers to.
        tracing::debug!(job.uuid = %job, "a terminal message changes nothing");
        return Ok(Ended::Unchanged);
    }
    let output_key = match output {
        Some(output) => Some(keep_output(app, runner, job, &output).await.map_err(FinishError::Output)?),
        None => None,
    };
    let ending = Ending { event, output_key: output_key.clone(), message, failure };
    let ended = app.store.finish_job(runner.id, job, &ending, app.clock.now()).await;
    if ended.is_err() {
        // It may have been written all the same, and the runner's next try would then change nothing.
        app.results_arrived.notify_one();
        app.hub.wake();
    }
    let ended = ended.map_err(FinishError::Store)?;
    match ended {
        Ended::Now(status) => {
            tracing::info!(job.uuid = %job, %status, ?failure, "a runner ended its job");
            match status {
                // Its runner failed it, and it is tried again.
                JobStatus::Pending => app.hub.wake(),
                _ => wake_next(app, job).await,
            }
            if status == JobStatus::Completed {
                app.results_arrived.notify_one();
            }
        }
        Ended::Kept => tracing::info!(job.uuid = %job, "kept what a canceled job had printed until then"),
        Ended::Superseded => tracing::warn!(job.uuid = %job, "a late result was kept beside the attempt that is under way"),
        Ended::Unknown | Ended::Unchanged => {
            // Nothing refers to what was just written.
            if let (Ended::Unknown, Some(key)) = (ended, output_key)
                && let Err(error) = app.blobs.delete(&Path::from(key)).await
            {
                tracing::warn!(job.uuid = %job, %error, "could not remove the output of an unknown job");
            }
            tracing::debug!(job.uuid = %job, ?ended, "a terminal message changed nothing");
        }
    }
    Ok(ended)
}

/// The server ends an attempt: the runner was lost (`Fail`), or the job took too long (`Cancel`). Whether it was still in flight.
///
/// # Errors
/// The database failed.
pub async fn end(app: &App, job: JobUuid, attempt: i64, event: JobEvent, why: &str) -> Result<bool, StoreError> {
    let ended = app.store.end_job(job, attempt, event, why, app.clock.now()).await?;
    if ended {
        // It may wait again, or make room for another one.
        app.hub.wake();
    }
    Ok(ended)
}

/// A job has ended: where another one waited for that (one of the same source, or where as many jobs of its organization or project were
/// in flight as may be), the runners look for it.
pub(crate) async fn wake_next(app: &App, job: JobUuid) {
    match app.store.frees_another(job, &app.config.rules()).await {
        Ok(true) => app.hub.wake(),
        Ok(false) => {}
        Err(error) => {
            // Looking in vain costs little.
            tracing::warn!(job.uuid = %job, error = chain(&error), "could not look for a job that waits");
            app.hub.wake();
        }
    }
}

/// Writes what a runner delivered. The key is the same for a repeated message, and another for another runner.
async fn keep_output(app: &App, runner: &RunnerAuthRow, job: JobUuid, output: &JobOutput) -> Result<String, object_store::Error> {
    let json = serde_json::to_vec(output).expect("a job's output is plain JSON");
    let key = format!("jobs/{job}/{}-{}.json", runner.uuid.0, bencher_types::Digest::sha256(&json).hex());
    app.blobs.put(&Path::from(key.as_str()), PutPayload::from(json)).await?;
    Ok(key)
}

/// What a job delivered cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    #[error("what the job delivered is gone from the blob store")]
    Missing,
    #[error("what the job delivered is damaged in the blob store")]
    Damaged(#[source] serde_json::Error),
    /// May be tried again.
    #[error("the blob store failed")]
    Store(#[source] object_store::Error),
}

/// What a job's runner delivered.
///
/// # Errors
/// The blob store failed, or does not have what was written.
pub async fn output(app: &App, key: &str) -> Result<JobOutput, OutputError> {
    let read = async { app.blobs.get(&Path::from(key)).await?.bytes().await };
    let bytes = read.await.map_err(|error| match error {
        object_store::Error::NotFound { .. } => OutputError::Missing,
        other => OutputError::Store(other),
    })?;
    serde_json::from_slice(&bytes).map_err(OutputError::Damaged)
}

/// Fails the jobs whose runners were not heard of in time, for as long as the server runs.
///
/// Sleeps until a lease runs out; a server without jobs in flight asks the database nothing.
pub async fn watch_leases(app: Arc<App>) {
    // How long to wait after the database failed.
    const RETRY: Duration = Duration::from_secs(5);

    loop {
        let wait = match expire_leases(&app).await {
            Ok(Some(next)) => next.since(app.clock.now()),
            Ok(None) => {
                app.lease_taken.notified().await;
                continue;
            }
            Err(error) => {
                tracing::error!(error = chain(&error), "could not look for lost runners");
                RETRY
            }
        };
        // A lease that was taken meanwhile runs out later than the one that is waited for.
        tokio::time::sleep(wait).await;
    }
}

/// Fails what has expired and says when to look again.
async fn expire_leases(app: &App) -> Result<Option<DateTime>, StoreError> {
    let now = app.clock.now();
    for expired in app.store.expired_leases(now).await? {
        let message = "the runner was not heard of for too long: it or its connection is down";
        if app.store.release_job(expired.job, expired.attempt, now).await? {
            tracing::warn!(job.uuid = %expired.job, "a job that was handed out but never begun went back to the queue");
        } else if end(app, expired.job, expired.attempt, JobEvent::Fail, message).await? {
            tracing::warn!(job.uuid = %expired.job, "a job's runner was lost");
        }
        // What had a socket was seen to leave, save by a server that is gone itself; what had none was not.
        if let Some(runner) = expired.runner {
            app.store.lose_runner(runner).await?;
        }
    }
    app.store.next_lease_expiry().await
}
