//! Users, their log-in and their keys.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::project::Project;
use crate::{DateTime, Email, Jwt, OrganizationUuid, ResourceName, Slug, UserKey, UserKeyUuid, UserName, UserUuid};

/// Body of `POST /v0/auth/signup`.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonSignup)]
pub struct Signup {
    pub name: UserName,
    pub slug: Option<Slug>,
    pub email: Email,
    /// The user agrees to the terms of whoever runs this server.
    pub i_agree: bool,
    pub invite: Option<Jwt>,
    pub claim: Option<OrganizationUuid>,
}

/// Body of `POST /v0/auth/login`.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonLogin)]
pub struct Login {
    pub email: Email,
    pub invite: Option<Jwt>,
}

/// Answer to a sign-up or log-in: a confirmation is on its way to this address.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonAuthAck)]
pub struct AuthAck {
    pub email: Email,
}

/// Body of `POST /v0/auth/confirm`: the token from the confirmation.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonConfirm)]
pub struct Confirm {
    pub token: Jwt,
}

/// Answer to a confirmation: the user and a session token.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonAuthUser)]
pub struct AuthUser {
    pub user: User,
    pub token: Jwt,
    pub creation: DateTime,
    pub expiration: DateTime,
}

/// A user, as the user itself and admins see it.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUser)]
pub struct User {
    pub uuid: UserUuid,
    pub name: UserName,
    pub slug: Slug,
    pub email: Email,
    pub admin: bool,
    pub locked: bool,
    pub created: Option<DateTime>,
}

/// A user, as everyone sees it.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonPubUser)]
pub struct PubUser {
    pub uuid: UserUuid,
    pub name: UserName,
    pub slug: Slug,
}

/// Body of `POST /v0/users/{user}/keys`.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonNewUserKey)]
pub struct NewUserKey {
    pub name: ResourceName,
    /// Seconds until the key expires; the longest possible when absent.
    pub ttl: Option<u32>,
}

/// A new key: the only time that it is shown.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUserKeyCreated)]
pub struct UserKeyCreated {
    pub uuid: UserKeyUuid,
    pub user: UserUuid,
    pub name: ResourceName,
    pub key: UserKey,
    pub creation: DateTime,
    pub expiration: DateTime,
}

/// The record of a key, without the key.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUserKey)]
pub struct UserKeyInfo {
    pub uuid: UserKeyUuid,
    pub user: UserUuid,
    pub name: ResourceName,
    pub creation: DateTime,
    pub expiration: DateTime,
    pub revoked: Option<DateTime>,
}

/// Body of `PATCH` on a user: what is absent stays.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUpdateUser)]
pub struct UpdateUser {
    pub name: Option<UserName>,
    pub slug: Option<Slug>,
    pub email: Option<Email>,
    pub admin: Option<bool>,
    pub locked: Option<bool>,
}

/// Body of `PATCH` on a user's key: what is absent stays.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUpdateUserKey)]
pub struct UpdateUserKey {
    pub name: Option<ResourceName>,
}

/// Whose the credential of a request is. Both fields are absent where the request has none.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonIdentity)]
pub struct Identity {
    /// The user of a token or a user's key.
    pub user: Option<User>,
    /// The project of a project's key.
    pub project: Option<Project>,
}
