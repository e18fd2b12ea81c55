//! What deleting and bringing back is to a client, whatever it is done to.

use serde::Deserialize;

use crate::{
    auth::Principal,
    deletion::{DeleteError, Kind, PurgeError, RestoreError},
    error::ApiError,
    store::Presence,
};

/// How something is to be deleted.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeleteQuery {
    /// `true` removes it for good, with everything that belongs to it; otherwise an admin of the server can bring it back.
    hard: Option<bool>,
}

impl DeleteQuery {
    pub(crate) fn kind(self) -> Kind {
        if self.hard == Some(true) { Kind::Hard } else { Kind::Soft }
    }
}

/// What a list is to show; what was deleted is for admins of the server.
pub(crate) fn presence(principal: &Principal, deleted: Option<bool>) -> Result<Presence, ApiError> {
    match (deleted, principal) {
        (Some(true), Principal::User(user)) if user.admin => Ok(Presence::Deleted),
        (Some(true), _) => Err(ApiError::forbidden("only an admin of this server sees what was deleted")),
        _ => Ok(Presence::Present),
    }
}

impl From<DeleteError> for ApiError {
    fn from(error: DeleteError) -> Self {
        match error {
            DeleteError::Busy(_) => Self::conflict(error.to_string()),
            DeleteError::Purge(purge) => purge.into(),
            DeleteError::Store(store) => store.into(),
        }
    }
}

impl From<PurgeError> for ApiError {
    fn from(error: PurgeError) -> Self {
        match error {
            PurgeError::Blobs { .. } => {
                Self::unavailable("it is deleted, but not all of it could be removed yet; the server goes on later", &error)
            }
            PurgeError::Interrupted => Self::internal(&error),
            PurgeError::Store(store) => store.into(),
        }
    }
}

impl From<RestoreError> for ApiError {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Unknown { .. } => Self::missing(error.to_string()),
            RestoreError::Purging | RestoreError::OrganizationDeleted => Self::conflict(error.to_string()),
            RestoreError::Store(store) => store.into(),
        }
    }
}
