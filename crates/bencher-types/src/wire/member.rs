//! Members of organizations, and how people are invited to become one.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::auth::PubUser;
use crate::{DateTime, Email, InvitationUuid, Jwt, Role, Slug, UserName, UserUuid};

#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonMember)]
pub struct Member {
    pub uuid: UserUuid,
    pub name: UserName,
    pub slug: Slug,
    pub email: Email,
    pub role: Role,
    pub created: DateTime,
    pub modified: DateTime,
}

/// Body of `POST /v0/organizations/{organization}/members`: an invitation by mail.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonNewMember)]
pub struct NewMember {
    /// How the mail greets.
    pub name: Option<UserName>,
    pub email: Email,
    pub role: Role,
}

/// An invitation that nobody has accepted yet.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonInvitation)]
pub struct Invitation {
    pub uuid: InvitationUuid,
    pub email: Email,
    pub role: Role,
    /// Who sent it.
    pub inviter: PubUser,
    pub created: DateTime,
    pub expires: DateTime,
}

/// Body of `PATCH` on a member: what is absent stays.
#[skip_serializing_none]
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUpdateMember)]
pub struct UpdateMember {
    pub role: Option<Role>,
}

/// Body of `POST /v0/auth/accept`: the token of an invitation.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonAccept)]
pub struct Accept {
    pub invite: Jwt,
}
