//! Blobs at rest: found through a repository, read in pieces.

use std::{io, ops::Range};

use bencher_types::Digest;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use object_store::{GetOptions, GetRange, GetResultPayload, ObjectStoreExt as _, path::Path};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::access::Access;
use crate::{
    app::App,
    limits,
    store::{StoreError, oci::RepositoryKey},
};

/// Bytes as they come in or go out.
pub type ByteStream = BoxStream<'static, io::Result<Bytes>>;

/// A blob that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("the repository holds no blob {0}; push it first")]
    Unknown(Digest),
    #[error("could not look up the blob")]
    Store(#[from] StoreError),
    #[error("could not read {digest} from the blob store")]
    Read {
        digest: Digest,
        #[source]
        source: object_store::Error,
    },
}

/// Where the blob store keeps a blob. The first two digits make folders of a bearable size.
#[must_use]
pub fn key(digest: &Digest) -> Path {
    let hex = digest.hex();
    Path::from(format!("blobs/{}/{}/{hex}", digest.algorithm().as_str(), &hex[..2]))
}

/// The size in bytes of a blob that the caller may read.
///
/// A blob that the database knows and the store has lost counts as unknown: the next push then brings it back.
///
/// # Errors
/// There is none, or the database or store failed.
pub async fn find(app: &App, access: &Access, digest: &Digest) -> Result<u64, BlobError> {
    let size = app.store.oci_blob(&access.place, digest).await?.ok_or_else(|| BlobError::Unknown(digest.clone()))?;
    match app.blobs.head(&key(digest)).await {
        Ok(meta) if meta.size == size => Ok(size),
        Ok(meta) => {
            tracing::error!(%digest, expected = size, found = meta.size, "a blob in the store has the wrong size; push it again");
            Err(BlobError::Unknown(digest.clone()))
        }
        Err(object_store::Error::NotFound { .. }) => {
            tracing::error!(%digest, "a blob is gone from the store; push it again");
            Err(BlobError::Unknown(digest.clone()))
        }
        Err(source) => Err(BlobError::Read { digest: digest.clone(), source }),
    }
}

/// Keeps a blob that a client has just found and will not push again for as long as the rest of its push may take.
///
/// # Errors
/// The database failed.
pub async fn lease(app: &App, access: &Access, digest: &Digest) -> Result<(), StoreError> {
    let until = app.clock.now().saturating_add(app.config.upload_timeout());
    app.store.lease_oci_blob(&access.place.repository, digest, until).await
}

/// A part of a blob that [`find`] found.
///
/// # Errors
/// The store failed.
pub async fn read(app: &App, digest: &Digest, range: Range<u64>) -> Result<ByteStream, BlobError> {
    if range.is_empty() {
        return Ok(futures::stream::empty().boxed());
    }
    let failed = |source| BlobError::Read { digest: digest.clone(), source };
    let length = range.end - range.start;
    let options = GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
    let found = app.blobs.get_opts(&key(digest), options).await.map_err(failed)?;
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

/// Gives the target repository a blob of the source; `false` where the source does not hold it.
///
/// # Errors
/// The database failed.
pub async fn mount(app: &App, target: &Access, source: &RepositoryKey, digest: &Digest) -> Result<bool, StoreError> {
    let now = app.clock.now();
    let until = now.saturating_add(app.config.upload_timeout());
    Ok(app.store.mount_oci_blob(&target.place.repository, source, digest, until, now).await?.is_some())
}
