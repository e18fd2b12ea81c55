//! `/v0/projects/{project}/thresholds`: what metrics are checked against.

use axum::extract::State;
use bencher_types::{
    ModelUuid, NameId, Permission, ResourceId, ThresholdUuid,
    wire::threshold::{NewThreshold, Threshold, UpdateThreshold},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    extract::{Json, Path, Query},
    page::{Direction, Listing, Page},
};
use crate::{
    auth::{Authenticated, Principal},
    creation,
    error::ApiError,
    permission,
    store::{creation::Kind, threshold::ThresholdFilter},
    threshold::{self, ThresholdError},
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(thresholds_list, threshold_create)).routes(routes!(
        threshold_view,
        threshold_update,
        threshold_delete
    ))
}

/// What thresholds are sorted by.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProjThresholdsSort)]
pub(crate) enum ThresholdSort {
    #[default]
    Created,
    Modified,
}

#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ThresholdsQuery {
    sort: Option<ThresholdSort>,
    direction: Option<Direction>,
    /// Items on a page, at most 255; 8 when absent.
    per_page: Option<u8>,
    /// Counts from 1.
    page: Option<u32>,
    /// Name, slug or UUID.
    #[param(value_type = Option<String>)]
    branch: Option<NameId>,
    /// Name, slug or UUID.
    #[param(value_type = Option<String>)]
    testbed: Option<NameId>,
    /// Name, slug or UUID.
    #[param(value_type = Option<String>)]
    measure: Option<NameId>,
    /// `true` shows those of archived branches, testbeds and measures only.
    archived: Option<bool>,
}

/// Lists a project's thresholds.
#[utoipa::path(get, path = "/v0/projects/{project}/thresholds", tag = "thresholds", params(("project" = ResourceId, Path), ThresholdsQuery), responses((status = 200, body = Vec<Threshold>)))]
async fn thresholds_list(
    State(app): State<AppState>,
    principal: Principal,
    Path(project): Path<ResourceId>,
    Query(query): Query<ThresholdsQuery>,
) -> Result<Listing<Threshold>, ApiError> {
    let project = permission::project(&app, &principal, &project, Permission::View).await?;
    let column = match query.sort.unwrap_or_default() {
        ThresholdSort::Created => "created",
        ThresholdSort::Modified => "modified",
    };
    let page = Page::new(query.per_page, query.page);
    let order = (column, query.direction.unwrap_or(Direction::Asc));
    let filter = ThresholdFilter {
        branch: query.branch,
        testbed: query.testbed,
        measure: query.measure,
        archived: query.archived.unwrap_or(false),
    };
    Ok(Listing::of(app.store.thresholds(&project, &filter, order, page).await?))
}

/// Creates a threshold: one for each branch, testbed and measure.
#[utoipa::path(post, path = "/v0/projects/{project}/thresholds", tag = "thresholds", params(("project" = ResourceId, Path)), request_body = NewThreshold, responses((status = 201, body = Threshold)))]
async fn threshold_create(
    State(app): State<AppState>,
    caller: Authenticated,
    Path(project): Path<ResourceId>,
    Json(new): Json<NewThreshold>,
) -> Result<(StatusCode, axum::Json<Threshold>), ApiError> {
    let project = permission::project(&app, &caller.into(), &project, Permission::Create).await?;
    creation::allow(&app, &project, Kind::Threshold).await?;
    Ok((StatusCode::CREATED, axum::Json(threshold::create(&app, &project, &new).await?)))
}

/// Which of a threshold's models is shown.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ThresholdQuery {
    /// One that the threshold has or had; the current one when absent.
    model: Option<ModelUuid>,
}

/// Shows a threshold, with its current model or one that was replaced.
#[utoipa::path(get, path = "/v0/projects/{project}/thresholds/{threshold}", tag = "thresholds", params(("project" = ResourceId, Path), ("threshold" = ThresholdUuid, Path), ThresholdQuery), responses((status = 200, body = Threshold)))]
async fn threshold_view(
    State(app): State<AppState>,
    principal: Principal,
    Path((project, id)): Path<(ResourceId, ThresholdUuid)>,
    Query(query): Query<ThresholdQuery>,
) -> Result<axum::Json<Threshold>, ApiError> {
    let project = permission::project(&app, &principal, &project, Permission::View).await?;
    let found = app.store.threshold(&project, id, query.model).await?;
    found.map(axum::Json).ok_or_else(|| match query.model {
        Some(model) => ApiError::not_found("Model", format!("{model} of the threshold {id}")),
        None => ApiError::not_found("Threshold", id),
    })
}

/// Gives a threshold another model, or none where `test` is `null`. The one it had is kept.
#[utoipa::path(put, path = "/v0/projects/{project}/thresholds/{threshold}", tag = "thresholds", params(("project" = ResourceId, Path), ("threshold" = ThresholdUuid, Path)), request_body = UpdateThreshold, responses((status = 200, body = Threshold)))]
async fn threshold_update(
    State(app): State<AppState>,
    caller: Authenticated,
    Path((project, id)): Path<(ResourceId, ThresholdUuid)>,
    Json(update): Json<UpdateThreshold>,
) -> Result<axum::Json<Threshold>, ApiError> {
    let project = permission::project(&app, &caller.into(), &project, Permission::Edit).await?;
    let changed = threshold::change(&app, &project, id, &update).await?;
    changed.map(axum::Json).ok_or_else(|| ApiError::not_found("Threshold", id))
}

/// Deletes a threshold with its models and the alerts it raised. The metrics it checked stay, without limits.
#[utoipa::path(delete, path = "/v0/projects/{project}/thresholds/{threshold}", tag = "thresholds", params(("project" = ResourceId, Path), ("threshold" = ThresholdUuid, Path)), responses((status = 204)))]
async fn threshold_delete(
    State(app): State<AppState>,
    caller: Authenticated,
    Path((project, id)): Path<(ResourceId, ThresholdUuid)>,
) -> Result<StatusCode, ApiError> {
    let project = permission::project(&app, &caller.into(), &project, Permission::Delete).await?;
    if app.store.delete_threshold(&project, id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::not_found("Threshold", id))
    }
}

impl From<ThresholdError> for ApiError {
    fn from(error: ThresholdError) -> Self {
        let detail = error.to_string();
        match error {
            ThresholdError::NotFound { kind, id } => Self::not_found(kind, id),
            ThresholdError::Exists(_) => Self::conflict(detail),
            ThresholdError::Model(_) | ThresholdError::ModelOf { .. } | ThresholdError::Twice(_) | ThresholdError::Name(_) => {
                Self::bad_request(detail)
            }
            ThresholdError::Store(store) => store.into(),
        }
    }
}
