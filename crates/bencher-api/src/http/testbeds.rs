//! `/v0/projects/{project}/testbeds`: testbeds, the places where results were measured.

use axum::extract::State;
use bencher_types::{
    NameId, Permission, ResourceId, SpecUuid,
    wire::dimension::{NewTestbed, Testbed, UpdateTestbed},
};
use http::StatusCode;
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState, dimension,
    extract::{Json, Path, Query},
    page::{Listing, ProjectListQuery},
};
use crate::{
    app::App,
    auth::{Authenticated, Principal},
    creation,
    error::ApiError,
    permission,
    store::{creation::Kind, testbed::TestbedRow},
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(testbeds_list, testbed_create)).routes(routes!(
        testbed_view,
        testbed_update,
        testbed_delete
    ))
}

/// Lists a project's testbeds.
#[utoipa::path(get, path = "/v0/projects/{project}/testbeds", tag = "testbeds", params(("project" = ResourceId, Path), ProjectListQuery), responses((status = 200, body = Vec<Testbed>)))]
async fn testbeds_list(
    State(app): State<AppState>,
    principal: Principal,
    Path(project): Path<ResourceId>,
    Query(query): Query<ProjectListQuery>,
) -> Result<Listing<Testbed>, ApiError> {
    dimension::list::<TestbedRow>(&app, &principal, &project, &query).await
}

/// Creates a testbed.
#[utoipa::path(post, path = "/v0/projects/{project}/testbeds", tag = "testbeds", params(("project" = ResourceId, Path)), request_body = NewTestbed, responses((status = 201, body = Testbed)))]
async fn testbed_create(
    State(app): State<AppState>,
    caller: Authenticated,
    Path(project): Path<ResourceId>,
    Json(new): Json<NewTestbed>,
) -> Result<(StatusCode, axum::Json<Testbed>), ApiError> {
    let project = permission::project(&app, &caller.into(), &project, Permission::Create).await?;
    creation::allow(&app, &project, Kind::Testbed).await?;
    let spec = match &new.spec {
        Some(id) => Some(usable_spec(&app, id).await?),
        None => None,
    };
    let created = app.store.create_testbed(&project, &new, spec, app.clock.now()).await?;
    Ok((StatusCode::CREATED, axum::Json(created)))
}

/// What of a testbed is shown.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct TestbedQuery {
    /// The testbed as it was with this spec, instead of its current one.
    spec: Option<SpecUuid>,
}

/// Shows a testbed.
#[utoipa::path(get, path = "/v0/projects/{project}/testbeds/{testbed}", tag = "testbeds", params(("project" = ResourceId, Path), ("testbed" = NameId, Path), TestbedQuery), responses((status = 200, body = Testbed)))]
async fn testbed_view(
    State(app): State<AppState>,
    principal: Principal,
    Path((project, id)): Path<(ResourceId, NameId)>,
    Query(query): Query<TestbedQuery>,
) -> Result<axum::Json<Testbed>, ApiError> {
    let project = permission::project(&app, &principal, &project, Permission::View).await?;
    let mut testbed: TestbedRow = dimension::find(&app, &project, &id).await?;
    if let Some(spec) = query.spec {
        let measured = app.store.spec_of_testbed(testbed.id, spec).await?;
        testbed.spec_id = Some(measured.ok_or_else(|| ApiError::not_found("Spec", spec))?);
    }
    Ok(axum::Json(app.store.show_dimension(&project, testbed).await?))
}

/// Changes a testbed.
#[utoipa::path(patch, path = "/v0/projects/{project}/testbeds/{testbed}", tag = "testbeds", params(("project" = ResourceId, Path), ("testbed" = NameId, Path)), request_body = UpdateTestbed, responses((status = 200, body = Testbed)))]
async fn testbed_update(
    State(app): State<AppState>,
    caller: Authenticated,
    Path((project, id)): Path<(ResourceId, NameId)>,
    Json(update): Json<UpdateTestbed>,
) -> Result<axum::Json<Testbed>, ApiError> {
    let (project, row) = dimension::for_change::<TestbedRow>(&app, caller, &project, &id).await?;
    let spec = match &update.spec {
        Some(Some(id)) => Some(Some(usable_spec(&app, id).await?)),
        Some(None) => Some(None),
        None => None,
    };
    Ok(axum::Json(app.store.update_testbed(&project, row.id, &update, spec, app.clock.now()).await?))
}

/// Deletes a testbed that no report is filed under.
#[utoipa::path(delete, path = "/v0/projects/{project}/testbeds/{testbed}", tag = "testbeds", params(("project" = ResourceId, Path), ("testbed" = NameId, Path)), responses((status = 204)))]
async fn testbed_delete(
    State(app): State<AppState>,
    caller: Authenticated,
    Path((project, id)): Path<(ResourceId, NameId)>,
) -> Result<StatusCode, ApiError> {
    dimension::delete::<TestbedRow>(&app, caller, &project, &id).await
}

/// The row of a spec that results may be measured on from now on.
async fn usable_spec(app: &App, id: &ResourceId) -> Result<i64, ApiError> {
    let spec = app.store.spec(id).await?.ok_or_else(|| ApiError::not_found("Spec", id))?;
    if spec.archived.is_some() {
        return Err(ApiError::conflict(format!("the spec {} is archived; choose another", spec.slug.0)));
    }
    Ok(spec.id)
}
