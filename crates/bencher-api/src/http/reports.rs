//! `/v0/projects/{project}/reports`: the results of runs.

use axum::extract::State;
use bencher_types::{
    DateTime, NameId, Permission, ReportUuid, ResourceId,
    wire::{report::Report, run::NewReport},
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
    permission, run,
    store::report::{Deleted, Detail, ReportFilter},
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(reports_list, report_create)).routes(routes!(report_view, report_delete))
}

/// What reports are sorted by.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProjReportsSort)]
pub(crate) enum ReportSort {
    /// When they were measured.
    DateTime,
}

#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReportsQuery {
    #[expect(dead_code, reason = "there is one order; the parameter is only checked")]
    sort: Option<ReportSort>,
    /// Newest first when absent.
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
    /// Milliseconds since 1970: measured then or later.
    start_time: Option<i64>,
    /// Milliseconds since 1970: measured then or earlier.
    end_time: Option<i64>,
    /// `true` shows those of archived branches and testbeds only.
    archived: Option<bool>,
    /// `true` shows the results too.
    expand: Option<bool>,
}

impl ReportsQuery {
    fn filter(&self) -> Result<ReportFilter, ApiError> {
        let time = |millis: Option<i64>| {
            let time = millis.map(|millis| DateTime::from_micros(millis.saturating_mul(1000)));
            time.transpose().map_err(|error| ApiError::bad_request(error.to_string()))
        };
        Ok(ReportFilter {
            branch: self.branch.clone(),
            testbed: self.testbed.clone(),
            start_time: time(self.start_time)?,
            end_time: time(self.end_time)?,
            archived: self.archived.unwrap_or(false),
        })
    }
}

/// Lists reports, newest first.
#[utoipa::path(get, path = "/v0/projects/{project}/reports", tag = "reports", params(("project" = ResourceId, Path), ReportsQuery), responses((status = 200, body = Vec<Report>)))]
async fn reports_list(
    State(app): State<AppState>,
    principal: Principal,
    Path(project): Path<ResourceId>,
    Query(query): Query<ReportsQuery>,
) -> Result<Listing<Report>, ApiError> {
    let project = permission::project(&app, &principal, &project, Permission::View).await?;
    let direction = query.direction.unwrap_or(Direction::Desc);
    let detail = if query.expand == Some(true) { Detail::Results } else { Detail::Counts };
    let page = Page::new(query.per_page, query.page);
    Ok(Listing::of(app.store.reports(&project, &query.filter()?, direction, page, detail).await?))
}

/// Files results as a report.
#[utoipa::path(post, path = "/v0/projects/{project}/reports", tag = "reports", params(("project" = ResourceId, Path)), request_body = NewReport, responses((status = 201, body = Report)))]
async fn report_create(
    State(app): State<AppState>,
    caller: Authenticated,
    Path(project): Path<ResourceId>,
    Json(new): Json<NewReport>,
) -> Result<(StatusCode, axum::Json<Report>), ApiError> {
    let principal = Principal::from(caller);
    let project = permission::project(&app, &principal, &project, Permission::Create).await?;
    Ok((StatusCode::CREATED, axum::Json(run::new_report(&app, &principal, &project, new).await?)))
}

/// Shows a report with its results.
#[utoipa::path(get, path = "/v0/projects/{project}/reports/{report}", tag = "reports", params(("project" = ResourceId, Path), ("report" = ReportUuid, Path)), responses((status = 200, body = Report)))]
async fn report_view(
    State(app): State<AppState>,
    principal: Principal,
    Path((project, report)): Path<(ResourceId, ReportUuid)>,
) -> Result<axum::Json<Report>, ApiError> {
    let project = permission::project(&app, &principal, &project, Permission::View).await?;
    let found = app.store.report(&project, report).await?;
    found.map(axum::Json).ok_or_else(|| ApiError::not_found("Report", report))
}

/// Deletes a report with its results, and the job that measured it.
#[utoipa::path(delete, path = "/v0/projects/{project}/reports/{report}", tag = "reports", params(("project" = ResourceId, Path), ("report" = ReportUuid, Path)), responses((status = 204)))]
async fn report_delete(
    State(app): State<AppState>,
    caller: Authenticated,
    Path((project, report)): Path<(ResourceId, ReportUuid)>,
) -> Result<StatusCode, ApiError> {
    let project = permission::project(&app, &caller.into(), &project, Permission::Delete).await?;
    match app.store.delete_report(&project, report).await? {
        Deleted::Done => {
            app.points_changed.notify_one();
            Ok(StatusCode::NO_CONTENT)
        }
        Deleted::JobUnderWay(job) => {
            Err(ApiError::conflict(format!("the job {job} of this report is not done yet; cancel it first")))
        }
        Deleted::Unknown => Err(ApiError::not_found("Report", report)),
    }
}
