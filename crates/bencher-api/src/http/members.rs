//! `/v0/organizations/{organization}/members`: members of an organization see each other; leaders invite, change and remove.

use axum::extract::State;
use bencher_types::{
    Permission, ResourceId,
    wire::{
        auth::AuthAck,
        member::{Member, NewMember, UpdateMember},
    },
};
use http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    extract::{Json, Path, Query},
    page::{Listing, NamesQuery},
};
use crate::{
    auth::User,
    error::ApiError,
    member::{self, InvitationError, MemberError},
    permission,
};

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(members_list, member_invite)).routes(routes!(member_view, member_update, member_remove))
}

/// Lists an organization's members.
#[utoipa::path(get, path = "/v0/organizations/{organization}/members", tag = "members", params(("organization" = ResourceId, Path), NamesQuery), responses((status = 200, body = Vec<Member>)))]
async fn members_list(
    State(app): State<AppState>,
    caller: User,
    Path(id): Path<ResourceId>,
    Query(query): Query<NamesQuery>,
) -> Result<Listing<Member>, ApiError> {
    let organization = permission::organization(&app, &caller.into(), &id, Permission::ViewRole).await?;
    Ok(Listing::of(app.store.members(organization.id, &query.by()).await?))
}

/// Invites somebody by mail. Says nothing of whether the address has an account.
#[utoipa::path(post, path = "/v0/organizations/{organization}/members", tag = "members", params(("organization" = ResourceId, Path)), request_body = NewMember, responses((status = 202, body = AuthAck)))]
async fn member_invite(
    State(app): State<AppState>,
    caller: User,
    Path(id): Path<ResourceId>,
    Json(new): Json<NewMember>,
) -> Result<(StatusCode, axum::Json<AuthAck>), ApiError> {
    let email = member::invite(&app, &caller, &id, &new).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(AuthAck { email })))
}

/// Shows a member.
#[utoipa::path(get, path = "/v0/organizations/{organization}/members/{user}", tag = "members", params(("organization" = ResourceId, Path), ("user" = ResourceId, Path)), responses((status = 200, body = Member)))]
async fn member_view(
    State(app): State<AppState>,
    caller: User,
    Path((id, user)): Path<(ResourceId, ResourceId)>,
) -> Result<axum::Json<Member>, ApiError> {
    Ok(axum::Json(member::view(&app, &caller, &id, &user).await?))
}

/// Gives a member another role.
#[utoipa::path(patch, path = "/v0/organizations/{organization}/members/{user}", tag = "members", params(("organization" = ResourceId, Path), ("user" = ResourceId, Path)), request_body = UpdateMember, responses((status = 200, body = Member)))]
async fn member_update(
    State(app): State<AppState>,
    caller: User,
    Path((id, user)): Path<(ResourceId, ResourceId)>,
    Json(update): Json<UpdateMember>,
) -> Result<axum::Json<Member>, ApiError> {
    Ok(axum::Json(member::change(&app, &caller, &id, &user, update.role).await?))
}

/// Removes a member. Everybody may leave.
#[utoipa::path(delete, path = "/v0/organizations/{organization}/members/{user}", tag = "members", params(("organization" = ResourceId, Path), ("user" = ResourceId, Path)), responses((status = 204)))]
async fn member_remove(
    State(app): State<AppState>,
    caller: User,
    Path((id, user)): Path<(ResourceId, ResourceId)>,
) -> Result<StatusCode, ApiError> {
    member::remove(&app, &caller, &id, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<MemberError> for ApiError {
    fn from(error: MemberError) -> Self {
        match error {
            MemberError::Access(access) => access.into(),
            MemberError::Above { .. } => Self::forbidden(error.to_string()),
            MemberError::Unknown(user) => Self::not_found("Member", user),
            MemberError::NoInvitation(_) => Self::missing(error.to_string()),
            MemberError::Member(_) | MemberError::LastLeader(_) => Self::conflict(error.to_string()),
            MemberError::Store(store) => store.into(),
        }
    }
}

impl From<InvitationError> for ApiError {
    fn from(error: InvitationError) -> Self {
        match error {
            InvitationError::Invalid | InvitationError::Expired | InvitationError::Revoked => {
                Self::bad_request(error.to_string())
            }
            InvitationError::OtherAddress(_) => Self::forbidden(error.to_string()),
            InvitationError::Store(store) => store.into(),
        }
    }
}
