//! `/v0/specs`: the shapes of machine that jobs ask for.

use axum::extract::State;
use bencher_types::{
    ResourceName,
    wire::spec::{NewSpec, Spec},
};
use http::StatusCode;
use serde::Deserialize;

use super::{
    AppState,
    extract::{Json, Query},
    page::{Direction, Listing, Page},
};
use crate::{
    auth::Admin,
    error::ApiError,
    store::spec::{SpecFilter, SpecSort},
};

#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SpecsQuery {
    sort: Option<SpecSort>,
    direction: Option<Direction>,
    per_page: Option<u8>,
    page: Option<u32>,
    /// Exactly this name.
    #[param(value_type = Option<String>)]
    name: Option<ResourceName>,
    /// Part of the name, slug or UUID.
    search: Option<String>,
    /// `true` shows archived specs too.
    archived: Option<bool>,
}

/// Lists specs.
#[utoipa::path(get, path = "/v0/specs", tag = "specs", params(SpecsQuery), responses((status = 200, body = Vec<Spec>)))]
pub(crate) async fn list(
    State(app): State<AppState>,
    _: Admin,
    Query(query): Query<SpecsQuery>,
) -> Result<Listing<Spec>, ApiError> {
    let filter = SpecFilter { name: query.name, search: query.search, archived: query.archived.unwrap_or(false) };
    let (sort, direction) = (query.sort.unwrap_or_default(), query.direction.unwrap_or(Direction::Asc));
    let (items, total) = app.store.specs(&filter, sort, direction, Page::new(query.per_page, query.page)).await?;
    Ok(Listing { items, total })
}

/// Creates a spec.
#[utoipa::path(post, path = "/v0/specs", tag = "specs", request_body = NewSpec, responses((status = 201, body = Spec)))]
pub(crate) async fn create(
    State(app): State<AppState>,
    _: Admin,
    Json(new): Json<NewSpec>,
) -> Result<(StatusCode, axum::Json<Spec>), ApiError> {
    let spec = app.store.create_spec(&new, app.clock.now()).await?;
    Ok((StatusCode::CREATED, axum::Json(spec)))
}
