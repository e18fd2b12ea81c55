//! Blobs at rest: found through a repository, read in pieces.

use std::{io, ops::Range};

use bencher_types::{DateTime, Digest};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use object_store::{GetOptions, GetRange, GetResultPayload, ObjectStoreExt as _, path::Path};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::{access::Access, quota};
use crate::{
    app::App,
    limits,
    store::{
        StoreError,
        oci::{
            RepositoryKey,
            blob::{Content, CopyId, Held},
        },
    },
};

/// Bytes as they come in or go out.
pub type ByteStream = BoxStream<'static, io::Result<Bytes>>;

/// A blob that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("the repository holds no blob {0}; push it first")]
    Unknown(Digest),
    #[error(
        "the blob {digest} is damaged or missing in the server's blob store, as was found at {since}; push it again, or ask an admin \
         of this server to put it back"
    )]
    Quarantined { digest: Digest, since: DateTime },
    #[error("could not look up the blob")]
    Store(#[from] StoreError),
    #[error("could not read {digest} from the blob store")]
    Read {
        digest: Digest,
        #[source]
        source: object_store::Error,
    },
}

/// The part of the blob store that holds images.
pub const FOLDER: &str = "blobs";

/// Where the blob store keeps a copy of a blob. The first two digits make folders of a bearable size.
#[must_use]
pub fn key(digest: &Digest, copy: CopyId) -> Path {
    let hex = digest.hex();
    let folder = format!("{FOLDER}/{}/{}", digest.algorithm().as_str(), &hex[..2]);
    Path::from(match copy {
        CopyId::FIRST => format!("{folder}/{hex}"),
        copy => format!("{folder}/{hex}.{copy}"),
    })
}

/// What is kept under a name, if it is one that [`key`] gives.
#[must_use]
pub fn named(path: &Path) -> Option<(Digest, CopyId)> {
    let mut parts = path.as_ref().split('/').skip(1);
    let (algorithm, file) = (parts.next()?, parts.nth(1)?);
    let (hex, copy) = file.split_once('.').unwrap_or((file, ""));
    let (digest, copy) = (format!("{algorithm}:{hex}").parse().ok()?, copy.parse().ok()?);
    (key(&digest, copy) == *path).then_some((digest, copy))
}

/// A blob that the caller may read.
///
/// A blob that the database knows and the store has lost goes into quarantine: the next push then brings it back.
///
/// # Errors
/// There is none, or the database or store failed.
pub async fn find(app: &App, access: &Access, digest: &Digest) -> Result<Content, BlobError> {
    let content = app.store.oci_blob(&access.place, digest).await?.ok_or_else(|| BlobError::Unknown(digest.clone()))?;
    if let Some(since) = content.quarantined {
        return Err(BlobError::Quarantined { digest: digest.clone(), since });
    }
    match is_there(app, digest, &content).await {
        Ok(true) => Ok(content),
        Ok(false) => {
            let since = app.clock.now();
            app.store.quarantine_oci_blob(digest, content.copy, since).await?;
            Err(BlobError::Quarantined { digest: digest.clone(), since })
        }
        Err(source) => Err(BlobError::Read { digest: digest.clone(), source }),
    }
}

/// Whether the store has so much content under a blob's name; says so in the log where not.
pub(super) async fn is_there(app: &App, digest: &Digest, content: &Content) -> Result<bool, object_store::Error> {
    match app.blobs.head(&key(digest, content.copy)).await {
        Ok(meta) if meta.size == content.size => Ok(true),
        Ok(meta) => {
            tracing::error!(%digest, expected = content.size, found = meta.size, "a blob in the store has the wrong size; push it again");
            Ok(false)
        }
        Err(object_store::Error::NotFound { .. }) => {
            tracing::error!(%digest, "a blob is gone from the store; push it again");
            Ok(false)
        }
        Err(source) => Err(source),
    }
}

/// Keeps a blob that a client has just found and will not push again for as long as the rest of its push may take.
///
/// # Errors
/// It is not there any more, or the database failed.
pub async fn lease(app: &App, access: &Access, digest: &Digest, content: &Content) -> Result<(), BlobError> {
    let (now, timeout) = (app.clock.now(), app.config.upload_timeout());
    // A lease never gets shorter, so what is left of one may be enough: most blobs are looked for more than once in a push.
    if content.leased_until.is_some_and(|until| until.since(now) > timeout / 2) {
        return Ok(());
    }
    match app.store.lease_oci_blob(&access.place.repository, digest, now.saturating_add(timeout)).await? {
        true => Ok(()),
        false => Err(BlobError::Unknown(digest.clone())),
    }
}

/// A part of a blob that [`find`] found.
///
/// # Errors
/// The store failed.
pub async fn read(app: &App, digest: &Digest, content: &Content, range: Range<u64>) -> Result<ByteStream, BlobError> {
    if range.is_empty() {
        return Ok(futures::stream::empty().boxed());
    }
    let failed = |source| BlobError::Read { digest: digest.clone(), source };
    let length = range.end - range.start;
    let options = GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
    let found = app.blobs.get_opts(&key(digest, content.copy), options).await.map_err(failed)?;
    match found.payload {
        // The store's own stream of a file goes in steps of 8 KiB, each with a change of threads.
        GetResultPayload::File(file, path) => {
            let mut file = tokio::fs::File::from_std(file);
            let seek = file.seek(io::SeekFrom::Start(range.start)).await;
            seek.map_err(|source| failed(object_store::Error::Generic { store: "file", source: Box::new(source) }))?;
            tracing::trace!(path = %path.display(), length, "serving a file");
            Ok(ReaderStream::with_capacity(file.take(length), limits::BLOB_READ_BYTES).boxed())
        }
        GetResultPayload::Stream(stream) => Ok(stream.map_err(io::Error::other).boxed()),
    }
}

/// Removes the bytes of a copy that counts no more.
///
/// # Errors
/// The store failed; the collector finds what it left.
pub async fn remove(app: &App, digest: &Digest, copy: CopyId) -> Result<(), object_store::Error> {
    match app.blobs.delete(&key(digest, copy)).await {
        Err(object_store::Error::NotFound { .. }) => Ok(()),
        other => other,
    }
}

/// Why a repository did not come to hold a blob of another one.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    #[error(transparent)]
    NoRoom(#[from] quota::NoRoom),
    #[error("could not note in the database who holds the blob")]
    Store(#[from] StoreError),
}

/// Gives the target repository a blob of the source; `false` where the source does not hold it.
///
/// # Errors
/// There is no room for it, or the database failed.
pub async fn mount(app: &App, target: &Access, source: &RepositoryKey, digest: &Digest) -> Result<bool, MountError> {
    let now = app.clock.now();
    let until = now.saturating_add(app.config.upload_timeout());
    let (repository, defaults) = (&target.place.repository, app.config.registry_quotas());
    match app.store.mount_oci_blob(repository, source, digest, (until, now), &defaults).await? {
        Held::Held(_) => Ok(true),
        Held::Gone => Ok(false),
        Held::NoRoom(exceeded) => Err(quota::NoRoom::in_project_of(target, exceeded).into()),
    }
}

#[cfg(test)]
mod tests;
