//! `/v0/projects/{project}/metrics`: single measured values.

use axum::extract::State;
use bencher_types::{MetricUuid, Permission, ResourceId, wire::report::OneMetric};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{AppState, extract::Path};
use crate::{auth::Principal, error::ApiError, permission};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(metric_view))
}

/// Shows a metric with everything it is filed under.
#[utoipa::path(get, path = "/v0/projects/{project}/metrics/{metric}", tag = "metrics", params(("project" = ResourceId, Path), ("metric" = MetricUuid, Path)), responses((status = 200, body = OneMetric)))]
async fn metric_view(
    State(app): State<AppState>,
    principal: Principal,
    Path((project, metric)): Path<(ResourceId, MetricUuid)>,
) -> Result<axum::Json<OneMetric>, ApiError> {
    let project = permission::project(&app, &principal, &project, Permission::View).await?;
    let found = app.store.metric(&project, metric).await?;
    found.map(axum::Json).ok_or_else(|| ApiError::not_found("Metric", metric))
}
