//! API tokens of users, and keys of projects.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{DateTime, Jwt, ProjectKey, ProjectKeyUuid, ProjectUuid, ResourceName, TokenUuid, UserUuid};

/// A user's API token. Unlike a key, it is shown again.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonToken)]
pub struct Token {
    pub uuid: TokenUuid,
    pub user: UserUuid,
    pub name: ResourceName,
    pub token: Jwt,
    pub creation: DateTime,
    pub expiration: DateTime,
    pub revoked: Option<DateTime>,
}

/// Body of `POST /v0/users/{user}/tokens`.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonNewToken)]
pub struct NewToken {
    pub name: ResourceName,
    /// Seconds until the token expires; the longest possible when absent.
    pub ttl: Option<u32>,
}

/// Body of `PATCH` on a token: what is absent stays.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUpdateToken)]
pub struct UpdateToken {
    pub name: Option<ResourceName>,
}

/// The record of a project's key, without the key.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonProjectKey)]
pub struct ProjectKeyInfo {
    pub uuid: ProjectKeyUuid,
    pub project: ProjectUuid,
    /// Who made the key, as long as that user exists.
    pub creator: Option<UserUuid>,
    pub name: ResourceName,
    pub creation: DateTime,
    pub expiration: DateTime,
    pub revoked: Option<DateTime>,
}

/// Body of `POST /v0/projects/{project}/keys`.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonNewProjectKey)]
pub struct NewProjectKey {
    pub name: ResourceName,
    /// Seconds until the key expires; the longest possible when absent.
    pub ttl: Option<u32>,
}

/// A new key of a project: the only time that it is shown.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonProjectKeyCreated)]
pub struct ProjectKeyCreated {
    pub uuid: ProjectKeyUuid,
    pub project: ProjectUuid,
    pub name: ResourceName,
    pub key: ProjectKey,
    pub creation: DateTime,
    pub expiration: DateTime,
}

/// Body of `PATCH` on a project's key: what is absent stays.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JsonUpdateProjectKey)]
pub struct UpdateProjectKey {
    pub name: Option<ResourceName>,
}
