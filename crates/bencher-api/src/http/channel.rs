//! `GET /v0/runners/{runner}/channel`: a runner connects.

use axum::{
    extract::{State, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    response::Response,
};
use bencher_types::{ResourceId, RunnerKey};

use super::{AppState, extract::Bearer, extract::Path, visit::Visit};
use crate::{channel::socket, error::ApiError, limits, store::queue::RunnerAuthRow};

/// Opens the runner channel (WebSocket).
#[utoipa::path(
    get,
    path = "/v0/runners/{runner}/channel",
    tag = "runners",
    params(("runner" = ResourceId, Path)),
    responses((status = 101, description = "The connection is a WebSocket from here on"))
)]
pub(crate) async fn channel(
    State(app): State<AppState>,
    Path(runner): Path<ResourceId>,
    bearer: Bearer,
    visit: Visit,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let runner = authenticate(&app, &runner, &bearer).await?;
    visit.runner(runner.uuid.0)?;
    let upgrade = upgrade.map_err(|rejection| {
        ApiError::bad_request(format!("expected a WebSocket (`runner up` opens one): {}", rejection.body_text()))
    })?;
    let key = bearer.0.parse::<RunnerKey>().map_err(|error| ApiError::unauthorized(error.to_string()))?.hash();
    let limit = app.config.server.request_body_max_bytes;
    let upgrade = upgrade.max_message_size(limit).max_frame_size(limit);
    let upgrade = upgrade.read_buffer_size(limits::CHANNEL_BUFFER_BYTES).write_buffer_size(limits::CHANNEL_BUFFER_BYTES);
    Ok(upgrade.on_upgrade(move |websocket| socket::serve(app, runner, key, websocket)))
}

/// The runner that the path names, if the key is its own.
pub(crate) async fn authenticate(app: &AppState, named: &ResourceId, bearer: &Bearer) -> Result<RunnerAuthRow, ApiError> {
    let key: RunnerKey =
        bearer.0.parse().map_err(|error: bencher_types::InvalidKey| ApiError::unauthorized(error.to_string()))?;
    let refused = || ApiError::unauthorized("this key belongs to no runner of this name: it may have been replaced");
    let runner = app.store.runner_by_key(&key.hash()).await?.ok_or_else(refused)?;
    let is_named = match named {
        ResourceId::Uuid(uuid) => runner.uuid.0.as_uuid() == *uuid,
        ResourceId::Slug(slug) => runner.slug == slug.as_str(),
    };
    if !is_named {
        return Err(refused());
    }
    if runner.archived.is_some() {
        return Err(ApiError::unauthorized("this runner is archived: unarchive it, or create a new one"));
    }
    Ok(runner)
}
