//! `/v0/runners`: the benchmark machines and the specs they serve. Admins only.

use axum::extract::State;
use bencher_types::{
    ResourceId, RunnerKey,
    wire::{
        run::MAX_LABELS,
        runner::{NewRunner, NewRunnerSpec, Runner, RunnerKeyCreated, UpdateRunner},
        spec::Spec,
    },
};
use http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    extract::{Json, Path, Query},
    page::{Listing, ServerListQuery},
};
use crate::{
    app::App,
    auth::Admin,
    error::ApiError,
    limits::MAX_MODE_REASON_CHARS,
    store::{StoreError, runner::RunnerRow},
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(runners_list, runner_create))
        .routes(routes!(runner_view, runner_update))
        .routes(routes!(runner_key))
        .routes(routes!(runner_token))
        .routes(routes!(runner_specs_list, runner_spec_add))
        .routes(routes!(runner_spec_remove))
}

/// Lists runners.
#[utoipa::path(get, path = "/v0/runners", tag = "runners", params(ServerListQuery), responses((status = 200, body = Vec<Runner>)))]
async fn runners_list(
    State(app): State<AppState>,
    _: Admin,
    Query(query): Query<ServerListQuery>,
) -> Result<Listing<Runner>, ApiError> {
    Ok(Listing::of(app.store.runners(query.archived.unwrap_or(false), &query.by()).await?))
}

/// Registers a runner. Its key is shown this once.
#[utoipa::path(post, path = "/v0/runners", tag = "runners", request_body = NewRunner, responses((status = 201, body = RunnerKeyCreated)))]
async fn runner_create(
    State(app): State<AppState>,
    _: Admin,
    Json(new): Json<NewRunner>,
) -> Result<(StatusCode, axum::Json<RunnerKeyCreated>), ApiError> {
    let key = RunnerKey::generate();
    let uuid = app.store.create_runner(&new, &key.hash(), app.clock.now()).await?;
    Ok((StatusCode::CREATED, axum::Json(RunnerKeyCreated { uuid, key })))
}

/// Shows a runner.
#[utoipa::path(get, path = "/v0/runners/{runner}", tag = "runners", params(("runner" = ResourceId, Path)), responses((status = 200, body = Runner)))]
async fn runner_view(State(app): State<AppState>, _: Admin, Path(id): Path<ResourceId>) -> Result<axum::Json<Runner>, ApiError> {
    let runner = find(&app, &id).await?;
    Ok(axum::Json(app.store.show_runner(runner).await?))
}

/// Changes a runner. An archived runner gets no more jobs, and its connection ends; one that is not `active` finishes the job it has.
#[utoipa::path(patch, path = "/v0/runners/{runner}", tag = "runners", params(("runner" = ResourceId, Path)), request_body = UpdateRunner, responses((status = 200, body = Runner)))]
async fn runner_update(
    State(app): State<AppState>,
    _: Admin,
    Path(id): Path<ResourceId>,
    Json(update): Json<UpdateRunner>,
) -> Result<axum::Json<Runner>, ApiError> {
    let runner = find(&app, &id).await?;
    check(&update)?;
    let mut organizations = Vec::new();
    for id in update.organizations.iter().flatten() {
        let found = app.store.organization(id, None).await?;
        organizations.push(found.ok_or_else(|| ApiError::not_found("Organization", id))?.id);
    }
    let organizations = update.organizations.is_some().then_some(organizations.as_slice());
    let runner = app.store.update_runner(runner.id, &update, organizations, app.clock.now()).await?;
    if let Some(mode) = update.mode {
        tracing::info!(runner.uuid = %runner.uuid.0, %mode, "an admin set the mode of a runner");
    }
    // There may be a job for it now, or one that was left to it for another.
    app.hub.wake();
    if runner.archived.is_some() {
        app.hub.close_runner(runner.uuid.0);
    }
    Ok(axum::Json(app.store.show_runner(runner).await?))
}

/// Replaces a runner's key. The old one is void at once, and the runner's connection ends.
#[utoipa::path(post, path = "/v0/runners/{runner}/key", tag = "runners", params(("runner" = ResourceId, Path)), responses((status = 201, body = RunnerKeyCreated)))]
async fn runner_key(
    State(app): State<AppState>,
    _: Admin,
    Path(id): Path<ResourceId>,
) -> Result<(StatusCode, axum::Json<RunnerKeyCreated>), ApiError> {
    replace_key(&app, &id).await
}

