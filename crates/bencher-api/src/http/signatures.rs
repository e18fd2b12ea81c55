//! `/v0/projects/{project}/registry/signing` and `…/signatures`: whose signatures a project's jobs need, and what is attached to an image.

use axum::{Json as Answer, extract::State};
use bencher_types::{
    ImageRef, Permission, ResourceId,
    wire::signature::{ImageSignatures, SigningPolicy, UpdateSigningPolicy},
};
use http::StatusCode;
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    extract::{Json, Path, Query},
};
use crate::{
    auth::{Principal, User},
    error::ApiError,
    permission,
    registry::signing::{self, PolicyError},
    run::{self, ImageError},
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(project_signing, project_signing_update, project_signing_remove))
        .routes(routes!(project_signatures))
}

/// Shows whose signatures a project's jobs need.
#[utoipa::path(get, path = "/v0/projects/{project}/registry/signing", tag = "images", params(("project" = ResourceId, Path)), responses((status = 200, body = SigningPolicy)))]
async fn project_signing(
    State(app): State<AppState>,
    principal: Principal,
    Path(id): Path<ResourceId>,
) -> Result<Answer<SigningPolicy>, ApiError> {
    let project = permission::project(&app, &principal, &id, Permission::View).await?;
    Ok(Answer(signing::view(&app, &project).await?))
}

/// Lets a project's jobs run only images that one of these keys signed.
#[utoipa::path(put, path = "/v0/projects/{project}/registry/signing", tag = "images", params(("project" = ResourceId, Path)), request_body = UpdateSigningPolicy, responses((status = 200, body = SigningPolicy)))]
async fn project_signing_update(
    State(app): State<AppState>,
    caller: User,
    Path(id): Path<ResourceId>,
    Json(update): Json<UpdateSigningPolicy>,
) -> Result<Answer<SigningPolicy>, ApiError> {
    let project = permission::project(&app, &caller.clone().into(), &id, Permission::Manage).await?;
    signing::set(&app, &project, &update).await?;
    let policy = signing::view(&app, &project).await?;
    let keys: Vec<String> = policy.keys.iter().map(|key| key.fingerprint.to_string()).collect();
    tracing::info!(
        project.uuid = %project.uuid.0, user.uuid = %caller.uuid, policy.required, ?keys,
        "whose signatures a project's jobs need was changed"
    );
    Ok(Answer(policy))
}

/// Lets a project's jobs run any image again.
#[utoipa::path(delete, path = "/v0/projects/{project}/registry/signing", tag = "images", params(("project" = ResourceId, Path)), responses((status = 204)))]
async fn project_signing_remove(
    State(app): State<AppState>,
    caller: User,
    Path(id): Path<ResourceId>,
) -> Result<StatusCode, ApiError> {
    let project = permission::project(&app, &caller.clone().into(), &id, Permission::Manage).await?;
    signing::remove(&app, &project).await?;
    tracing::info!(project.uuid = %project.uuid.0, user.uuid = %caller.uuid, "a project's jobs run images without signatures again");
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SignaturesQuery {
    /// The image, such as `shop:v1`, `shop/http:v1` or `shop@sha256:…`.
    #[param(value_type = String)]
    image: ImageRef,
}

/// Lists what is attached to an image, by whom it is signed, and whether jobs run it.
#[utoipa::path(get, path = "/v0/projects/{project}/registry/signatures", tag = "images", params(("project" = ResourceId, Path), SignaturesQuery), responses((status = 200, body = ImageSignatures)))]
async fn project_signatures(
    State(app): State<AppState>,
    principal: Principal,
    Path(id): Path<ResourceId>,
    Query(query): Query<SignaturesQuery>,
) -> Result<Answer<ImageSignatures>, ApiError> {
    let project = permission::project(&app, &principal, &id, Permission::View).await?;
    match run::image_signatures(&app, &project, &query.image).await {
        Ok(found) => Ok(Answer(found)),
        Err(error @ ImageError::Missing { .. }) => Err(ApiError::missing(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

impl From<PolicyError> for ApiError {
    fn from(error: PolicyError) -> Self {
        match error {
            PolicyError::Store(store) => store.into(),
            PolicyError::NoKeys | PolicyError::TooManyKeys { .. } | PolicyError::Key { .. } | PolicyError::Twice(_) => {
                Self::bad_request(error.to_string())
            }
        }
    }
}
