//! `/v0/projects`: everyone sees public projects, members see their private ones.

use axum::extract::State;
use bencher_types::{
    Permission, ResourceId,
    wire::{
        organization::Allowed,
        project::{Project, UpdateProject},
    },
};
use http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    deletion::{DeleteQuery, presence},
    extract::{Json, Path, Query},
    organizations::allowed,
    page::{DeletableQuery, Listing},
};
use crate::{
    auth::{Admin, Principal, User},
    deletion::{self, Kind},
    error::ApiError,
    permission::{self, AccessError},
    store::project::VisibleTo,
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(projects_list))
        .routes(routes!(project_view, project_update, project_delete))
        .routes(routes!(project_restore))
        .routes(routes!(project_allowed))
}

/// Lists public projects, and those of the caller's organizations.
#[utoipa::path(get, path = "/v0/projects", tag = "projects", params(DeletableQuery), responses((status = 200, body = Vec<Project>)))]
async fn projects_list(
    State(app): State<AppState>,
    principal: Principal,
    Query(query): Query<DeletableQuery>,
) -> Result<Listing<Project>, ApiError> {
    let visible = match &principal {
        Principal::Anonymous => VisibleTo::Everyone,
        Principal::User(user) if user.admin => VisibleTo::Admin,
        Principal::User(user) => VisibleTo::Member(user.id),
        Principal::ProjectKey(holder) => VisibleTo::KeyOf(holder.project_id),
    };
    let presence = presence(&principal, query.deleted)?;
    Ok(Listing::of(app.store.projects(None, visible, presence, &query.by()).await?))
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
    let bounds = update.max_jobs.is_some() || update.max_timeout.is_some();
    let permission = if bounds { Permission::Manage } else { Permission::Edit };
    let project = permission::project(&app, &caller.into(), &id, permission).await?;
    if update.max_jobs == Some(Some(0)) {
        return Err(ApiError::bad_request("`max_jobs` is 0: expected a number above 0, or null for no bound"));
    }
    let row = app.store.update_project(project.id, &update, app.clock.now()).await?;
    if update.max_jobs.is_some() {
        app.hub.wake();
    }
    Ok(axum::Json(row.into()))
}

/// Deletes a project and everything in it. An admin of the server can bring it back, unless it is removed for good.
#[utoipa::path(delete, path = "/v0/projects/{project}", tag = "projects", params(("project" = ResourceId, Path), DeleteQuery), responses((status = 204)))]
async fn project_delete(
    State(app): State<AppState>,
    caller: User,
    Path(id): Path<ResourceId>,
    Query(query): Query<DeleteQuery>,
) -> Result<StatusCode, ApiError> {
    match permission::project(&app, &caller.clone().into(), &id, Permission::Delete).await {
        Ok(project) => deletion::delete_project(&app, &caller, &project, query.kind()).await?,
        Err(error) => {
            let deleted = caller.admin && query.kind() == Kind::Hard && matches!(error, AccessError::NotFound { .. });
            if !deleted || !deletion::purge_deleted_project(&app, &id).await? {
                return Err(error.into());
            }
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Brings a deleted project back.
#[utoipa::path(post, path = "/v0/projects/{project}/restore", tag = "projects", params(("project" = ResourceId, Path)), responses((status = 201, body = Project)))]
async fn project_restore(
    State(app): State<AppState>,
    _: Admin,
    Path(id): Path<ResourceId>,
) -> Result<(StatusCode, axum::Json<Project>), ApiError> {
    deletion::restore_project(&app, &id).await?;
    let row = app.store.project(&id, None).await?.ok_or_else(|| ApiError::not_found("Project", &id))?;
    Ok((StatusCode::CREATED, axum::Json(row.into())))
}

/// Tells whether the caller may do something to a project.
#[utoipa::path(get, path = "/v0/projects/{project}/allowed/{permission}", tag = "projects", params(("project" = ResourceId, Path), ("permission" = Permission, Path)), responses((status = 200, body = Allowed)))]
async fn project_allowed(
    State(app): State<AppState>,
    caller: User,
    Path((id, permission)): Path<(ResourceId, Permission)>,
) -> Result<axum::Json<Allowed>, ApiError> {
    allowed(permission::project(&app, &caller.into(), &id, permission).await)
}
