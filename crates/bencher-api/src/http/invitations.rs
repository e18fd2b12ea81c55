//! `/v0/organizations/{organization}/invitations`: who may invite sees what waits for an answer, and takes it back.

use axum::extract::State;
use bencher_types::{ResourceId, wire::member::Invitation};
use http::StatusCode;
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    extract::{Path, Query},
    page::{Direction, Listing, Page},
};
use crate::{auth::User, error::ApiError, member};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(invitations_list)).routes(routes!(invitation_withdraw))
}

#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct InvitationsQuery {
    /// Newest first when absent.
    direction: Option<Direction>,
    /// Items on a page, at most 255; 8 when absent.
    per_page: Option<u8>,
    /// Counts from 1.
    page: Option<u32>,
}

/// Lists the invitations that nobody has accepted yet.
#[utoipa::path(get, path = "/v0/organizations/{organization}/invitations", tag = "members", params(("organization" = ResourceId, Path), InvitationsQuery), responses((status = 200, body = Vec<Invitation>)))]
async fn invitations_list(
    State(app): State<AppState>,
    caller: User,
    Path(id): Path<ResourceId>,
    Query(query): Query<InvitationsQuery>,
) -> Result<Listing<Invitation>, ApiError> {
    let (direction, page) = (query.direction.unwrap_or(Direction::Desc), Page::new(query.per_page, query.page));
    Ok(Listing::of(member::invitations(&app, &caller, &id, direction, page).await?))
}

/// Takes an invitation back. It is named by its UUID or by the address it was sent to.
#[utoipa::path(delete, path = "/v0/organizations/{organization}/invitations/{invitation}", tag = "members", params(("organization" = ResourceId, Path), ("invitation" = String, Path)), responses((status = 204)))]
async fn invitation_withdraw(
    State(app): State<AppState>,
    caller: User,
    Path((id, invitation)): Path<(ResourceId, String)>,
) -> Result<StatusCode, ApiError> {
    member::withdraw(&app, &caller, &id, &invitation).await?;
    Ok(StatusCode::NO_CONTENT)
}
