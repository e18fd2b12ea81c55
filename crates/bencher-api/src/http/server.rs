//! What the server says of itself, and what its admin may do to it as a whole.

use axum::{Json, extract::State};
use bencher_types::wire::server::{ApiVersion, Backup, BackupCreated, Console};
use http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{AppState, extract};
use crate::{
    auth::Admin,
    backup::{self, BackupError},
    error::ApiError,
    limits, openapi,
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(root))
        .routes(routes!(version))
        .routes(routes!(openapi_spec))
        .routes(routes!(console))
        .routes(routes!(config))
        .routes(routes!(backup))
}

/// Says that this is the API.
#[utoipa::path(get, path = "/", tag = "server", responses((status = 200, body = String)))]
async fn root() -> &'static str {
    "Bencher API server. The API is described at /v0/server/spec.\n"
}

/// The version of the protocol, and of the product.
#[utoipa::path(get, path = "/v0/server/version", tag = "server", responses((status = 200, body = ApiVersion)))]
async fn version(State(app): State<AppState>) -> Json<ApiVersion> {
    Json(ApiVersion {
        version: app.config.wire_version().to_owned(),
        product_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
    })
}

/// The OpenAPI description of this API.
#[utoipa::path(get, path = "/v0/server/spec", tag = "server", responses((status = 200, body = Object)))]
async fn openapi_spec() -> Json<serde_json::Value> {
    Json(openapi::document())
}

/// Where the console is.
#[utoipa::path(get, path = "/v0/server/config/console", tag = "server", responses((status = 200, body = Console)))]
async fn console(State(app): State<AppState>) -> Json<Console> {
    Json(Console { url: app.config.console.url.clone() })
}

/// The whole configuration with its defaults. Secrets are not shown.
#[utoipa::path(get, path = "/v0/server/config", tag = "server", responses((status = 200, body = Object)))]
async fn config(State(app): State<AppState>, _: Admin) -> Json<serde_json::Value> {
    Json(app.config.shown())
}

/// Copies the database to a file beside it, and to a bucket where that is asked for, while the server goes on.
#[utoipa::path(post, path = "/v0/server/backup", tag = "server", request_body = Backup, responses((status = 201, body = BackupCreated)))]
async fn backup(
    State(app): State<AppState>,
    _: Admin,
    extract::Json(wanted): extract::Json<Backup>,
) -> Result<(StatusCode, Json<BackupCreated>), ApiError> {
    let made = backup::make(&app, &wanted).await?;
    let file = made.file.map(|file| file.to_string_lossy().into_owned());
    Ok((StatusCode::CREATED, Json(BackupCreated { created: made.created, file, object: made.object })))
}

impl From<BackupError> for ApiError {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Postgres { .. } | BackupError::UnderWay => Self::conflict(error.to_string()),
            BackupError::NoDataStore | BackupError::NothingLeft => Self::bad_request(error.to_string()),
            BackupError::Write { .. } | BackupError::Damaged { .. } | BackupError::Send { .. } => {
                Self::unavailable(error.to_string(), &error)
            }
            BackupError::Copy(_) | BackupError::Bucket(_) | BackupError::Panicked => Self::internal(&error),
        }
    }
}

/// The process is up.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// The process can serve: its database answers.
pub(crate) async fn readyz(State(app): State<AppState>) -> Result<&'static str, ApiError> {
    let answered = tokio::time::timeout(limits::READY_TIMEOUT, app.store.server_uuid(app.clock.now())).await;
    answered.map_err(|_| ApiError::overdue("the database does not answer; try again shortly"))??;
    Ok("ready\n")
}
