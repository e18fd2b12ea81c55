//! Turns what completed jobs delivered into metrics, outside of the runners' connections.
//!
//! One task takes completed jobs in their order. A job is processed in one transaction with its status, so that a crash or a second
//! server repeats the work but never its effect. The next one does not wait until that is on the disk: what a power cut takes back is
//! completed still, and processed again.

use std::{sync::Arc, time::Duration};

use bencher_types::{JobEvent, JobStatus, Transition};

use crate::{
    app::App,
    chain::chain,
    creation::{self, CreationError},
    queue, report,
    store::{
        Committed, StoreError, Tx,
        metric::{self, RecordError},
        processing::{self, CompletedJob},
        project,
    },
};

/// How long to wait after the database or the blob store failed.
const RETRY: Duration = Duration::from_secs(5);

/// A job that could not be processed for now; it stays completed.
#[derive(Debug, thiserror::Error)]
enum ProcessError {
    #[error("could not read or write the job")]
    Store(#[from] StoreError),
    #[error("could not read what the job delivered")]
    Output(#[source] object_store::Error),
}

/// Processes completed jobs for as long as the server runs, those of an earlier run first.
pub async fn process_results(app: Arc<App>) {
    loop {
        match process_next(&app).await {
            Ok(true) => {}
            Ok(false) => app.results_arrived.notified().await,
            Err(error) => {
                tracing::error!(error = chain(&error), "could not process results; trying again");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Processes the oldest completed job; whether there was one.
async fn process_next(app: &App) -> Result<bool, ProcessError> {
    let Some(job) = app.store.next_completed_job().await? else { return Ok(false) };
    let outcome = measure(app, &job).await?;
    end(app, &job, outcome).await?;
    Ok(true)
}

/// What a job measured; or, inside, why nothing can be made of what it delivered.
async fn measure(app: &App, job: &CompletedJob) -> Result<Result<report::Measured, String>, ProcessError> {
    let Some(key) = &job.output_key else { return Ok(Err("the job delivered no results".to_owned())) };
    let output = match queue::output(app, key).await {
        Ok(output) => output,
        Err(queue::OutputError::Store(error)) => return Err(ProcessError::Output(error)),
        Err(error) => return Ok(Err(chain(&error))),
    };
    let settings = job.settings()?;
    let read = tokio::task::spawn_blocking(move || report::read(&settings, &report::texts_of_job(&output.results)));
    match read.await {
        Ok(measured) if measured.is_something() || measured.is_empty() => Ok(Ok(measured)),
        Ok(measured) => Ok(Err(measured.message().unwrap_or_default())),
        Err(panic) => {
            tracing::error!(job.uuid = %job.uuid, %panic, "an adapter panicked");
            Ok(Err("the adapter failed on these results: a defect of this server".to_owned()))
        }
    }
}

/// Writes the metrics and the status they give the job.
async fn end(app: &App, job: &CompletedJob, outcome: Result<report::Measured, String>) -> Result<(), StoreError> {
    let problem = match outcome {
        Ok(measured) => match record(app, job, &measured).await {
            Ok(()) => return Ok(()),
            Err(NotFiled::Record(RecordError::Store(error)) | NotFiled::Creation(CreationError::Store(error))) => {
                return Err(error);
            }
            Err(error) => chain(&error),
        },
        Err(problem) => problem,
    };
    // The problem quotes what the benchmark printed, which is for who may see the job.
    tracing::warn!(job.uuid = %job.uuid, "results could not be processed; the job says why");
    let mut tx = app.store.begin().await?;
    if apply(&mut tx, job, JobEvent::FailProcessing, Some(problem), app).await? {
        sync_beside(tx.commit_ahead().await?, job);
    }
    Ok(())
}

/// Has a commit told of when it is on the disk.
fn sync_beside(committed: Committed, job: &CompletedJob) {
    let job = job.uuid;
    tokio::spawn(async move {
        if let Err(error) = committed.synced().await {
            tracing::error!(job.uuid = %job, error = chain(&error), "what became of a job's results may be lost");
        }
    });
}

/// Why what a job measured is not in its report.
#[derive(Debug, thiserror::Error)]
enum NotFiled {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Creation(#[from] CreationError),
}

impl From<StoreError> for NotFiled {
    fn from(error: StoreError) -> Self {
        Self::Record(error.into())
    }
}

async fn record(app: &App, job: &CompletedJob, measured: &report::Measured) -> Result<(), NotFiled> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if !apply(&mut tx, job, JobEvent::Process, measured.message(), app).await? {
        return Ok(());
    }
    let project = project::by_id(&mut tx, job.project_id).await?;
    let start = job.config()?.backdate.or(job.started).unwrap_or(now);
    report::set_times(&mut tx, job.report_id, start, now.max(start)).await?;
    tx.lock_row("project", job.project_id).await?;
    let filing = metric::filing(&mut tx, job.report_id).await?;
    let recorded = report::record(&mut tx, &filing, measured, now).await?;
    creation::Bound::of(app, &project).check(&mut tx, project.id, &recorded.made(now), now).await?;
    sync_beside(tx.commit_ahead().await?, job);
    tracing::info!(job.uuid = %job.uuid, "results are in the report");
    Ok(())
}

/// Moves the job on, if it is still waiting for that.
async fn apply(tx: &mut Tx, job: &CompletedJob, event: JobEvent, message: Option<String>, app: &App) -> Result<bool, StoreError> {
    match JobStatus::Completed.apply(event) {
        Ok(Transition::To(to)) => processing::move_completed(tx, job.id, to, message, app.clock.now()).await,
        Ok(Transition::Unchanged) | Err(_) => Ok(false),
    }
}
