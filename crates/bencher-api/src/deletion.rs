//! Deleting projects and organizations, and bringing them back.
//!
//! Deleted means hidden from everybody, with its slug free for others; an admin of the server can bring it back. Removed for good means
//! that nothing is left: no row, no output of a job, no blob of an image that no other repository holds.

use std::{sync::Arc, time::Duration};

use bencher_types::{Digest, JobUuid, ResourceId};
use futures::TryStreamExt as _;
use object_store::{ObjectStoreExt as _, path::Path};
use tracing::Instrument as _;

use crate::{
    app::App,
    auth::User,
    chain::chain,
    registry::blob,
    store::{
        StoreError,
        deletion::{Deletion, Restoration},
        oci::collect::Unheld,
        organization::OrganizationRow,
        project::ProjectRow,
    },
};

/// How something is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It can come back.
    Soft,
    /// It is gone.
    Hard,
}

/// Something that was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    #[error("runners are at work on {0} of its jobs; cancel them first or wait, or delete without `hard`, which cancels them")]
    Busy(usize),
    #[error(transparent)]
    Purge(#[from] PurgeError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Something that could not be removed for good now. It goes on when the server starts the next time, or when it is asked for again.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    #[error("could not remove {what} from the blob store")]
    Blobs {
        what: String,
        #[source]
        source: object_store::Error,
    },
    #[error("the removal was interrupted")]
    Interrupted,
    #[error("could not remove it from the database")]
    Store(#[from] StoreError),
}

/// Something that was not brought back.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("deleted {kind} ({id}) not found; name it by its UUID")]
    Unknown { kind: &'static str, id: ResourceId },
    #[error("this is being removed for good and cannot come back")]
    Purging,
    #[error("the organization of this project is deleted itself; restore the organization first")]
    OrganizationDeleted,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Deletes a project.
///
/// # Errors
/// It is to go for good and runners are at work for it, or a part of it could not be removed.
pub async fn delete_project(app: &Arc<App>, caller: &User, project: &ProjectRow, kind: Kind) -> Result<(), DeleteError> {
    let (message, now) = (format!("the project was deleted by user {}", caller.uuid), app.clock.now());
    let deletion = match kind {
        Kind::Soft => app.store.delete_project(project.id, &message, now).await?,
        Kind::Hard => app.store.begin_project_purge(project.id, &message, now).await?,
    };
    stop(app, deletion)?;
    tracing::info!(project.uuid = %project.uuid.0, user.uuid = %caller.uuid, ?kind, "a project was deleted");
    if kind == Kind::Hard {
        let (app, project) = (app.clone(), project.id);
        to_the_end(async move { purge_project(&app, project).await }).await?;
    }
    Ok(())
}

/// Deletes an organization with everything in it.
///
/// # Errors
/// As for [`delete_project`].
pub async fn delete_organization(
    app: &Arc<App>,
    caller: &User,
    organization: &OrganizationRow,
    kind: Kind,
) -> Result<(), DeleteError> {
    let (message, now) = (format!("the organization was deleted by user {}", caller.uuid), app.clock.now());
    let deletion = match kind {
        Kind::Soft => app.store.delete_organization(organization.id, &message, now).await?,
        Kind::Hard => app.store.begin_organization_purge(organization.id, &message, now).await?,
    };
    stop(app, deletion)?;
    tracing::info!(organization.uuid = %organization.uuid.0, user.uuid = %caller.uuid, ?kind, "an organization was deleted");
    if kind == Kind::Hard {
        let (app, organization) = (app.clone(), organization.id);
        to_the_end(async move { purge_organization(&app, organization).await }).await?;
    }
    Ok(())
}

/// Removes a project for good that was deleted before. `false` where there is none.
///
/// # Errors
/// As for [`delete_project`].
pub async fn purge_deleted_project(app: &Arc<App>, id: &ResourceId) -> Result<bool, DeleteError> {
    let ResourceId::Uuid(uuid) = id else { return Ok(false) };
    let Some(project) = app.store.deleted_project(*uuid).await? else { return Ok(false) };
    stop(app, app.store.begin_project_purge(project, "the project was deleted", app.clock.now()).await?)?;
    let app = app.clone();
    to_the_end(async move { purge_project(&app, project).await }).await?;
    Ok(true)
}

/// Removes an organization for good that was deleted before. `false` where there is none.
///
/// # Errors
/// As for [`delete_project`].
pub async fn purge_deleted_organization(app: &Arc<App>, id: &ResourceId) -> Result<bool, DeleteError> {
    let ResourceId::Uuid(uuid) = id else { return Ok(false) };
    let Some(organization) = app.store.deleted_organization(*uuid).await? else { return Ok(false) };
    stop(app, app.store.begin_organization_purge(organization, "the organization was deleted", app.clock.now()).await?)?;
    let app = app.clone();
    to_the_end(async move { purge_organization(&app, organization).await }).await?;
    Ok(true)
}

/// Brings a deleted project back. Its row.
///
/// # Errors
/// There is none, or its organization is deleted, or it is being removed for good.
pub async fn restore_project(app: &App, id: &ResourceId) -> Result<i64, RestoreError> {
    let unknown = || RestoreError::Unknown { kind: "project", id: id.clone() };
    let ResourceId::Uuid(uuid) = id else { return Err(unknown()) };
    restored(app.store.restore_project(*uuid, app.clock.now()).await?, unknown)
}

/// Brings a deleted organization back, with the projects that were deleted with it. Its row.
///
/// # Errors
/// There is none, or it is being removed for good.
pub async fn restore_organization(app: &App, id: &ResourceId) -> Result<i64, RestoreError> {
    let unknown = || RestoreError::Unknown { kind: "organization", id: id.clone() };
    let ResourceId::Uuid(uuid) = id else { return Err(unknown()) };
    restored(app.store.restore_organization(*uuid, app.clock.now()).await?, unknown)
}

fn restored(restoration: Restoration, unknown: impl FnOnce() -> RestoreError) -> Result<i64, RestoreError> {
    match restoration {
        Restoration::Done(id) => Ok(id),
        Restoration::Unknown => Err(unknown()),
        Restoration::Purging => Err(RestoreError::Purging),
        Restoration::OrganizationDeleted => Err(RestoreError::OrganizationDeleted),
    }
}

/// Goes on with what an earlier run of the server began to remove.
pub async fn resume(app: Arc<App>) {
    // How long to wait after the database or the blob store failed.
    const RETRY: Duration = Duration::from_secs(60);

    while let Err(error) = resume_once(&app).await {
        tracing::error!(error = chain(&error), "could not remove what was deleted for good; trying again");
        tokio::time::sleep(RETRY).await;
    }
}

async fn resume_once(app: &App) -> Result<(), PurgeError> {
    for project in app.store.purging_projects(None).await? {
        purge_project(app, project).await?;
    }
    for organization in app.store.purging_organizations().await? {
        purge_organization(app, organization).await?;
    }
    Ok(())
}

/// Tells the runners whose jobs were canceled.
fn stop(app: &App, deletion: Deletion) -> Result<(), DeleteError> {
    match deletion {
        Deletion::Done(canceled) => {
            for job in canceled {
                app.hub.cancel(job);
            }
            Ok(())
        }
        Deletion::Busy(jobs) => Err(DeleteError::Busy(jobs)),
    }
}

/// Runs in a task of its own: a client that does not wait for the end of a long removal does not stop it.
async fn to_the_end(purge: impl Future<Output = Result<(), PurgeError>> + Send + 'static) -> Result<(), PurgeError> {
    tokio::spawn(purge.in_current_span()).await.unwrap_or(Err(PurgeError::Interrupted))
}

async fn purge_organization(app: &App, organization: i64) -> Result<(), PurgeError> {
    loop {
        for project in app.store.purging_projects(Some(organization)).await? {
            purge_project(app, project).await?;
        }
        if app.store.purge_organization(organization).await? {
            return Ok(());
        }
    }
}

async fn purge_project(app: &App, project: i64) -> Result<(), PurgeError> {
    loop {
        loop {
            let chunk = app.store.reports_to_purge(project).await?;
            if chunk.is_empty() {
                break;
            }
            // Output goes before the rows that say whose it is.
            for job in &chunk.jobs {
                purge_output(app, *job).await?;
            }
            app.store.purge_reports(&chunk).await?;
        }
        for digest in app.store.blobs_to_purge(project).await? {
            purge_blob(app, project, &digest).await?;
        }
        if app.store.purge_project(project).await? {
            return Ok(());
        }
    }
}

/// Removes everything that runners delivered for a job.
async fn purge_output(app: &App, job: JobUuid) -> Result<(), PurgeError> {
    let failed = |source| PurgeError::Blobs { what: format!("the output of job {job}"), source };
    let files: Vec<_> = app.blobs.list(Some(&Path::from(format!("jobs/{job}")))).try_collect().await.map_err(failed)?;
    for file in files {
        ignore_missing(app.blobs.delete(&file.location).await).map_err(failed)?;
    }
    Ok(())
}

/// A crash after the row is gone leaves bytes that belong to nothing: the registry's collector finds them.
async fn purge_blob(app: &App, project: i64, digest: &Digest) -> Result<(), PurgeError> {
    app.store.release_oci_blob_of(project, digest).await?;
    // Unless another repository holds it.
    let Some(Unheld { copy, .. }) = app.store.forget_oci_blob(digest).await? else { return Ok(()) };
    let removed = blob::remove(app, digest, copy).await;
    removed.map_err(|source| PurgeError::Blobs { what: format!("the blob {digest}"), source })
}

fn ignore_missing(removed: Result<(), object_store::Error>) -> Result<(), object_store::Error> {
    match removed {
        Err(object_store::Error::NotFound { .. }) => Ok(()),
        other => other,
    }
}
