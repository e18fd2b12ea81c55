//! `/v0/projects/{project}/images`: what a project's registry has, by tag. Pushing, pulling and deleting is the registry's.

use axum::extract::State;
use bencher_types::{Permission, ResourceId, wire::image::Image};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    extract::{Path, Query},
    page::{Direction, Listing, Page},
};
use crate::{auth::Principal, error::ApiError, permission, store::oci::tag::TagSort};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(images_list))
}

/// What images are sorted by.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProjImagesSort)]
pub(crate) enum ImageSort {
    Name,
    Modified,
}

#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImagesQuery {
    /// By repository and tag when absent.
    sort: Option<ImageSort>,
    direction: Option<Direction>,
    /// Items on a page, at most 255; 8 when absent.
    per_page: Option<u8>,
    /// Counts from 1.
    page: Option<u32>,
    /// Part of the repository, tag or digest.
    search: Option<String>,
}

/// Lists images by tag.
#[utoipa::path(get, path = "/v0/projects/{project}/images", tag = "images", params(("project" = ResourceId, Path), ImagesQuery), responses((status = 200, body = Vec<Image>)))]
async fn images_list(
    State(app): State<AppState>,
    principal: Principal,
    Path(project): Path<ResourceId>,
    Query(query): Query<ImagesQuery>,
) -> Result<Listing<Image>, ApiError> {
    let project = permission::project(&app, &principal, &project, Permission::View).await?;
    let sort = match query.sort {
        None | Some(ImageSort::Name) => TagSort::Name,
        Some(ImageSort::Modified) => TagSort::Modified,
    };
    let order = (sort, query.direction.unwrap_or(Direction::Asc));
    let page = Page::new(query.per_page, query.page);
    Ok(Listing::of(app.store.images(&project, query.search.as_deref(), order, page).await?))
}
