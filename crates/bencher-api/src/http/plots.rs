//! `/v0/projects/{project}/plots`: pinned views of a project's results.

use axum::extract::State;
use bencher_types::{
    Permission, PlotUuid, ResourceId,
    wire::plot::{NewPlot, Plot, UpdatePlot},
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
    error::ApiError,
    permission,
    store::plot::{PlotError, PlotSort, PlotsBy},
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(plots_list, plot_create)).routes(routes!(plot_view, plot_update, plot_delete))
}

/// What plots are sorted by.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProjPlotsSort)]
pub(crate) enum PlotsSort {
    /// Their own order.
    Index,
    Title,
}

#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PlotsQuery {
    /// `index` when absent.
    sort: Option<PlotsSort>,
    direction: Option<Direction>,
    /// Items on a page, at most 255; 8 when absent.
    per_page: Option<u8>,
    /// Counts from 1.
    page: Option<u32>,
    /// Exactly this title.
    title: Option<String>,
    /// Part of the title or UUID.
    search: Option<String>,
}

/// Lists plots.
#[utoipa::path(get, path = "/v0/projects/{project}/plots", tag = "plots", params(("project" = ResourceId, Path), PlotsQuery), responses((status = 200, body = Vec<Plot>)))]
async fn plots_list(
    State(app): State<AppState>,
    principal: Principal,
    Path(project): Path<ResourceId>,
    Query(query): Query<PlotsQuery>,
) -> Result<Listing<Plot>, ApiError> {
    let project = permission::project(&app, &principal, &project, Permission::View).await?;
    let by = PlotsBy {
        title: query.title,
        search: query.search,
        sort: match query.sort {
            Some(PlotsSort::Title) => PlotSort::Title,
            Some(PlotsSort::Index) | None => PlotSort::Index,
        },
        direction: query.direction.unwrap_or(Direction::Asc),
        page: Page::new(query.per_page, query.page),
    };
    Ok(Listing::of(app.store.plots(&project, &by).await?))
}

/// Pins a plot, before the others unless it has an index.
#[utoipa::path(post, path = "/v0/projects/{project}/plots", tag = "plots", params(("project" = ResourceId, Path)), request_body = NewPlot, responses((status = 201, body = Plot)))]
async fn plot_create(
    State(app): State<AppState>,
    caller: Authenticated,
    Path(project): Path<ResourceId>,
    Json(new): Json<NewPlot>,
) -> Result<(StatusCode, axum::Json<Plot>), ApiError> {
    let project = permission::project(&app, &caller.into(), &project, Permission::Create).await?;
    let created = app.store.create_plot(&project, &new, app.clock.now()).await?;
    Ok((StatusCode::CREATED, axum::Json(created)))
}

/// Shows a plot.
#[utoipa::path(get, path = "/v0/projects/{project}/plots/{plot}", tag = "plots", params(("project" = ResourceId, Path), ("plot" = PlotUuid, Path)), responses((status = 200, body = Plot)))]
async fn plot_view(
    State(app): State<AppState>,
    principal: Principal,
    Path((project, plot)): Path<(ResourceId, PlotUuid)>,
) -> Result<axum::Json<Plot>, ApiError> {
    let project = permission::project(&app, &principal, &project, Permission::View).await?;
    let found = app.store.plot(&project, plot).await?;
    found.map(axum::Json).ok_or_else(|| ApiError::not_found("Plot", plot))
}

/// Changes a plot, or moves it to another index.
#[utoipa::path(patch, path = "/v0/projects/{project}/plots/{plot}", tag = "plots", params(("project" = ResourceId, Path), ("plot" = PlotUuid, Path)), request_body = UpdatePlot, responses((status = 200, body = Plot)))]
async fn plot_update(
    State(app): State<AppState>,
    caller: Authenticated,
    Path((project, plot)): Path<(ResourceId, PlotUuid)>,
    Json(update): Json<UpdatePlot>,
) -> Result<axum::Json<Plot>, ApiError> {
    let project = permission::project(&app, &caller.into(), &project, Permission::Edit).await?;
    let updated = app.store.update_plot(&project, plot, &update, app.clock.now()).await?;
    updated.map(axum::Json).ok_or_else(|| ApiError::not_found("Plot", plot))
}

/// Removes a plot. What it shows stays.
#[utoipa::path(delete, path = "/v0/projects/{project}/plots/{plot}", tag = "plots", params(("project" = ResourceId, Path), ("plot" = PlotUuid, Path)), responses((status = 204)))]
async fn plot_delete(
    State(app): State<AppState>,
    caller: Authenticated,
    Path((project, plot)): Path<(ResourceId, PlotUuid)>,
) -> Result<StatusCode, ApiError> {
    let project = permission::project(&app, &caller.into(), &project, Permission::Delete).await?;
    if app.store.delete_plot(&project, plot).await? { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::not_found("Plot", plot)) }
}

impl From<PlotError> for ApiError {
    fn from(error: PlotError) -> Self {
        match error {
            PlotError::TooMany(_) => Self::conflict(error.to_string()),
            PlotError::TooManyItems { .. } => Self::bad_request(error.to_string()),
            PlotError::Unknown { kind, uuid } => Self::not_found(kind, uuid),
            PlotError::Store(store) => store.into(),
        }
    }
}
