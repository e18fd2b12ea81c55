//! `POST /v0/run`: results, or a job that is to measure them.

use axum::extract::State;
use bencher_types::wire::{report::Report, run::NewRun};
use http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{AppState, extract::Json, source::Source};
use crate::{
    auth::Principal,
    error::ApiError,
    run::{self, ImageError, JobError, RunError, SpecError},
    store::metric::RecordError,
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(run_create))
}

/// Files results, or a job that is to measure them, under a project.
#[utoipa::path(post, path = "/v0/run", tag = "run", request_body = NewRun, responses((status = 201, body = Report)))]
async fn run_create(
    State(app): State<AppState>,
    principal: Principal,
    source: Source,
    Json(new): Json<NewRun>,
) -> Result<(StatusCode, axum::Json<Report>), ApiError> {
    Ok((StatusCode::CREATED, axum::Json(run::run(&app, &principal, source.known_address(), new).await?)))
}

impl From<RunError> for ApiError {
    fn from(error: RunError) -> Self {
        let detail = error.to_string();
        match error {
            RunError::Access(access) => access.into(),
            RunError::LogIn => Self::unauthorized(detail),
            RunError::NotFound { kind, id } => Self::not_found(kind, id),
            RunError::NoProject
            | RunError::Unsupported(_)
            | RunError::NoResults
            | RunError::Unreadable(_)
            | RunError::Name(_) => Self::bad_request(detail),
            RunError::StartPoint(start_point) => start_point.into(),
            RunError::Threshold(threshold) => threshold.into(),
            RunError::Job(JobError::Spec(SpecError::Store(store))) => store.into(),
            RunError::Job(JobError::Image(image)) => image.into(),
            RunError::Job(_) => Self::bad_request(detail),
            RunError::Creation(creation) => creation.into(),
            RunError::Record(RecordError::SameMeasure { .. }) => Self::bad_request(detail),
            RunError::Record(RecordError::Store(store)) | RunError::Store(store) => store.into(),
        }
    }
}

impl From<ImageError> for ApiError {
    fn from(error: ImageError) -> Self {
        let detail = error.to_string();
        match error {
            ImageError::Store(store) => store.into(),
            ImageError::Signatures(_) => Self::unavailable(detail, &error),
            ImageError::OtherHost { .. }
            | ImageError::Missing { .. }
            | ImageError::Platform { .. }
            | ImageError::Benchmark { .. }
            | ImageError::Incomplete { .. }
            | ImageError::NotSigned(_) => Self::bad_request(detail),
        }
    }
}
