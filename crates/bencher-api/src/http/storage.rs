//! `/v0/…/registry`: what the registry holds for whom, which images a project keeps, and how the registry as a whole is.

use axum::{Json as Answer, extract::State};
use bencher_types::{
    Permission, ResourceId,
    wire::registry::{
        Collection, DamagedBlob, RegistryUsage, RetentionPreview, RetentionRules, ServerRegistry, UpdateRegistryQuota,
        Verification,
    },
};
use serde::de::DeserializeOwned;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    extract::{Json, Path},
};
use crate::{
    app::App,
    auth::{Admin, Authenticated, Principal, User},
    error::ApiError,
    limits, permission,
    registry::retention,
    store::{
        StoreError,
        oci::{care::Care, quota::Stock},
        organization::OrganizationRow,
        project::ProjectRow,
    },
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(project_registry))
        .routes(routes!(project_registry_quota))
        .routes(routes!(project_retention, project_retention_update))
        .routes(routes!(project_retention_preview))
        .routes(routes!(organization_registry))
        .routes(routes!(organization_registry_quota))
        .routes(routes!(server_registry))
}

/// Shows what the registry holds for a project.
#[utoipa::path(get, path = "/v0/projects/{project}/registry", tag = "images", params(("project" = ResourceId, Path)), responses((status = 200, body = RegistryUsage)))]
async fn project_registry(
    State(app): State<AppState>,
    principal: Principal,
    Path(id): Path<ResourceId>,
) -> Result<Answer<RegistryUsage>, ApiError> {
    let project = permission::project(&app, &principal, &id, Permission::View).await?;
    Ok(Answer(of_project(&app, &project).await?))
}

/// Lets the registry hold so much for a project, or what the server's configuration says.
#[utoipa::path(put, path = "/v0/projects/{project}/registry/quota", tag = "images", params(("project" = ResourceId, Path)), request_body = UpdateRegistryQuota, responses((status = 200, body = RegistryUsage)))]
async fn project_registry_quota(
    State(app): State<AppState>,
    admin: Admin,
    Path(id): Path<ResourceId>,
    Json(update): Json<UpdateRegistryQuota>,
) -> Result<Answer<RegistryUsage>, ApiError> {
    let project = permission::project(&app, &admin.0.into(), &id, Permission::View).await?;
    app.store.set_oci_quota_of_project(project.id, update.bytes).await?;
    tracing::info!(project.uuid = %project.uuid.0, bytes = update.bytes, "an admin set the quota of a project's registry");
    Ok(Answer(of_project(&app, &project).await?))
}

async fn of_project(app: &App, project: &ProjectRow) -> Result<RegistryUsage, StoreError> {
    Ok(usage(app.store.oci_stock_of_project(project.id, &app.config.registry_quotas()).await?))
}

/// Shows what the registry holds for an organization: the sum of its projects.
#[utoipa::path(get, path = "/v0/organizations/{organization}/registry", tag = "images", params(("organization" = ResourceId, Path)), responses((status = 200, body = RegistryUsage)))]
async fn organization_registry(
    State(app): State<AppState>,
    caller: User,
    Path(id): Path<ResourceId>,
) -> Result<Answer<RegistryUsage>, ApiError> {
    let organization = permission::organization(&app, &caller.into(), &id, Permission::View).await?;
    Ok(Answer(of_organization(&app, &organization).await?))
}

/// Lets the registry hold so much for an organization, or what the server's configuration says.
#[utoipa::path(put, path = "/v0/organizations/{organization}/registry/quota", tag = "images", params(("organization" = ResourceId, Path)), request_body = UpdateRegistryQuota, responses((status = 200, body = RegistryUsage)))]
async fn organization_registry_quota(
    State(app): State<AppState>,
    admin: Admin,
    Path(id): Path<ResourceId>,
    Json(update): Json<UpdateRegistryQuota>,
) -> Result<Answer<RegistryUsage>, ApiError> {
    let organization = permission::organization(&app, &admin.0.into(), &id, Permission::View).await?;
    app.store.set_oci_quota_of_organization(organization.id, update.bytes).await?;
    tracing::info!(organization.uuid = %organization.uuid.0, bytes = update.bytes, "an admin set the quota of an organization's registry");
    Ok(Answer(of_organization(&app, &organization).await?))
}