/// The older name of replacing a runner's key.
#[utoipa::path(post, path = "/v0/runners/{runner}/token", tag = "runners", params(("runner" = ResourceId, Path)), responses((status = 201, body = RunnerKeyCreated)))]
async fn runner_token(
    State(app): State<AppState>,
    _: Admin,
    Path(id): Path<ResourceId>,
) -> Result<(StatusCode, axum::Json<RunnerKeyCreated>), ApiError> {
    replace_key(&app, &id).await
}

/// Lists the specs that a runner serves.
#[utoipa::path(get, path = "/v0/runners/{runner}/specs", tag = "runners", params(("runner" = ResourceId, Path)), responses((status = 200, body = Vec<Spec>)))]
async fn runner_specs_list(
    State(app): State<AppState>,
    _: Admin,
    Path(id): Path<ResourceId>,
) -> Result<axum::Json<Vec<Spec>>, ApiError> {
    let runner = find(&app, &id).await?;
    Ok(axum::Json(app.store.runner_specs(runner.id).await?))
}

/// Makes a runner serve a spec.
#[utoipa::path(post, path = "/v0/runners/{runner}/specs", tag = "runners", params(("runner" = ResourceId, Path)), request_body = NewRunnerSpec, responses((status = 201, body = Spec)))]
async fn runner_spec_add(
    State(app): State<AppState>,
    _: Admin,
    Path(id): Path<ResourceId>,
    Json(new): Json<NewRunnerSpec>,
) -> Result<(StatusCode, axum::Json<Spec>), ApiError> {
    let runner = find(&app, &id).await?;
    let spec = app.store.spec(&new.spec).await?.ok_or_else(|| ApiError::not_found("Spec", &new.spec))?;
    if spec.archived.is_some() {
        return Err(ApiError::conflict(format!("the spec {} is archived; take it out of the archive first", spec.slug.0)));
    }
    match app.store.add_runner_spec(runner.id, spec.id).await {
        Ok(()) => app.hub.wake(),
        Err(StoreError::Unique { .. }) => {
            return Err(ApiError::conflict(format!("the runner {} serves the spec {} already", runner.slug.0, spec.slug.0)));
        }
        Err(error) => return Err(error.into()),
    }
    Ok((StatusCode::CREATED, axum::Json(spec.try_into()?)))
}

/// Makes a runner serve a spec no longer. A job it has already goes on.
#[utoipa::path(delete, path = "/v0/runners/{runner}/specs/{spec}", tag = "runners", params(("runner" = ResourceId, Path), ("spec" = ResourceId, Path)), responses((status = 204)))]
async fn runner_spec_remove(
    State(app): State<AppState>,
    _: Admin,
    Path((id, spec_id)): Path<(ResourceId, ResourceId)>,
) -> Result<StatusCode, ApiError> {
    let runner = find(&app, &id).await?;
    let spec = app.store.spec(&spec_id).await?.ok_or_else(|| ApiError::not_found("Spec", &spec_id))?;
    if app.store.remove_runner_spec(runner.id, spec.id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::not_found("Spec", format!("{spec_id}, which is not one of the runner's,")))
    }
}

/// What can be said of a change without looking anything up.
fn check(update: &UpdateRunner) -> Result<(), ApiError> {
    if update.reason.is_some() && update.mode.is_none() {
        return Err(ApiError::bad_request("a `reason` says why the `mode` changes: name one, or leave the reason out"));
    }
    if update.reason.as_ref().is_some_and(|reason| reason.chars().count() > MAX_MODE_REASON_CHARS) {
        return Err(ApiError::bad_request(format!(
            "the `reason` is too long: at most {MAX_MODE_REASON_CHARS} characters are kept"
        )));
    }
    match update.labels.as_ref().map_or(0, Vec::len) {
        found if found > MAX_LABELS => {
            Err(ApiError::bad_request(format!("the runner is given {found} labels: at most {MAX_LABELS} are allowed")))
        }
        _ => Ok(()),
    }
}

async fn replace_key(app: &App, id: &ResourceId) -> Result<(StatusCode, axum::Json<RunnerKeyCreated>), ApiError> {
    let runner = find(app, id).await?;
    let key = RunnerKey::generate();
    if !app.store.replace_runner_key(runner.id, &key.hash(), app.clock.now()).await? {
        return Err(ApiError::conflict(format!("the runner {} is archived; take it out of the archive first", runner.slug.0)));
    }
    app.hub.close_runner(runner.uuid.0);
    Ok((StatusCode::CREATED, axum::Json(RunnerKeyCreated { uuid: runner.uuid.0, key })))
}

async fn find(app: &App, id: &ResourceId) -> Result<RunnerRow, ApiError> {
    app.store.runner(id).await?.ok_or_else(|| ApiError::not_found("Runner", id))
}
