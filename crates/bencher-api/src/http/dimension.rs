//! What the routes of branches, testbeds, benchmarks and measures have in common.

use bencher_types::{NameId, Permission, ResourceId};

use super::page::{Listing, ProjectListQuery};
use crate::{
    app::App,
    auth::{Authenticated, Principal},
    error::ApiError,
    permission,
    store::{StoreError, dimension::Dimension, project::ProjectRow},
};

pub(super) async fn list<D: Dimension>(
    app: &App,
    principal: &Principal,
    project: &ResourceId,
    query: &ProjectListQuery,
) -> Result<Listing<D::Json>, ApiError> {
    let project = permission::project(app, principal, project, Permission::View).await?;
    let (items, total) = app.store.dimensions::<D>(&project, query.archived.unwrap_or(false), &query.by()).await?;
    Ok(Listing { items, total })
}

pub(super) async fn view<D: Dimension>(
    app: &App,
    principal: &Principal,
    project: &ResourceId,
    id: &NameId,
) -> Result<axum::Json<D::Json>, ApiError> {
    let project = permission::project(app, principal, project, Permission::View).await?;
    let row = find::<D>(app, &project, id).await?;
    Ok(axum::Json(app.store.show_dimension(&project, row).await?))
}

/// The project and its row, for who may change it.
pub(super) async fn for_change<D: Dimension>(
    app: &App,
    caller: Authenticated,
    project: &ResourceId,
    id: &NameId,
) -> Result<(ProjectRow, D), ApiError> {
    let project = permission::project(app, &caller.into(), project, Permission::Edit).await?;
    let row = find(app, &project, id).await?;
    Ok((project, row))
}

pub(super) async fn delete<D: Dimension>(
    app: &App,
    caller: Authenticated,
    project: &ResourceId,
    id: &NameId,
) -> Result<http::StatusCode, ApiError> {
    let project = permission::project(app, &caller.into(), project, Permission::Delete).await?;
    let row = find::<D>(app, &project, id).await?;
    match app.store.delete_dimension(&row).await {
        Ok(()) => Ok(http::StatusCode::NO_CONTENT),
        Err(StoreError::ForeignKey) => Err(ApiError::conflict(format!(
            "there are reports with the {} {id}; delete them first, or archive it instead",
            D::KIND.to_lowercase()
        ))),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn find<D: Dimension>(app: &App, project: &ProjectRow, id: &NameId) -> Result<D, ApiError> {
    app.store.dimension(project, id).await?.ok_or_else(|| ApiError::not_found(D::KIND, id))
}
