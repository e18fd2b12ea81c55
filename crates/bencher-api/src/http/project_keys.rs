//! `/v0/projects/{project}/keys`: keys of projects. Members see their records; only leaders make and revoke them.

use axum::extract::State;
use bencher_types::{
    Permission, ProjectKeyUuid, ResourceId,
    wire::key::{NewProjectKey, ProjectKeyCreated, ProjectKeyInfo, UpdateProjectKey},
};
use http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    extract::{Json, Path, Query},
    page::{KeysQuery, Listing},
};
use crate::{
    account,
    app::App,
    auth::User,
    error::ApiError,
    permission,
    store::{project::ProjectRow, project_key::ProjectKeyRow},
};

/// Who looks at the records of keys. On a public project too these are not everybody's to see.
const LOOK: Permission = Permission::ViewRole;
/// Who makes, renames and revokes keys: a key works on when whoever made it has left.
const CHANGE: Permission = Permission::Manage;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(project_keys_list, project_key_create)).routes(routes!(
        project_key_view,
        project_key_update,
        project_key_revoke
    ))
}

/// Lists a project's keys.
#[utoipa::path(get, path = "/v0/projects/{project}/keys", tag = "projects", params(("project" = ResourceId, Path), KeysQuery), responses((status = 200, body = Vec<ProjectKeyInfo>)))]
async fn project_keys_list(
    State(app): State<AppState>,
    caller: User,
    Path(project): Path<ResourceId>,
    Query(query): Query<KeysQuery>,
) -> Result<Listing<ProjectKeyInfo>, ApiError> {
    let project = permission::project(&app, &caller.into(), &project, LOOK).await?;
    Ok(Listing::of(app.store.credentials::<ProjectKeyRow>(project.id, query.revoked.unwrap_or(false), &query.by()).await?))
}

/// Makes a key. It is shown this once.
#[utoipa::path(post, path = "/v0/projects/{project}/keys", tag = "projects", params(("project" = ResourceId, Path)), request_body = NewProjectKey, responses((status = 201, body = ProjectKeyCreated)))]
async fn project_key_create(
    State(app): State<AppState>,
    caller: User,
    Path(project): Path<ResourceId>,
    Json(new): Json<NewProjectKey>,
) -> Result<(StatusCode, axum::Json<ProjectKeyCreated>), ApiError> {
    let project = permission::project(&app, &caller.clone().into(), &project, CHANGE).await?;
    Ok((StatusCode::CREATED, axum::Json(account::create_project_key(&app, &caller, &project, new).await?)))
}

/// Shows a key's record, without the key.
#[utoipa::path(get, path = "/v0/projects/{project}/keys/{key}", tag = "projects", params(("project" = ResourceId, Path), ("key" = ProjectKeyUuid, Path)), responses((status = 200, body = ProjectKeyInfo)))]
async fn project_key_view(
    State(app): State<AppState>,
    caller: User,
    Path((project, key)): Path<(ResourceId, ProjectKeyUuid)>,
) -> Result<axum::Json<ProjectKeyInfo>, ApiError> {
    let project = permission::project(&app, &caller.into(), &project, LOOK).await?;
    Ok(axum::Json(view(&app, &project, key).await?))
}

/// Renames a key.
#[utoipa::path(patch, path = "/v0/projects/{project}/keys/{key}", tag = "projects", params(("project" = ResourceId, Path), ("key" = ProjectKeyUuid, Path)), request_body = UpdateProjectKey, responses((status = 200, body = ProjectKeyInfo)))]
async fn project_key_update(
    State(app): State<AppState>,
    caller: User,
    Path((project, key)): Path<(ResourceId, ProjectKeyUuid)>,
    Json(update): Json<UpdateProjectKey>,
) -> Result<axum::Json<ProjectKeyInfo>, ApiError> {
    let project = permission::project(&app, &caller.into(), &project, CHANGE).await?;
    if let Some(name) = &update.name {
        app.store.rename_credential::<ProjectKeyRow>(project.id, key, name).await?;
    }
    Ok(axum::Json(view(&app, &project, key).await?))
}

/// Revokes a key for good. Its record stays.
#[utoipa::path(delete, path = "/v0/projects/{project}/keys/{key}", tag = "projects", params(("project" = ResourceId, Path), ("key" = ProjectKeyUuid, Path)), responses((status = 204)))]
async fn project_key_revoke(
    State(app): State<AppState>,
    caller: User,
    Path((project, key)): Path<(ResourceId, ProjectKeyUuid)>,
) -> Result<StatusCode, ApiError> {
    let project = permission::project(&app, &caller.into(), &project, CHANGE).await?;
    let found = app.store.revoke_credential::<ProjectKeyRow>(project.id, key, app.clock.now()).await?;
    if found { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::not_found("Project key", key)) }
}

async fn view(app: &App, project: &ProjectRow, key: ProjectKeyUuid) -> Result<ProjectKeyInfo, ApiError> {
    let row = app.store.credential::<ProjectKeyRow>(project.id, key).await?;
    row.map(ProjectKeyInfo::from).ok_or_else(|| ApiError::not_found("Project key", key))
}
