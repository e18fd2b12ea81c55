//! `/v0/projects/{project}/alerts`: metrics outside of a limit.

use axum::extract::State;
use bencher_types::{
    AlertUuid, Permission, ResourceId,
    wire::alert::{Alert, AlertStatus, UpdateAlert},
};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    extract::{Json, Path, Query},
    page::{Direction, Listing, Page},
};
use crate::{
    app::App,
    auth::{Authenticated, Principal},
    error::ApiError,
    permission,
    store::{alert::AlertFilter, project::ProjectRow},
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(alerts_list)).routes(routes!(alert_view, alert_update))
}

/// What alerts are sorted by.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProjAlertsSort)]
pub(crate) enum AlertSort {
    #[default]
    Created,
    Modified,
}

#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlertsQuery {
    sort: Option<AlertSort>,
    /// Newest first when absent.
    direction: Option<Direction>,
    /// Items on a page, at most 255; 8 when absent.
    per_page: Option<u8>,
    /// Counts from 1.
    page: Option<u32>,
    status: Option<AlertStatus>,
    /// `true` shows those of archived branches, testbeds, benchmarks and measures only.
    archived: Option<bool>,
}

/// Lists a project's alerts, newest first.
#[utoipa::path(get, path = "/v0/projects/{project}/alerts", tag = "alerts", params(("project" = ResourceId, Path), AlertsQuery), responses((status = 200, body = Vec<Alert>)))]
async fn alerts_list(
    State(app): State<AppState>,
    principal: Principal,
    Path(project): Path<ResourceId>,
    Query(query): Query<AlertsQuery>,
) -> Result<Listing<Alert>, ApiError> {
    let project = permission::project(&app, &principal, &project, Permission::View).await?;
    let column = match query.sort.unwrap_or_default() {
        AlertSort::Created => "created",
        AlertSort::Modified => "modified",
    };
    let order = (column, query.direction.unwrap_or(Direction::Desc));
    let filter = AlertFilter { status: query.status, archived: query.archived.unwrap_or(false) };
    Ok(Listing::of(app.store.alerts(&project, &filter, order, Page::new(query.per_page, query.page)).await?))
}

/// Shows an alert.
#[utoipa::path(get, path = "/v0/projects/{project}/alerts/{alert}", tag = "alerts", params(("project" = ResourceId, Path), ("alert" = AlertUuid, Path)), responses((status = 200, body = Alert)))]
async fn alert_view(
    State(app): State<AppState>,
    principal: Principal,
    Path((project, id)): Path<(ResourceId, AlertUuid)>,
) -> Result<axum::Json<Alert>, ApiError> {
    let project = permission::project(&app, &principal, &project, Permission::View).await?;
    find(&app, &project, id).await
}

/// Dismisses an alert, or takes it up again.
#[utoipa::path(patch, path = "/v0/projects/{project}/alerts/{alert}", tag = "alerts", params(("project" = ResourceId, Path), ("alert" = AlertUuid, Path)), request_body = UpdateAlert, responses((status = 200, body = Alert)))]
async fn alert_update(
    State(app): State<AppState>,
    caller: Authenticated,
    Path((project, id)): Path<(ResourceId, AlertUuid)>,
    Json(update): Json<UpdateAlert>,
) -> Result<axum::Json<Alert>, ApiError> {
    let project = permission::project(&app, &caller.into(), &project, Permission::Edit).await?;
    if let Some(status) = update.status {
        // Whether there is one is told by looking for it.
        app.store.set_alert_status(&project, id, status, app.clock.now()).await?;
    }
    find(&app, &project, id).await
}

async fn find(app: &App, project: &ProjectRow, id: AlertUuid) -> Result<axum::Json<Alert>, ApiError> {
    app.store.alert(project, id).await?.map(axum::Json).ok_or_else(|| ApiError::not_found("Alert", id))
}
