//! What the server says of itself.

use axum::{Json, extract::State};
use bencher_types::wire::server::{ApiVersion, Console};

use super::AppState;
use crate::{error::ApiError, openapi};

/// Says that this is the API.
#[utoipa::path(get, path = "/", tag = "server", responses((status = 200, body = String)))]
pub(crate) async fn root() -> &'static str {
    "Bencher API server. The API is described at /v0/server/spec.\n"
}

/// The version of the protocol, and of the product.
#[utoipa::path(get, path = "/v0/server/version", tag = "server", responses((status = 200, body = ApiVersion)))]
pub(crate) async fn version(State(app): State<AppState>) -> Json<ApiVersion> {
    Json(ApiVersion {
        version: app.config.wire_version().to_owned(),
        product_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
    })
}

/// The OpenAPI description of this API.
#[utoipa::path(get, path = "/v0/server/spec", tag = "server", responses((status = 200, body = Object)))]
pub(crate) async fn openapi_spec() -> Json<utoipa::openapi::OpenApi> {
    Json(openapi::document())
}

/// Where the console is.
#[utoipa::path(get, path = "/v0/server/config/console", tag = "server", responses((status = 200, body = Console)))]
pub(crate) async fn console(State(app): State<AppState>) -> Json<Console> {
    Json(Console { url: app.config.console.url.clone() })
}

/// The process is up.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// The process can serve: its database answers.
pub(crate) async fn readyz(State(app): State<AppState>) -> Result<&'static str, ApiError> {
    app.store.server_uuid(app.clock.now()).await?;
    Ok("ready\n")
}
