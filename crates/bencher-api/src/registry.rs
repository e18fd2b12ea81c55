//! The image registry (OCI distribution specification 1.1): what it stores, and for whom.
//!
//! Blobs are one store for all repositories; which repository holds which is in the database. A repository's name begins with a
//! project; whoever may view the project may pull, and whoever may add to it may push. Knows nothing of HTTP.
//!
//! The way of a blob: `begin` → bytes are appended to a file in the uploads folder and hashed on the way → the file is flushed and
//! renamed to its digest and the upload's id → the repository holds it, leased until a manifest refers to it. A crash in between leaves
//! an upload that can be continued or expires, or a file that belongs to no blob, which the collector finds.
//!
//! `collect` takes away what nothing needs, `retention` says which images a project keeps, `quota` how much it may have, `verify` reads
//! blobs at rest again, and `signing` says by whom an image is signed.

pub mod access;
pub mod bandwidth;
pub mod blob;
pub mod collect;
pub mod hash;
pub mod index;
pub mod manifest;
pub mod mount;
pub mod name;
pub mod quota;
pub mod referrer;
pub mod retention;
pub mod scope;
pub mod signing;
pub mod turn;
pub mod upload;
pub mod verify;

use std::time::Duration;

use bencher_types::{Jwt, ProjectUuid, RunnerUuid};

use crate::{
    app::App,
    token::{Audience, OciAccess, OciAction},
};

/// A token with which a runner pulls the images of one project, at `/v2/{project UUID}/…` by their digests.
#[must_use]
pub fn runner_pull_token(app: &App, runner: RunnerUuid, project: ProjectUuid, ttl: Duration) -> Jwt {
    let access = OciAccess { repository: Some(project.to_string()), actions: vec![OciAction::Pull], ..OciAccess::default() };
    app.tokens.issue(Audience::OciRunner, runner.to_string(), Some(access), app.clock.now(), ttl).0
}
