//! `/v0/organizations`: who owns projects.

use axum::extract::State;
use bencher_types::{
    Permission, ResourceId,
    wire::{
        organization::{NewClaim, NewOrganization, Organization, UpdateOrganization},
        project::{NewProject, Project},
    },
};
use http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    extract::{Json, Path, Query},
    page::{Listing, NamesQuery},
};
use crate::{
    auth::User,
    claim::{self, ClaimError},
    error::ApiError,
    permission,
    store::project::VisibleTo,
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(organizations_list, organization_create))
        .routes(routes!(organization_view, organization_update))
        .routes(routes!(organization_projects_list, organization_project_create))
        .routes(routes!(organization_claim))
}

/// Lists the organizations that the caller is a member of; an admin sees all.
#[utoipa::path(get, path = "/v0/organizations", tag = "organizations", params(NamesQuery), responses((status = 200, body = Vec<Organization>)))]
async fn organizations_list(
    State(app): State<AppState>,
    caller: User,
    Query(query): Query<NamesQuery>,
) -> Result<Listing<Organization>, ApiError> {
    let member = (!caller.admin).then_some(caller.id);
    Ok(Listing::of(app.store.organizations(member, &query.by()).await?))
}

/// Creates an organization, whose leader the caller is.
#[utoipa::path(post, path = "/v0/organizations", tag = "organizations", request_body = NewOrganization, responses((status = 201, body = Organization)))]
async fn organization_create(
    State(app): State<AppState>,
    caller: User,
    Json(new): Json<NewOrganization>,
) -> Result<(StatusCode, axum::Json<Organization>), ApiError> {
    let row = app.store.create_organization(caller.id, &new, app.clock.now()).await?;
    Ok((StatusCode::CREATED, axum::Json(row.into())))
}

/// Shows an organization to its members.
#[utoipa::path(get, path = "/v0/organizations/{organization}", tag = "organizations", params(("organization" = ResourceId, Path)), responses((status = 200, body = Organization)))]
async fn organization_view(
    State(app): State<AppState>,
    caller: User,
    Path(id): Path<ResourceId>,
) -> Result<axum::Json<Organization>, ApiError> {
    Ok(axum::Json(permission::organization(&app, &caller.into(), &id, Permission::View).await?.into()))
}

/// Changes an organization.
#[utoipa::path(patch, path = "/v0/organizations/{organization}", tag = "organizations", params(("organization" = ResourceId, Path)), request_body = UpdateOrganization, responses((status = 200, body = Organization)))]
async fn organization_update(
    State(app): State<AppState>,
    caller: User,
    Path(id): Path<ResourceId>,
    Json(update): Json<UpdateOrganization>,
) -> Result<axum::Json<Organization>, ApiError> {
    let organization = permission::organization(&app, &caller.into(), &id, Permission::Edit).await?;
    Ok(axum::Json(app.store.update_organization(organization.id, &update, app.clock.now()).await?.into()))
}

/// Lists an organization's projects.
#[utoipa::path(get, path = "/v0/organizations/{organization}/projects", tag = "organizations", params(("organization" = ResourceId, Path), NamesQuery), responses((status = 200, body = Vec<Project>)))]
async fn organization_projects_list(
    State(app): State<AppState>,
    caller: User,
    Path(id): Path<ResourceId>,
    Query(query): Query<NamesQuery>,
) -> Result<Listing<Project>, ApiError> {
    let visible = if caller.admin { VisibleTo::Admin } else { VisibleTo::Member(caller.id) };
    let organization = permission::organization(&app, &caller.into(), &id, Permission::View).await?;
    Ok(Listing::of(app.store.projects(Some(organization.id), visible, &query.by()).await?))
}

/// Creates a project.
#[utoipa::path(post, path = "/v0/organizations/{organization}/projects", tag = "organizations", params(("organization" = ResourceId, Path)), request_body = NewProject, responses((status = 201, body = Project)))]
async fn organization_project_create(
    State(app): State<AppState>,
    caller: User,
    Path(id): Path<ResourceId>,
    Json(new): Json<NewProject>,
) -> Result<(StatusCode, axum::Json<Project>), ApiError> {
    let organization = permission::organization(&app, &caller.into(), &id, Permission::Create).await?;
    let row = app.store.create_project(organization.id, &new, app.clock.now()).await?;
    Ok((StatusCode::CREATED, axum::Json(row.into())))
}

/// Claims an organization that came about without a log-in. The caller is its leader then.
#[utoipa::path(post, path = "/v0/organizations/{organization}/claim", tag = "organizations", params(("organization" = ResourceId, Path)), request_body = NewClaim, responses((status = 201, body = Organization)))]
async fn organization_claim(
    State(app): State<AppState>,
    caller: User,
    Path(id): Path<ResourceId>,
    Json(_claim): Json<NewClaim>,
) -> Result<(StatusCode, axum::Json<Organization>), ApiError> {
    Ok((StatusCode::CREATED, axum::Json(claim::claim(&app, &caller, &id).await?.into())))
}

impl From<ClaimError> for ApiError {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::NotFound(id) => Self::not_found("Organization", id),
            ClaimError::Claimed => Self::conflict(error.to_string()),
            ClaimError::Store(store) => store.into(),
        }
    }
}
