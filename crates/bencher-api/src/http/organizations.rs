//! `/v0/organizations`: who owns projects.

use axum::extract::State;
use bencher_types::{
    Permission, ResourceId,
    wire::{
        organization::{Allowed, NewClaim, NewOrganization, Organization, UpdateOrganization},
        project::{NewProject, Project},
    },
};
use http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    deletion::{DeleteQuery, presence},
    extract::{Json, Path, Query},
    page::{DeletableQuery, Listing, NamesQuery},
};
use crate::{
    auth::{Admin, User},
    claim::{self, ClaimError},
    deletion::{self, Kind},
    error::ApiError,
    permission::{self, AccessError},
    store::{Presence, project::VisibleTo},
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(organizations_list, organization_create))
        .routes(routes!(organization_view, organization_update, organization_delete))
        .routes(routes!(organization_restore))
        .routes(routes!(organization_allowed))
        .routes(routes!(organization_projects_list, organization_project_create))
        .routes(routes!(organization_claim))
}

/// Lists the organizations that the caller is a member of; an admin sees all.
#[utoipa::path(get, path = "/v0/organizations", tag = "organizations", params(DeletableQuery), responses((status = 200, body = Vec<Organization>)))]
async fn organizations_list(
    State(app): State<AppState>,
    caller: User,
    Query(query): Query<DeletableQuery>,
) -> Result<Listing<Organization>, ApiError> {
    let member = (!caller.admin).then_some(caller.id);
    let presence = presence(&caller.into(), query.deleted)?;
    Ok(Listing::of(app.store.organizations(member, presence, &query.by()).await?))
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

/// Changes an organization. Its tier is for admins of the server to set.
#[utoipa::path(patch, path = "/v0/organizations/{organization}", tag = "organizations", params(("organization" = ResourceId, Path)), request_body = UpdateOrganization, responses((status = 200, body = Organization)))]
async fn organization_update(
    State(app): State<AppState>,
    caller: User,
    Path(id): Path<ResourceId>,
    Json(update): Json<UpdateOrganization>,
) -> Result<axum::Json<Organization>, ApiError> {
    let is_admin = caller.admin;
    let organization = permission::organization(&app, &caller.into(), &id, Permission::Edit).await?;
    if update.tier.is_some() && !is_admin {
        return Err(ApiError::forbidden("only an admin of this server sets the tier of an organization"));
    }
    if update.tier.is_some() {
        tracing::info!(organization.uuid = %organization.uuid.0, tier = ?update.tier, "an admin set the tier of an organization");
    }
    Ok(axum::Json(app.store.update_organization(organization.id, &update, app.clock.now()).await?.into()))
}

/// Deletes an organization and everything in it. An admin of the server can bring it back, unless it is removed for good.
#[utoipa::path(delete, path = "/v0/organizations/{organization}", tag = "organizations", params(("organization" = ResourceId, Path), DeleteQuery), responses((status = 204)))]
async fn organization_delete(
    State(app): State<AppState>,
    caller: User,
    Path(id): Path<ResourceId>,
    Query(query): Query<DeleteQuery>,
) -> Result<StatusCode, ApiError> {
    match permission::organization(&app, &caller.clone().into(), &id, Permission::Delete).await {
        Ok(organization) => deletion::delete_organization(&app, &caller, &organization, query.kind()).await?,
        Err(error) => {
            let deleted = caller.admin && query.kind() == Kind::Hard && matches!(error, AccessError::NotFound { .. });
            if !deleted || !deletion::purge_deleted_organization(&app, &id).await? {
                return Err(error.into());
            }
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Brings a deleted organization back, with the projects that were deleted with it.
#[utoipa::path(post, path = "/v0/organizations/{organization}/restore", tag = "organizations", params(("organization" = ResourceId, Path)), responses((status = 201, body = Organization)))]
async fn organization_restore(
    State(app): State<AppState>,
    _: Admin,
    Path(id): Path<ResourceId>,
) -> Result<(StatusCode, axum::Json<Organization>), ApiError> {
    deletion::restore_organization(&app, &id).await?;
    let row = app.store.organization(&id, None).await?.ok_or_else(|| ApiError::not_found("Organization", &id))?;
    Ok((StatusCode::CREATED, axum::Json(row.into())))
}

/// Tells whether the caller may do something to an organization.
#[utoipa::path(get, path = "/v0/organizations/{organization}/allowed/{permission}", tag = "organizations", params(("organization" = ResourceId, Path), ("permission" = Permission, Path)), responses((status = 200, body = Allowed)))]
async fn organization_allowed(
    State(app): State<AppState>,
    caller: User,
    Path((id, permission)): Path<(ResourceId, Permission)>,
) -> Result<axum::Json<Allowed>, ApiError> {
    allowed(permission::organization(&app, &caller.into(), &id, permission).await)
}

/// What access that was tried says of the permission. Who may not know of the thing does not learn more.
pub(super) fn allowed<T>(access: Result<T, AccessError>) -> Result<axum::Json<Allowed>, ApiError> {
    match access {
        Ok(_) => Ok(axum::Json(Allowed { allowed: true })),
        Err(AccessError::Denied { .. } | AccessError::LogIn | AccessError::OtherProject | AccessError::Unclaimed) => {
            Ok(axum::Json(Allowed { allowed: false }))
        }
        Err(error @ (AccessError::NotFound { .. } | AccessError::Store(_))) => Err(error.into()),
    }
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
    Ok(Listing::of(app.store.projects(Some(organization.id), visible, Presence::Present, &query.by()).await?))
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
