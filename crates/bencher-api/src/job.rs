//! Jobs as people deal with them: looking at one, canceling it, and having it tried again.

use bencher_types::{
    JobStatus, JobUuid, TransitionDenied,
    wire::{
        job::{Job, Queued, WaitReason},
        live::LiveOutput,
        runner::{RunnerMode, RunnerState},
    },
};

use crate::{
    app::App,
    auth::Principal,
    queue, schedule,
    store::{
        StoreError,
        job::{Canceled, JobRow, Retried},
        project::ProjectRow,
        waiting::{RunnerOfSpec, Waiting},
    },
};

/// A job that could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    #[error("job ({0}) not found")]
    Unknown(JobUuid),
    #[error("could not read the job's output")]
    Output(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A job that was not canceled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    #[error("job ({0}) not found")]
    Unknown(JobUuid),
    #[error("the job is {} already and cannot be canceled", .0.from)]
    Done(TransitionDenied),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A job that was not tried again.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    #[error("job ({0}) not found")]
    Unknown(JobUuid),
    #[error("the job is {}, and only a job that has failed can be tried again; start a new run instead", .0.from)]
    NotFailed(TransitionDenied),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A project's job. What it printed is shown to users and to who has a key of the project, and once it has run; while it waits, the
/// message says what for.
///
/// # Errors
/// There is no such job, or what is known of it could not be read.
pub async fn view(app: &App, principal: &Principal, project: &ProjectRow, uuid: JobUuid) -> Result<Job, ViewError> {
    let (mut job, row) = app.store.job(project, uuid).await?.ok_or(ViewError::Unknown(uuid))?;
    job.attempts = Some(app.store.attempts(row.id).await?).filter(|attempts| !attempts.is_empty());
    if job.status == JobStatus::Pending {
        let (queued, words) = queued(app, &job, &row).await?;
        (job.queue, job.message) = (Some(queued), Some(words));
    }
    if let (true, true, Some(key)) = (job.status.has_run(), shows_output(principal, project), &row.output_key) {
        job.output = Some(queue::output(app, key).await.map_err(|error| ViewError::Output(error.into()))?);
    }
    Ok(job)
}

/// Whether what a project's jobs print is shown to somebody who may see the jobs.
#[must_use]
pub fn shows_output(principal: &Principal, project: &ProjectRow) -> bool {
    matches!(principal, Principal::User(_)) || principal.has_key_of(project.id)
}

/// Which pieces of a job's output are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct After {
    /// The attempt that the piece is of. Of another one, all are news.
    pub attempt: Option<u32>,
    /// The last piece that is known.
    pub piece: Option<u32>,
}

/// What a project's job that is live has printed until now, for those who are shown its output.
///
/// # Errors
/// There is no such job, or the database failed.
pub async fn live(
    app: &App,
    principal: &Principal,
    project: &ProjectRow,
    uuid: JobUuid,
    after: After,
) -> Result<LiveOutput, ViewError> {
    let (job, row) = app.store.job(project, uuid).await?.ok_or(ViewError::Unknown(uuid))?;
    let attempt = job.attempt.unwrap_or_default();
    let last = after.piece.filter(|_| after.attempt.is_none_or(|known| known == attempt));
    let is_shown = job.live.unwrap_or_default() && shows_output(principal, project);
    let pieces = if is_shown { app.store.live_output(row.id, row.attempt, last).await? } else { Vec::new() };
    Ok(LiveOutput { attempt, pieces })
}

/// Cancels a project's job. A runner that has it is told at once. Canceling it again changes nothing.
///
/// # Errors
/// There is no such job, or it is done.
pub async fn cancel(app: &App, principal: &Principal, project: &ProjectRow, uuid: JobUuid) -> Result<Job, CancelError> {
    let who = match principal {
        Principal::User(user) => format!("canceled by user {}", user.uuid),
        Principal::ProjectKey(holder) => format!("canceled with the project key {}", holder.key),
        Principal::Anonymous => "canceled".to_owned(),
    };
    match app.store.cancel_job(project, uuid, &who, app.clock.now()).await? {
        Canceled::From(status) => {
            tracing::info!(job.uuid = %uuid, %status, who, "canceled a job");
            if status.is_in_flight() {
                app.hub.cancel(uuid);
                queue::wake_next(app, uuid).await;
            }
        }
        // Whoever repeats it may not know that the first time was written; nor may the runner.
        Canceled::Already => app.hub.cancel(uuid),
        Canceled::Denied(denied) => return Err(CancelError::Done(denied)),
        Canceled::Unknown => return Err(CancelError::Unknown(uuid)),
    }
    let (job, _) = app.store.job(project, uuid).await?.ok_or(CancelError::Unknown(uuid))?;
    Ok(job)
}

