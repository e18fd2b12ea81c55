//! `/v0/projects/{project}/jobs`: looking at jobs, canceling them, having them tried again. A run makes one.

use axum::extract::State;
use bencher_types::{
    JobStatus, JobUuid, Permission, ResourceId,
    wire::{job::Job, live::LiveOutput},
};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    extract::{Path, Query},
    page::{Direction, Listing, Page},
};
use crate::{
    auth::{Authenticated, Principal},
    error::ApiError,
    job::{self, After, CancelError, RetryError, ViewError},
    permission,
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(jobs_list))
        .routes(routes!(job_view))
        .routes(routes!(job_live))
        .routes(routes!(job_cancel))
        .routes(routes!(job_retry))
}

/// What jobs are sorted by.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProjJobsSort)]
pub(crate) enum JobSort {
    Created,
}

#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct JobsQuery {
    #[expect(dead_code, reason = "there is one order; the parameter is only checked")]
    sort: Option<JobSort>,
    /// Newest first when absent.
    direction: Option<Direction>,
    /// Items on a page, at most 255; 8 when absent.
    per_page: Option<u8>,
    /// Counts from 1.
    page: Option<u32>,
    status: Option<JobStatus>,
}

/// Lists jobs, newest first.
#[utoipa::path(get, path = "/v0/projects/{project}/jobs", tag = "jobs", params(("project" = ResourceId, Path), JobsQuery), responses((status = 200, body = Vec<Job>)))]
async fn jobs_list(
    State(app): State<AppState>,
    principal: Principal,
    Path(project): Path<ResourceId>,
    Query(query): Query<JobsQuery>,
) -> Result<Listing<Job>, ApiError> {
    let project = permission::project(&app, &principal, &project, Permission::View).await?;
    let direction = query.direction.unwrap_or(Direction::Desc);
    let page = Page::new(query.per_page, query.page);
    Ok(Listing::of(app.store.jobs(&project, query.status, direction, page).await?))
}

/// Shows a job; its output only to users, and only once it has run.
#[utoipa::path(get, path = "/v0/projects/{project}/jobs/{job}", tag = "jobs", params(("project" = ResourceId, Path), ("job" = JobUuid, Path)), responses((status = 200, body = Job)))]
async fn job_view(
    State(app): State<AppState>,
    principal: Principal,
    Path((project, uuid)): Path<(ResourceId, JobUuid)>,
) -> Result<axum::Json<Job>, ApiError> {
    let project = permission::project(&app, &principal, &project, Permission::View).await?;
    Ok(axum::Json(job::view(&app, &principal, &project, uuid).await?))
}

#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LiveQuery {
    /// The attempt that `after` is of.
    attempt: Option<u32>,
    /// The number of the last piece that is known; all are given when absent, or when there is another attempt by now.
    after: Option<u32>,
}

/// Shows what a job that is live has printed while it runs; only to those who may see its output.
#[utoipa::path(get, path = "/v0/projects/{project}/jobs/{job}/live", tag = "jobs", params(("project" = ResourceId, Path), ("job" = JobUuid, Path), LiveQuery), responses((status = 200, body = LiveOutput)))]
async fn job_live(
    State(app): State<AppState>,
    principal: Principal,
    Path((project, uuid)): Path<(ResourceId, JobUuid)>,
    Query(query): Query<LiveQuery>,
) -> Result<axum::Json<LiveOutput>, ApiError> {
    let project = permission::project(&app, &principal, &project, Permission::View).await?;
    let after = After { attempt: query.attempt, piece: query.after };
    Ok(axum::Json(job::live(&app, &principal, &project, uuid, after).await?))
}

/// Cancels a job that is not done yet. Canceling it again changes nothing.
#[utoipa::path(post, path = "/v0/projects/{project}/jobs/{job}/cancel", tag = "jobs", params(("project" = ResourceId, Path), ("job" = JobUuid, Path)), responses((status = 200, body = Job)))]
async fn job_cancel(
    State(app): State<AppState>,
    caller: Authenticated,
    Path((project, uuid)): Path<(ResourceId, JobUuid)>,
) -> Result<axum::Json<Job>, ApiError> {
    let principal = Principal::from(caller);
    let project = permission::project(&app, &principal, &project, Permission::Edit).await?;
    Ok(axum::Json(job::cancel(&app, &principal, &project, uuid).await?))
}

/// Has a job that failed tried again, behind the jobs that wait. Asking again while it waits changes nothing.
#[utoipa::path(post, path = "/v0/projects/{project}/jobs/{job}/retry", tag = "jobs", params(("project" = ResourceId, Path), ("job" = JobUuid, Path)), responses((status = 200, body = Job)))]
async fn job_retry(
    State(app): State<AppState>,
    caller: Authenticated,
    Path((project, uuid)): Path<(ResourceId, JobUuid)>,
) -> Result<axum::Json<Job>, ApiError> {
    let project = permission::project(&app, &Principal::from(caller), &project, Permission::Edit).await?;
    Ok(axum::Json(job::retry(&app, &project, uuid).await?))
}

impl From<RetryError> for ApiError {
    fn from(error: RetryError) -> Self {
        match error {
            RetryError::Unknown(job) => Self::not_found("Job", job),
            RetryError::NotFailed(_) => Self::conflict(error.to_string()),
            RetryError::Store(store) => store.into(),
        }
    }
}

impl From<ViewError> for ApiError {
    fn from(error: ViewError) -> Self {
        match error {
            ViewError::Unknown(job) => Self::not_found("Job", job),
            ViewError::Output(_) => Self::internal(&error),
            ViewError::Store(store) => store.into(),
        }
    }
}

impl From<CancelError> for ApiError {
    fn from(error: CancelError) -> Self {
        match error {
            CancelError::Unknown(job) => Self::not_found("Job", job),
            CancelError::Done(_) => Self::conflict(error.to_string()),
            CancelError::Store(store) => store.into(),
        }
    }
}
