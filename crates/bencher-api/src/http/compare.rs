//! `/v0/projects/{project}/compare`: two reports, or some iterations of them, side by side.

use axum::extract::State;
use bencher_types::{Permission, ReportPart, ResourceId, wire::compare::ReportComparison};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    extract::{Path, Query},
};
use crate::{
    app::App,
    auth::Principal,
    compare::{self, Question, Side},
    error::ApiError,
    permission,
    store::project::ProjectRow,
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(compare_view))
}

#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CompareQuery {
    /// UUID of the report with the old results, or some of its iterations, counted from 1: `UUID@1-5,8`, `UUID@odd`, `UUID@even`.
    #[param(value_type = String)]
    old: ReportPart,
    /// The same of the new results. It may be the same report.
    #[param(value_type = String)]
    new: ReportPart,
    /// Both were measured in turns: the first iteration of one belongs to the first of the other. Where iterations are named, there
    /// must be as many on both sides.
    paired: Option<bool>,
    /// The share of the old value within which a change does not matter, below 1; 0.01 when absent.
    margin: Option<f64>,
    /// Of the intervals, from 0.5 to below 1; 0.95 when absent.
    confidence: Option<f64>,
    /// Names or slugs of measures, with commas between them, that are better when they are higher; throughput is in any case.
    higher_is_better: Option<String>,
}

/// Compares the results of two reports.
#[utoipa::path(get, path = "/v0/projects/{project}/compare", tag = "reports", params(("project" = ResourceId, Path), CompareQuery), responses((status = 200, body = ReportComparison)))]
async fn compare_view(
    State(app): State<AppState>,
    principal: Principal,
    Path(project): Path<ResourceId>,
    Query(query): Query<CompareQuery>,
) -> Result<axum::Json<ReportComparison>, ApiError> {
    let project = permission::project(&app, &principal, &project, Permission::View).await?;
    let question = Question::new(query.paired == Some(true), query.confidence, query.margin, query.higher_is_better.as_deref())
        .map_err(|error| ApiError::bad_request(error.to_string()))?;
    let (old, new) = (side(&app, &project, query.old).await?, side(&app, &project, query.new).await?);
    // Seconds of work where there are thousands of benchmarks.
    let compared = tokio::task::spawn_blocking(move || compare::reports(old, new, &question)).await;
    let compared = compared.expect("comparing does not panic");
    compared.map(axum::Json).map_err(|error| ApiError::bad_request(error.to_string()))
}

async fn side(app: &App, project: &ProjectRow, part: ReportPart) -> Result<Side, ApiError> {
    let report = app.store.report(project, part.report).await?.ok_or_else(|| ApiError::not_found("Report", part.report))?;
    Ok(Side { report, iterations: part.iterations })
}
