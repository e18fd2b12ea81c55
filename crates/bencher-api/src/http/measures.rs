//! `/v0/projects/{project}/measures`: measures, what is measured and in which units.

use axum::extract::State;
use bencher_types::{
    NameId, Permission, ResourceId,
    wire::dimension::{Measure, NewMeasure, UpdateMeasure},
};
use http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState, dimension,
    extract::{Json, Path, Query},
    page::{Listing, ProjectListQuery},
};
use crate::{
    auth::{Authenticated, Principal},
    creation,
    error::ApiError,
    permission,
    store::{creation::Kind, measure::MeasureRow},
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(measures_list, measure_create)).routes(routes!(
        measure_view,
        measure_update,
        measure_delete
    ))
}

/// Lists a project's measures.
#[utoipa::path(get, path = "/v0/projects/{project}/measures", tag = "measures", params(("project" = ResourceId, Path), ProjectListQuery), responses((status = 200, body = Vec<Measure>)))]
async fn measures_list(
    State(app): State<AppState>,
    principal: Principal,
    Path(project): Path<ResourceId>,
    Query(query): Query<ProjectListQuery>,
) -> Result<Listing<Measure>, ApiError> {
    dimension::list::<MeasureRow>(&app, &principal, &project, &query).await
}

/// Creates a measure.
#[utoipa::path(post, path = "/v0/projects/{project}/measures", tag = "measures", params(("project" = ResourceId, Path)), request_body = NewMeasure, responses((status = 201, body = Measure)))]
async fn measure_create(
    State(app): State<AppState>,
    caller: Authenticated,
    Path(project): Path<ResourceId>,
    Json(new): Json<NewMeasure>,
) -> Result<(StatusCode, axum::Json<Measure>), ApiError> {
    let project = permission::project(&app, &caller.into(), &project, Permission::Create).await?;
    creation::allow(&app, &project, Kind::Measure).await?;
    let created = app.store.create_measure(&project, &new, app.clock.now()).await?;
    Ok((StatusCode::CREATED, axum::Json(created)))
}

/// Shows a measure.
#[utoipa::path(get, path = "/v0/projects/{project}/measures/{measure}", tag = "measures", params(("project" = ResourceId, Path), ("measure" = NameId, Path)), responses((status = 200, body = Measure)))]
async fn measure_view(
    State(app): State<AppState>,
    principal: Principal,
    Path((project, id)): Path<(ResourceId, NameId)>,
) -> Result<axum::Json<Measure>, ApiError> {
    dimension::view::<MeasureRow>(&app, &principal, &project, &id).await
}

/// Changes a measure.
#[utoipa::path(patch, path = "/v0/projects/{project}/measures/{measure}", tag = "measures", params(("project" = ResourceId, Path), ("measure" = NameId, Path)), request_body = UpdateMeasure, responses((status = 200, body = Measure)))]
async fn measure_update(
    State(app): State<AppState>,
    caller: Authenticated,
    Path((project, id)): Path<(ResourceId, NameId)>,
    Json(update): Json<UpdateMeasure>,
) -> Result<axum::Json<Measure>, ApiError> {
    let (project, row) = dimension::for_change::<MeasureRow>(&app, caller, &project, &id).await?;
    Ok(axum::Json(app.store.update_measure(&project, row.id, &update, app.clock.now()).await?))
}

/// Deletes a measure that no report is filed under.
#[utoipa::path(delete, path = "/v0/projects/{project}/measures/{measure}", tag = "measures", params(("project" = ResourceId, Path), ("measure" = NameId, Path)), responses((status = 204)))]
async fn measure_delete(
    State(app): State<AppState>,
    caller: Authenticated,
    Path((project, id)): Path<(ResourceId, NameId)>,
) -> Result<StatusCode, ApiError> {
    dimension::delete::<MeasureRow>(&app, caller, &project, &id).await
}
