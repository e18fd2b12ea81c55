//! `/v0/organizations/{organization}/usage`: what an organization used.

use axum::extract::State;
use bencher_types::{
    DateTime, Permission, ResourceId,
    wire::organization::{ProjectUsage, Usage, UsageKind},
};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    extract::{Path, Query},
};
use crate::{auth::User, error::ApiError, permission, usage};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(organization_usage))
}

#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageQuery {
    /// Milliseconds since 1970: from then on; the beginning of the month of `end_time` when absent.
    start_time: Option<i64>,
    /// Milliseconds since 1970: until then; now when absent.
    end_time: Option<i64>,
}

/// Shows what an organization used: in the present month, in UTC, unless other times are given.
#[utoipa::path(get, path = "/v0/organizations/{organization}/usage", tag = "organizations", params(("organization" = ResourceId, Path), UsageQuery), responses((status = 200, body = Usage)))]
async fn organization_usage(
    State(app): State<AppState>,
    caller: User,
    Path(id): Path<ResourceId>,
    Query(query): Query<UsageQuery>,
) -> Result<axum::Json<Usage>, ApiError> {
    let organization = permission::organization(&app, &caller.into(), &id, Permission::View).await?;
    let time = |millis: Option<i64>| {
        let time = millis.map(|millis| DateTime::from_micros(millis.saturating_mul(1000)));
        time.transpose().map_err(|error| ApiError::bad_request(error.to_string()))
    };
    let end_time = time(query.end_time)?.unwrap_or_else(|| app.clock.now());
    let start_time = time(query.start_time)?.unwrap_or_else(|| usage::month_of(end_time));
    if start_time > end_time {
        return Err(ApiError::bad_request(format!("`start_time` ({start_time}) is after `end_time` ({end_time})")));
    }
    let used = app.store.usage(organization.id, organization.uuid.0, start_time, end_time).await?;
    let number = |count: u64| Some(u32::try_from(count).unwrap_or(u32::MAX));
    let small = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
    let runner_minutes = used.projects.iter().map(|project| small(project.minutes)).fold(0, u32::saturating_add);
    let projects = used.projects.into_iter().map(|row| ProjectUsage {
        project: row.project.0,
        slug: row.slug.map(|slug| slug.0),
        runner_minutes: small(row.minutes),
        attempts: small(row.attempts),
    });
    Ok(axum::Json(Usage {
        organization: organization.uuid.0,
        kind: UsageKind::SelfHostedFree,
        start_time,
        end_time,
        metrics: number(used.metrics),
        active_series: number(used.active_series),
        runner_minutes: Some(runner_minutes),
        projects: Some(projects.collect()),
    }))
}
