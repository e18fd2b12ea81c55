//! `/v0/projects/{project}/branches`: branches, the lines of development that results form histories of.

use axum::extract::State;
use bencher_types::{
    NameId, Permission, ResourceId,
    wire::{
        dimension::{Branch, NewBranch, UpdateBranch},
        run::UpdateStartPoint,
    },
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
    store::{branch::BranchRow, creation::Kind},
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(branches_list, branch_create)).routes(routes!(branch_view, branch_update, branch_delete))
}

/// Lists a project's branches.
#[utoipa::path(get, path = "/v0/projects/{project}/branches", tag = "branches", params(("project" = ResourceId, Path), ProjectListQuery), responses((status = 200, body = Vec<Branch>)))]
async fn branches_list(
    State(app): State<AppState>,
    principal: Principal,
    Path(project): Path<ResourceId>,
    Query(query): Query<ProjectListQuery>,
) -> Result<Listing<Branch>, ApiError> {
    dimension::list::<BranchRow>(&app, &principal, &project, &query).await
}

/// Creates a branch.
#[utoipa::path(post, path = "/v0/projects/{project}/branches", tag = "branches", params(("project" = ResourceId, Path)), request_body = NewBranch, responses((status = 201, body = Branch)))]
async fn branch_create(
    State(app): State<AppState>,
    caller: Authenticated,
    Path(project): Path<ResourceId>,
    Json(new): Json<NewBranch>,
) -> Result<(StatusCode, axum::Json<Branch>), ApiError> {
    let project = permission::project(&app, &caller.into(), &project, Permission::Create).await?;
    creation::allow(&app, &project, Kind::Branch).await?;
    refuse_start_point(new.start_point.as_ref())?;
    let created = app.store.create_branch(&project, &new, app.clock.now()).await?;
    Ok((StatusCode::CREATED, axum::Json(created)))
}

/// Shows a branch.
#[utoipa::path(get, path = "/v0/projects/{project}/branches/{branch}", tag = "branches", params(("project" = ResourceId, Path), ("branch" = NameId, Path)), responses((status = 200, body = Branch)))]
async fn branch_view(
    State(app): State<AppState>,
    principal: Principal,
    Path((project, id)): Path<(ResourceId, NameId)>,
) -> Result<axum::Json<Branch>, ApiError> {
    dimension::view::<BranchRow>(&app, &principal, &project, &id).await
}

/// Changes a branch.
#[utoipa::path(patch, path = "/v0/projects/{project}/branches/{branch}", tag = "branches", params(("project" = ResourceId, Path), ("branch" = NameId, Path)), request_body = UpdateBranch, responses((status = 200, body = Branch)))]
async fn branch_update(
    State(app): State<AppState>,
    caller: Authenticated,
    Path((project, id)): Path<(ResourceId, NameId)>,
    Json(update): Json<UpdateBranch>,
) -> Result<axum::Json<Branch>, ApiError> {
    let (project, row) = dimension::for_change::<BranchRow>(&app, caller, &project, &id).await?;
    refuse_start_point(update.start_point.as_ref())?;
    Ok(axum::Json(app.store.update_branch(&project, row.id, &update, app.clock.now()).await?))
}

/// Deletes a branch that no report is filed under.
#[utoipa::path(delete, path = "/v0/projects/{project}/branches/{branch}", tag = "branches", params(("project" = ResourceId, Path), ("branch" = NameId, Path)), responses((status = 204)))]
async fn branch_delete(
    State(app): State<AppState>,
    caller: Authenticated,
    Path((project, id)): Path<(ResourceId, NameId)>,
) -> Result<StatusCode, ApiError> {
    dimension::delete::<BranchRow>(&app, caller, &project, &id).await
}

/// Clients send a start point without anything in it where they have none.
fn refuse_start_point(start_point: Option<&UpdateStartPoint>) -> Result<(), ApiError> {
    match start_point {
        Some(start) if start.branch.is_some() || start.hash.is_some() || start.reset == Some(true) => {
            Err(ApiError::bad_request("a branch cannot have a start point on this server yet; leave it out"))
        }
        _ => Ok(()),
    }
}
