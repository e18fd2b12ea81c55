//! `/v0/projects`: everyone sees public projects, members see their private ones.

use axum::extract::State;
use bencher_types::{
    Permission, ResourceId,
    wire::project::{Project, UpdateProject},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    extract::{Json, Path, Query},
    page::{Listing, NamesQuery},
};
use crate::{
    auth::{Principal, User},
    error::ApiError,
    permission,
    store::project::VisibleTo,
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(projects_list)).routes(routes!(project_view, project_update))
}

/// Lists public projects, and those of the caller's organizations.
#[utoipa::path(get, path = "/v0/projects", tag = "projects", params(NamesQuery), responses((status = 200, body = Vec<Project>)))]
async fn projects_list(
    State(app): State<AppState>,
    principal: Principal,
    Query(query): Query<NamesQuery>,
) -> Result<Listing<Project>, ApiError> {
    let visible = match &principal {
        Principal::Anonymous => VisibleTo::Everyone,
        Principal::User(user) if user.admin => VisibleTo::Admin,
        Principal::User(user) => VisibleTo::Member(user.id),
        Principal::ProjectKey(holder) => VisibleTo::KeyOf(holder.project_id),
    };
    Ok(Listing::of(app.store.projects(None, visible, &query.by()).await?))
}

/// Shows a project.
#[utoipa::path(get, path = "/v0/projects/{project}", tag = "projects", params(("project" = ResourceId, Path)), responses((status = 200, body = Project)))]
async fn project_view(
    State(app): State<AppState>,
    principal: Principal,
    Path(id): Path<ResourceId>,
) -> Result<axum::Json<Project>, ApiError> {
    Ok(axum::Json(permission::project(&app, &principal, &id, Permission::View).await?.into()))
}

/// Changes a project.
#[utoipa::path(patch, path = "/v0/projects/{project}", tag = "projects", params(("project" = ResourceId, Path)), request_body = UpdateProject, responses((status = 200, body = Project)))]
async fn project_update(
    State(app): State<AppState>,
    caller: User,
    Path(id): Path<ResourceId>,
    Json(update): Json<UpdateProject>,
) -> Result<axum::Json<Project>, ApiError> {
    let project = permission::project(&app, &caller.into(), &id, Permission::Edit).await?;
    Ok(axum::Json(app.store.update_project(project.id, &update, app.clock.now()).await?.into()))
}
