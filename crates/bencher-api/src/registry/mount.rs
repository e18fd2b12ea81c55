//! Mounts: a blob that another repository holds comes into this one without being sent.
//!
//! Rights are a project's, so a token for one repository of it is enough for the others; of another project the token must name the
//! repository, as everywhere.

use bencher_types::Digest;

use super::{
    access::{self, Access, AccessError, Caller},
    blob::{self, MountError},
    name::RepositoryName,
};
use crate::{
    app::App,
    limits,
    store::oci::{Place, Reach, full_name},
    token::OciAction,
};

/// What became of the wish for a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mount {
    Done,
    /// No repository that was looked at has it, or none that the caller may read: it has to be sent. Which of them is not told.
    NotFound,
    /// The caller could have it with a token for this repository too.
    NeedsScope(RepositoryName),
}

/// Brings a blob from the repository of this name.
///
/// # Errors
/// The database failed.
pub async fn mount_from(
    app: &App,
    caller: &Caller,
    target: &Access,
    digest: &Digest,
    from: &RepositoryName,
) -> Result<Mount, MountError> {
    let everything = caller.clone().with_all_scopes();
    let source = match access::authorize(app, &everything, from, OciAction::Pull).await {
        Ok(source) => source.place.repository,
        Err(AccessError::Store(error)) => return Err(error.into()),
        Err(_) => return Ok(Mount::NotFound),
    };
    if source.project_id != target.place.repository.project_id {
        match access::authorize(app, caller, from, OciAction::Pull).await {
            Ok(_) => {}
            Err(AccessError::Store(error)) => return Err(error.into()),
            Err(AccessError::InsufficientScope { .. }) => {
                let place = Place { repository: source, reach: Reach::Repository };
                let is_there = app.store.oci_blob(&place, digest).await?.is_some_and(|found| found.quarantined.is_none());
                return Ok(if is_there { Mount::NeedsScope(from.clone()) } else { Mount::NotFound });
            }
            Err(_) => return Ok(Mount::NotFound),
        }
    }
    Ok(if blob::mount(app, target, &source, digest).await? { Mount::Done } else { Mount::NotFound })
}

/// Brings a blob from any repository that the caller may read.
///
/// # Errors
/// The database failed.
pub async fn mount_from_anywhere(app: &App, caller: &Caller, target: &Access, digest: &Digest) -> Result<Mount, MountError> {
    let here = target.place.repository.project_id;
    for source in app.store.oci_sources(digest, here, limits::MAX_MOUNT_SOURCES).await? {
        if source.repository.project_id != here {
            let Ok(name) = full_name(source.project.as_str(), &source.repository.name).parse::<RepositoryName>() else {
                continue;
            };
            match access::authorize(app, caller, &name, OciAction::Pull).await {
                Ok(_) => {}
                Err(AccessError::Store(error)) => return Err(error.into()),
                Err(_) => continue,
            }
        }
        if blob::mount(app, target, &source.repository, digest).await? {
            return Ok(Mount::Done);
        }
    }
    Ok(Mount::NotFound)
}
