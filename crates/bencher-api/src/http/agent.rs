//! The runner channel for agents that cannot hold a WebSocket: asking for a job, and one message about it per request.

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use bencher_types::{
    JobUuid, ResourceId,
    wire::channel::{ClaimedJob, FromRunner, JobPoll, ToRunner},
};
use http::StatusCode;

use super::{
    AppState,
    channel::authenticate,
    extract::{Bearer, Json, Path},
    visit::Visit,
};
use crate::{
    channel::{
        act::ActError,
        agent::{self, Polled},
        hub::CloseReason,
    },
    error::ApiError,
};

/// Waits for a job, for runners without a channel (long poll).
///
/// A job that the runner held before is given up by this.
#[utoipa::path(
    post,
    path = "/v0/runners/{runner}/jobs",
    tag = "runners",
    params(("runner" = ResourceId, Path)),
    request_body = JobPoll,
    responses((status = 200, body = ClaimedJob), (status = 204, description = "There was no job within the poll's time"))
)]
pub(crate) async fn job_poll(
    State(app): State<AppState>,
    Path(runner): Path<ResourceId>,
    bearer: Bearer,
    visit: Visit,
    Json(poll): Json<JobPoll>,
) -> Result<Response, ApiError> {
    let runner = authenticate(&app, &runner, &bearer).await?;
    visit.runner(runner.uuid.0)?;
    match agent::poll(app, runner, poll).await? {
        Polled::Job(job) => Ok(axum::Json(*job).into_response()),
        Polled::Nothing => Ok(StatusCode::NO_CONTENT.into_response()),
        Polled::Ended(CloseReason::KeyChanged) => Err(ApiError::unauthorized("the key is no longer valid")),
        Polled::Ended(CloseReason::Replaced) => Err(ApiError::conflict("the runner asked again, or connected, meanwhile")),
        Polled::Ended(CloseReason::ShuttingDown) => Err(ApiError::overdue("the server is shutting down; ask again")),
    }
}

/// Takes a message about a job, for runners without a channel.
///
/// The answer is `cancel` where the job is to be stopped, else `ack`.
#[utoipa::path(
    post,
    path = "/v0/runners/{runner}/jobs/{job}/channel",
    tag = "runners",
    params(("runner" = ResourceId, Path), ("job" = JobUuid, Path)),
    request_body = FromRunner,
    responses((status = 200, body = ToRunner))
)]
pub(crate) async fn job_message(
    State(app): State<AppState>,
    Path((runner, job)): Path<(ResourceId, JobUuid)>,
    bearer: Bearer,
    Json(message): Json<FromRunner>,
) -> Result<axum::Json<ToRunner>, ApiError> {
    let runner = authenticate(&app, &runner, &bearer).await?;
    let message = about(job, message)?;
    Ok(axum::Json(agent::say(&app, &runner, job, message).await?))
}

/// The message as one about the job that the path names.
fn about(path: JobUuid, mut message: FromRunner) -> Result<FromRunner, ApiError> {
    let named = match &mut message {
        FromRunner::Ready { .. } => {
            return Err(ApiError::bad_request("`ready` is about no job; ask for one by POST /v0/runners/{runner}/jobs"));
        }
        FromRunner::Running { job } | FromRunner::Heartbeat { job } => *job.get_or_insert(path),
        FromRunner::Output { job, .. }
        | FromRunner::Completed { job, .. }
        | FromRunner::Failed { job, .. }
        | FromRunner::Canceled { job, .. } => *job,
    };
    if named != path {
        return Err(ApiError::bad_request(format!("the message is about the job {named}, the path about {path}")));
    }
    Ok(message)
}

impl From<ActError> for ApiError {
    fn from(error: ActError) -> Self {
        match error {
            ActError::Finish(_) => Self::unavailable(error.to_string(), &error),
            ActError::Store(store) => store.into(),
        }
    }
}
