//! `/v0/projects/{project}/branches`: branches, the lines of development that results form histories of.

use axum::extract::State;
use bencher_types::{
    HeadUuid, NameId, Permission, ResourceId,
    wire::dimension::{Branch, NewBranch, UpdateBranch},
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
    auth::{Authenticated, Principal},
    branch::{self, StartPointError},
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
    let created = branch::create(&app, &project, &new).await?;
    Ok((StatusCode::CREATED, axum::Json(created)))
}

/// Which of a branch's heads is shown.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct BranchQuery {
    /// One that the branch has or had; the current one when absent.
    head: Option<HeadUuid>,
}

/// Shows a branch, with its current head or one that was replaced.
#[utoipa::path(get, path = "/v0/projects/{project}/branches/{branch}", tag = "branches", params(("project" = ResourceId, Path), ("branch" = NameId, Path), BranchQuery), responses((status = 200, body = Branch)))]
async fn branch_view(
    State(app): State<AppState>,
    principal: Principal,
    Path((project, id)): Path<(ResourceId, NameId)>,
    Query(query): Query<BranchQuery>,
) -> Result<axum::Json<Branch>, ApiError> {
    let Some(head) = query.head else {
        return dimension::view::<BranchRow>(&app, &principal, &project, &id).await;
    };
    let project = permission::project(&app, &principal, &project, Permission::View).await?;
    let row = dimension::find::<BranchRow>(&app, &project, &id).await?;
    let found = app.store.branch_with_head(&project, row.id, head).await?;
    found.map(axum::Json).ok_or_else(|| ApiError::not_found("Head", head))
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
    Ok(axum::Json(branch::change(&app, &project, row, &update).await?))
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

impl From<StartPointError> for ApiError {
    fn from(error: StartPointError) -> Self {
        let detail = error.to_string();
        match error {
            StartPointError::Branch(id) => Self::not_found("Branch", id),
            StartPointError::Version { .. } | StartPointError::HashAlone(_) => Self::bad_request(detail),
            StartPointError::Store(store) => store.into(),
        }
    }
}
