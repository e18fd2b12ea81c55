//! `/v0/projects/{project}/change-points`: where series began to be other ones.

use axum::extract::State;
use bencher_types::{
    ChangePointUuid, HeadUuid, NameId, Permission, ResourceId,
    wire::change_point::{ChangePoint, ChangePointStatus, UpdateChangePoint},
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
    store::{change_point::ChangePointFilter, project::ProjectRow},
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(change_points_list)).routes(routes!(change_point_view, change_point_update))
}

/// What change points are sorted by.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProjChangePointsSort)]
pub(crate) enum ChangePointSort {
    /// When the new regime began.
    #[default]
    DateTime,
    /// When they were found.
    Created,
}

#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChangePointsQuery {
    sort: Option<ChangePointSort>,
    /// Newest first when absent.
    direction: Option<Direction>,
    /// Items on a page, at most 255; 8 when absent.
    per_page: Option<u8>,
    /// Counts from 1.
    page: Option<u32>,
    /// Name, slug or UUID.
    #[param(value_type = Option<String>)]
    branch: Option<NameId>,
    /// Of this head; of the current heads of branches when absent.
    head: Option<HeadUuid>,
    /// Name, slug or UUID.
    #[param(value_type = Option<String>)]
    testbed: Option<NameId>,
    /// Name, slug or UUID.
    #[param(value_type = Option<String>)]
    benchmark: Option<NameId>,
    /// Name, slug or UUID.
    #[param(value_type = Option<String>)]
    measure: Option<NameId>,
    status: Option<ChangePointStatus>,
    /// `true` shows those of archived branches, testbeds, benchmarks and measures only.
    archived: Option<bool>,
}

/// Lists a project's change points, the latest change first.
#[utoipa::path(get, path = "/v0/projects/{project}/change-points", tag = "change-points", params(("project" = ResourceId, Path), ChangePointsQuery), responses((status = 200, body = Vec<ChangePoint>)))]
async fn change_points_list(
    State(app): State<AppState>,
    principal: Principal,
    Path(project): Path<ResourceId>,
    Query(query): Query<ChangePointsQuery>,
) -> Result<Listing<ChangePoint>, ApiError> {
    let project = permission::project(&app, &principal, &project, Permission::View).await?;
    let column = match query.sort.unwrap_or_default() {
        ChangePointSort::DateTime => "start_time",
        ChangePointSort::Created => "created",
    };
    let order = (column, query.direction.unwrap_or(Direction::Desc));
    let filter = ChangePointFilter {
        branch: query.branch,
        head: query.head,
        testbed: query.testbed,
        benchmark: query.benchmark,
        measure: query.measure,
        status: query.status,
        archived: query.archived.unwrap_or(false),
    };
    Ok(Listing::of(app.store.change_points(&project, &filter, order, Page::new(query.per_page, query.page)).await?))
}

/// Shows a change point, with who decided what about it.
#[utoipa::path(get, path = "/v0/projects/{project}/change-points/{change_point}", tag = "change-points", params(("project" = ResourceId, Path), ("change_point" = ChangePointUuid, Path)), responses((status = 200, body = ChangePoint)))]
async fn change_point_view(
    State(app): State<AppState>,
    principal: Principal,
    Path((project, id)): Path<(ResourceId, ChangePointUuid)>,
) -> Result<axum::Json<ChangePoint>, ApiError> {
    let project = permission::project(&app, &principal, &project, Permission::View).await?;
    find(&app, &project, id).await
}

/// Dismisses a change point, or accepts it again. Who did so is kept.
#[utoipa::path(patch, path = "/v0/projects/{project}/change-points/{change_point}", tag = "change-points", params(("project" = ResourceId, Path), ("change_point" = ChangePointUuid, Path)), request_body = UpdateChangePoint, responses((status = 200, body = ChangePoint)))]
async fn change_point_update(
    State(app): State<AppState>,
    caller: Authenticated,
    Path((project, id)): Path<(ResourceId, ChangePointUuid)>,
    Json(update): Json<UpdateChangePoint>,
) -> Result<axum::Json<ChangePoint>, ApiError> {
    let caller = Principal::from(caller);
    let project = permission::project(&app, &caller, &project, Permission::Edit).await?;
    if let Some(status) = update.status {
        // Whether there is one is told by looking for it.
        app.store.decide_change_point(&project, id, (status, caller.user_id()), app.clock.now()).await?;
    }
    find(&app, &project, id).await
}

async fn find(app: &App, project: &ProjectRow, id: ChangePointUuid) -> Result<axum::Json<ChangePoint>, ApiError> {
    app.store.change_point(project, id).await?.map(axum::Json).ok_or_else(|| ApiError::not_found("Change point", id))
}
