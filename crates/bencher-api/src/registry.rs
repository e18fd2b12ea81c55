//! The image registry (OCI distribution specification 1.1): what it stores, for whom, and how an image's name becomes a digest.
//!
//! Blobs are one store for all repositories; which repository holds which is in the database. A repository's name begins with a
//! project; whoever may view the project may pull, and members of its organization may push. Knows nothing of HTTP.
//!
//! The way of a blob: `begin` → bytes are appended to a file in the uploads folder and hashed on the way → the file is flushed and
//! renamed to its digest → the repository holds it, leased until a manifest refers to it. A crash in between leaves an upload that
//! can be continued or expires, or a content-addressed file that the next push of the same blob replaces.

pub mod access;
pub mod blob;
pub mod hash;
pub mod manifest;
pub mod name;
pub mod scope;
pub mod upload;

use std::time::Duration;

use bencher_types::{Digest, ImageRef, Jwt, ProjectUuid, RunnerUuid};

use crate::{
    app::App,
    store::{
        StoreError,
        oci::{Place, Reach, RepositoryKey, manifest::ManifestReference},
    },
    token::{Audience, OciAccess, OciAction},
};

/// The manifest or index that an image's name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedImage {
    pub digest: Digest,
    pub media_type: String,
    /// Bytes of the document.
    pub size: u64,
}

/// What an image's name stands for right now in a project's part of this registry; `None` where there is no such image.
///
/// The reference's host and its first segment are the caller's to check: they say which server and which project is meant.
///
/// # Errors
/// The database failed.
pub async fn resolve(app: &App, project_id: i64, image: &ImageRef) -> Result<Option<ResolvedImage>, StoreError> {
    let name = image.repository().split_once('/').map_or("", |(_, rest)| rest).to_owned();
    let place = Place { repository: RepositoryKey { project_id, name }, reach: Reach::Repository };
    let reference = match (image.digest(), image.tag()) {
        (Some(digest), _) => ManifestReference::Digest(digest.clone()),
        (None, tag) => ManifestReference::Tag(tag.unwrap_or(bencher_types::oci::reference::DEFAULT_TAG).to_owned()),
    };
    let Some(row) = app.store.oci_manifest(&place, &reference).await? else { return Ok(None) };
    let size = u64::try_from(row.size).map_err(|_| StoreError::corrupt("oci_manifest.size"))?;
    Ok(Some(ResolvedImage { digest: row.digest.0, media_type: row.media_type, size }))
}

/// A token with which a runner pulls the images of one project, at `/v2/{project UUID}/…` by their digests.
#[must_use]
pub fn runner_pull_token(app: &App, runner: RunnerUuid, project: ProjectUuid, ttl: Duration) -> Jwt {
    let access = OciAccess { repository: Some(project.to_string()), actions: vec![OciAction::Pull], also: Vec::new() };
    app.tokens.issue(Audience::OciRunner, runner.to_string(), Some(access), app.clock.now(), ttl).0
}
