//! How much more the registry takes for a project, before bytes are taken in. Whether it really fits is decided when a repository comes
//! to hold a blob, in the same transaction.

use super::access::Access;
use crate::{
    app::App,
    store::{
        StoreError,
        oci::quota::{Exceeded, Whose},
    },
};

/// More than may be held.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the registry may hold {quota} bytes for the {owner}, and would hold {needed} with this: delete images that are not needed, say which \
     are kept (PUT /v0/projects/{project}/registry/retention), or ask an admin of this server for more", owner = self.owner()
)]
pub struct NoRoom {
    project: String,
    whose: Whose,
    /// Bytes.
    pub quota: u64,
    /// Bytes.
    pub needed: u64,
}

impl NoRoom {
    /// Names the project as the caller does.
    #[must_use]
    pub fn in_project_of(access: &Access, exceeded: Exceeded) -> Self {
        let Exceeded { whose, quota, needed } = exceeded;
        Self { project: access.name.project_segment().to_owned(), whose, quota, needed }
    }

    fn owner(&self) -> String {
        match self.whose {
            Whose::Project => format!("project {}", self.project),
            Whose::Organization => format!("organization of the project {}", self.project),
        }
    }
}

/// How much fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Room(Option<(u64, NoRoom)>);

impl Room {
    /// Bytes at most.
    pub(super) fn bytes(&self) -> u64 {
        self.0.as_ref().map_or(u64::MAX, |(bytes, _)| *bytes)
    }

    /// Why so many bytes do not fit.
    pub(super) fn refuses(&self, bytes: u64) -> Option<NoRoom> {
        let (room, full) = self.0.as_ref()?;
        (bytes > *room).then(|| NoRoom { needed: full.needed.saturating_add(bytes), ..full.clone() })
    }
}

/// How much more may be pushed to a repository, by who wants to push so many bytes at most.
pub(super) async fn room(app: &App, access: &Access, wanted: u64) -> Result<Room, StoreError> {
    let found = app.store.oci_room(access.place.repository.project_id, wanted, &app.config.registry_quotas()).await?;
    Ok(Room(found.map(|(bytes, exceeded)| (bytes, NoRoom::in_project_of(access, exceeded)))))
}
