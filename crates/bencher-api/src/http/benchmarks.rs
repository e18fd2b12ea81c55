//! `/v0/projects/{project}/benchmarks`: benchmarks.

use axum::extract::State;
use bencher_types::{
    NameId, Permission, ResourceId,
    wire::dimension::{Benchmark, NewBenchmark, UpdateBenchmark},
};
use http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState, dimension,
    extract::{Json, Path, Query},
    page::{Listing, ProjectListQuery},
};
use crate::{
    auth::{Authenticated, Principal},
    creation,
    error::ApiError,
    permission,
    store::{benchmark::BenchmarkRow, creation::Kind},
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(benchmarks_list, benchmark_create)).routes(routes!(
        benchmark_view,
        benchmark_update,
        benchmark_delete
    ))
}

/// Lists a project's benchmarks.
#[utoipa::path(get, path = "/v0/projects/{project}/benchmarks", tag = "benchmarks", params(("project" = ResourceId, Path), ProjectListQuery), responses((status = 200, body = Vec<Benchmark>)))]
async fn benchmarks_list(
    State(app): State<AppState>,
    principal: Principal,
    Path(project): Path<ResourceId>,
    Query(query): Query<ProjectListQuery>,
) -> Result<Listing<Benchmark>, ApiError> {
    dimension::list::<BenchmarkRow>(&app, &principal, &project, &query).await
}

/// Creates a benchmark.
#[utoipa::path(post, path = "/v0/projects/{project}/benchmarks", tag = "benchmarks", params(("project" = ResourceId, Path)), request_body = NewBenchmark, responses((status = 201, body = Benchmark)))]
async fn benchmark_create(
    State(app): State<AppState>,
    caller: Authenticated,
    Path(project): Path<ResourceId>,
    Json(new): Json<NewBenchmark>,
) -> Result<(StatusCode, axum::Json<Benchmark>), ApiError> {
    let project = permission::project(&app, &caller.into(), &project, Permission::Create).await?;
    creation::allow(&app, &project, Kind::Benchmark).await?;
    let created = app.store.create_benchmark(&project, &new, app.clock.now()).await?;
    Ok((StatusCode::CREATED, axum::Json(created)))
}

/// Shows a benchmark.
#[utoipa::path(get, path = "/v0/projects/{project}/benchmarks/{benchmark}", tag = "benchmarks", params(("project" = ResourceId, Path), ("benchmark" = NameId, Path)), responses((status = 200, body = Benchmark)))]
async fn benchmark_view(
    State(app): State<AppState>,
    principal: Principal,
    Path((project, id)): Path<(ResourceId, NameId)>,
) -> Result<axum::Json<Benchmark>, ApiError> {
    dimension::view::<BenchmarkRow>(&app, &principal, &project, &id).await
}

/// Changes a benchmark.
#[utoipa::path(patch, path = "/v0/projects/{project}/benchmarks/{benchmark}", tag = "benchmarks", params(("project" = ResourceId, Path), ("benchmark" = NameId, Path)), request_body = UpdateBenchmark, responses((status = 200, body = Benchmark)))]
async fn benchmark_update(
    State(app): State<AppState>,
    caller: Authenticated,
    Path((project, id)): Path<(ResourceId, NameId)>,
    Json(update): Json<UpdateBenchmark>,
) -> Result<axum::Json<Benchmark>, ApiError> {
    let (project, row) = dimension::for_change::<BenchmarkRow>(&app, caller, &project, &id).await?;
    Ok(axum::Json(app.store.update_benchmark(&project, row.id, &update, app.clock.now()).await?))
}

/// Deletes a benchmark that no report is filed under.
#[utoipa::path(delete, path = "/v0/projects/{project}/benchmarks/{benchmark}", tag = "benchmarks", params(("project" = ResourceId, Path), ("benchmark" = NameId, Path)), responses((status = 204)))]
async fn benchmark_delete(
    State(app): State<AppState>,
    caller: Authenticated,
    Path((project, id)): Path<(ResourceId, NameId)>,
) -> Result<StatusCode, ApiError> {
    dimension::delete::<BenchmarkRow>(&app, caller, &project, &id).await
}