async fn of_organization(app: &App, organization: &OrganizationRow) -> Result<RegistryUsage, StoreError> {
    Ok(usage(app.store.oci_stock_of_organization(organization.id, &app.config.registry_quotas()).await?))
}

fn usage(stock: Stock) -> RegistryUsage {
    RegistryUsage { blobs: stock.blobs, bytes: stock.bytes, quota: stock.quota }
}

/// Shows which images a project keeps.
#[utoipa::path(get, path = "/v0/projects/{project}/registry/retention", tag = "images", params(("project" = ResourceId, Path)), responses((status = 200, body = RetentionRules)))]
async fn project_retention(
    State(app): State<AppState>,
    principal: Principal,
    Path(id): Path<ResourceId>,
) -> Result<Answer<RetentionRules>, ApiError> {
    let project = permission::project(&app, &principal, &id, Permission::View).await?;
    Ok(Answer(retention::view(&app, &project).await?))
}

/// Sets which images a project keeps. An empty body lets everything stay.
#[utoipa::path(put, path = "/v0/projects/{project}/registry/retention", tag = "images", params(("project" = ResourceId, Path)), request_body = RetentionRules, responses((status = 200, body = RetentionRules)))]
async fn project_retention_update(
    State(app): State<AppState>,
    caller: User,
    Path(id): Path<ResourceId>,
    Json(rules): Json<RetentionRules>,
) -> Result<Answer<RetentionRules>, ApiError> {
    let project = permission::project(&app, &caller.clone().into(), &id, Permission::Manage).await?;
    retention::set(&app, &project, rules).await?;
    tracing::info!(project.uuid = %project.uuid.0, user.uuid = %caller.uuid, ?rules, "the images that a project keeps were changed");
    Ok(Answer(retention::view(&app, &project).await?))
}

/// Tells what rules would take from a project now, and changes nothing.
#[utoipa::path(post, path = "/v0/projects/{project}/registry/retention/preview", tag = "images", params(("project" = ResourceId, Path)), request_body = RetentionRules, responses((status = 200, body = RetentionPreview)))]
async fn project_retention_preview(
    State(app): State<AppState>,
    caller: Authenticated,
    Path(id): Path<ResourceId>,
    Json(rules): Json<RetentionRules>,
) -> Result<Answer<RetentionPreview>, ApiError> {
    let project = permission::project(&app, &caller.into(), &id, Permission::Edit).await?;
    Ok(Answer(retention::preview(&app, &project, rules).await?))
}

/// Shows an admin of the server how the registry is: what it holds, what is damaged, and what came of looking after it.
#[utoipa::path(get, path = "/v0/server/registry", tag = "server", responses((status = 200, body = ServerRegistry)))]
async fn server_registry(State(app): State<AppState>, _: Admin) -> Result<Answer<ServerRegistry>, ApiError> {
    let all = app.store.all_oci_blobs().await?;
    let mut quarantined = Vec::new();
    for row in app.store.quarantined_oci_blobs(limits::QUARANTINED_SHOWN).await? {
        let (digest, size) = (row.digest.0, u64::try_from(row.size).unwrap_or(0));
        let Some(since) = row.quarantined.map(|since| since.0) else { continue };
        let repositories = app.store.holders_of_oci_blob(&digest, limits::QUARANTINED_SHOWN).await?;
        quarantined.push(DamagedBlob { digest, size, since, damage: None, repositories });
    }
    let verifications =
        [outcome::<Verification>(&app, Care::Verification).await?, outcome::<Verification>(&app, Care::FullVerification).await?];
    let verification = verifications.into_iter().flatten().max_by_key(|verification| verification.ended);
    Ok(Answer(ServerRegistry {
        blobs: all.blobs,
        bytes: all.bytes,
        quarantined,
        collection: outcome::<Collection>(&app, Care::Collection).await?,
        verification,
    }))
}

/// What came of some work last. What another version of the server wrote, and this one does not know, is nothing.
async fn outcome<T: DeserializeOwned>(app: &App, care: Care) -> Result<Option<T>, StoreError> {
    let row = app.store.oci_care(care).await?;
    Ok(row.and_then(|row| row.outcome).and_then(|text| serde_json::from_str(&text).ok()))
}
