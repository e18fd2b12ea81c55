//! `/v0/specs`: the shapes of machine that jobs ask for. Admins only.

use axum::extract::State;
use bencher_types::{
    ResourceId,
    wire::spec::{NewSpec, Spec, UpdateSpec},
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
    store::{StoreError, spec::SpecRow},
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(specs_list, spec_create)).routes(routes!(spec_view, spec_update, spec_delete))
}

/// Lists specs.
#[utoipa::path(get, path = "/v0/specs", tag = "specs", params(ServerListQuery), responses((status = 200, body = Vec<Spec>)))]
async fn specs_list(
    State(app): State<AppState>,
    _: Admin,
    Query(query): Query<ServerListQuery>,
) -> Result<Listing<Spec>, ApiError> {
    Ok(Listing::of(app.store.specs(query.archived.unwrap_or(false), &query.by()).await?))
}

/// Creates a spec.
#[utoipa::path(post, path = "/v0/specs", tag = "specs", request_body = NewSpec, responses((status = 201, body = Spec)))]
async fn spec_create(
    State(app): State<AppState>,
    _: Admin,
    Json(new): Json<NewSpec>,
) -> Result<(StatusCode, axum::Json<Spec>), ApiError> {
    let spec = app.store.create_spec(&new, app.clock.now()).await?;
    Ok((StatusCode::CREATED, axum::Json(spec)))
}

/// Shows a spec.
#[utoipa::path(get, path = "/v0/specs/{spec}", tag = "specs", params(("spec" = ResourceId, Path)), responses((status = 200, body = Spec)))]
async fn spec_view(State(app): State<AppState>, _: Admin, Path(id): Path<ResourceId>) -> Result<axum::Json<Spec>, ApiError> {
    Ok(axum::Json(find(&app, &id).await?.try_into()?))
}

/// Changes a spec. The hardware stays as it is: results were measured on it.
#[utoipa::path(patch, path = "/v0/specs/{spec}", tag = "specs", params(("spec" = ResourceId, Path)), request_body = UpdateSpec, responses((status = 200, body = Spec)))]
async fn spec_update(
    State(app): State<AppState>,
    _: Admin,
    Path(id): Path<ResourceId>,
    Json(update): Json<UpdateSpec>,
) -> Result<axum::Json<Spec>, ApiError> {
    let spec = find(&app, &id).await?;
    let archived = update.archived.unwrap_or(spec.archived.is_some());
    if archived && update.fallback == Some(true) {
        return Err(ApiError::bad_request("an archived spec cannot be the fallback; take it out of the archive first"));
    }
    Ok(axum::Json(app.store.update_spec(spec.id, &update, app.clock.now()).await?))
}

/// Deletes a spec that nothing refers to.
#[utoipa::path(delete, path = "/v0/specs/{spec}", tag = "specs", params(("spec" = ResourceId, Path)), responses((status = 204)))]
async fn spec_delete(State(app): State<AppState>, _: Admin, Path(id): Path<ResourceId>) -> Result<StatusCode, ApiError> {
    let spec = find(&app, &id).await?;
    match app.store.delete_spec(spec.id).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(StoreError::ForeignKey) => Err(ApiError::conflict(format!(
            "runners, jobs or testbeds refer to the spec {}; take it from them, or archive it instead",
            spec.slug.0
        ))),
        Err(error) => Err(error.into()),
    }
}

async fn find(app: &App, id: &ResourceId) -> Result<SpecRow, ApiError> {
    app.store.spec(id).await?.ok_or_else(|| ApiError::not_found("Spec", id))
}