/// Has a project's job that failed tried again. Asking again while it waits changes nothing.
///
/// # Errors
/// There is no such job, or it has not failed.
pub async fn retry(app: &App, project: &ProjectRow, uuid: JobUuid) -> Result<Job, RetryError> {
    match app.store.retry_job(project, uuid, app.clock.now()).await? {
        Retried::Now => {
            tracing::info!(job.uuid = %uuid, "a job is tried again");
            app.hub.wake();
        }
        Retried::Already => {}
        Retried::Denied(denied) => return Err(RetryError::NotFailed(denied)),
        Retried::Unknown => return Err(RetryError::Unknown(uuid)),
    }
    let (job, _) = app.store.job(project, uuid).await?.ok_or(RetryError::Unknown(uuid))?;
    Ok(job)
}

/// Where a pending job stands, and what it waits for in words.
async fn queued(app: &App, job: &Job, row: &JobRow) -> Result<(Queued, String), StoreError> {
    let rules = app.config.rules();
    let waiting = app.store.waiting(row, &rules).await?;
    let now = app.clock.now();
    let source_is_busy = match &row.source {
        Some(source) => app.store.source_is_busy(source).await?,
        None => false,
    };
    let reason = why_it_waits(&waiting, source_is_busy);
    let position = waiting.own.and_then(|(lane, before)| schedule::position(waiting.lanes, lane, before, &rules, now));
    let words = in_words(reason, job.spec.slug.as_str(), waiting.runners.len());
    Ok((Queued { position, waiting: waiting.waiting, reason }, words))
}

/// The first thing that would have to change for the job to be served.
fn why_it_waits(waiting: &Waiting, source_is_busy: bool) -> WaitReason {
    let any = |fits: &dyn Fn(&RunnerOfSpec) -> bool| waiting.runners.iter().any(fits);
    let is_open = |runner: &RunnerOfSpec| runner.has_labels && runner.in_scope && runner.mode == RunnerMode::Active;
    if waiting.runners.is_empty() {
        WaitReason::NoRunner
    } else if !any(&|runner| runner.has_labels) {
        WaitReason::Labels
    } else if !any(&|runner| runner.has_labels && runner.in_scope) {
        WaitReason::Scope
    } else if !any(&is_open) {
        WaitReason::Closed
    } else if !any(&|runner| is_open(runner) && runner.state != RunnerState::Offline) {
        WaitReason::Offline
    } else if waiting.organization.is_full() {
        WaitReason::OrganizationLimit
    } else if waiting.project.is_full() {
        WaitReason::ProjectLimit
    } else if source_is_busy {
        WaitReason::SourceLimit
    } else if any(&|runner| is_open(runner) && runner.state == RunnerState::Idle) {
        WaitReason::Next
    } else {
        WaitReason::Busy
    }
}

/// What a job waits for, with what would help.
fn in_words(reason: WaitReason, spec: &str, runners: usize) -> String {
    let (noun, verb) = if runners == 1 { ("runner", "is") } else { ("runners", "are") };
    match reason {
        WaitReason::NoRunner => format!("no runner serves the spec {spec}; an admin can add it to one"),
        WaitReason::Labels => {
            format!("no runner of the spec {spec} has all labels that the job requires; an admin can give them to one")
        }
        WaitReason::Scope => format!("the runners of the spec {spec} are for other organizations; an admin can change that"),
        WaitReason::Closed => {
            format!("the runners of the spec {spec} are drained, locked or quarantined; an admin can look at them and unlock one")
        }
        WaitReason::Offline => format!("the {runners} {noun} of the spec {spec} {verb} offline"),
        WaitReason::OrganizationLimit => {
            "as many jobs of the organization run as its tier allows; the job is next when one of them ends".to_owned()
        }
        WaitReason::ProjectLimit => {
            "as many jobs of the project run as it may have (`max_jobs`); the job is next when one of them ends".to_owned()
        }
        WaitReason::SourceLimit => {
            "another job from the same address is under way; log in and claim the project to have more at once".to_owned()
        }
        WaitReason::Busy => format!("the {runners} {noun} of the spec {spec} {verb} busy or offline"),
        WaitReason::Next => format!("a runner of the spec {spec} is about to take the job"),
    }
}

#[cfg(test)]
mod tests;
