//! The blobs of a move: each is copied unless it is there, read back, and compared with the digest that its name says it has.

use std::io;

use bencher_types::{Digest, oci::digest::Algorithm};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _, path::Path};

use super::Progress;
use crate::{
    blobs::{self, Blobs, Commit, PutError},
    limits,
    registry::{blob, hash::Hasher, upload},
};

/// Blobs that were not copied.
#[derive(Debug, thiserror::Error)]
pub enum BlobsError {
    #[error("could not list what the source has")]
    List(#[source] object_store::Error),
    #[error("could not read {key}")]
    Read {
        key: Path,
        #[source]
        source: object_store::Error,
    },
    #[error("could not write {key}")]
    Write {
        key: Path,
        #[source]
        source: PutError,
    },
    #[error(
        "{key} is damaged: its content has the digest {found}; remove it from the source to go on without it, and push it again after"
    )]
    Damaged { key: Path, found: Digest },
    #[error("{key} did not arrive as it was sent: its content has the digest {found} there, and {expected} here; start again")]
    Differs { key: Path, expected: Digest, found: Digest },
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Copied {
    pub(super) blobs: u64,
    pub(super) bytes: u64,
    pub(super) found: u64,
}

/// Copies everything but uploads that are under way.
pub(super) async fn copy(from: &Blobs, to: &Blobs, told: &mut (dyn FnMut(Progress<'_>) + Send)) -> Result<Copied, BlobsError> {
    let listed = || from.store.list(None).try_filter(|meta| std::future::ready(!is_upload(&meta.location)));
    let bytes = listed().try_fold(0, async |sum, meta| Ok(sum + meta.size)).await.map_err(BlobsError::List)?;
    told(Progress::Blobs { bytes });
    let mut copied = Copied::default();
    let mut metas = listed();
    while let Some(meta) = metas.try_next().await.map_err(BlobsError::List)? {
        let found = ensure(from, to, &meta).await?;
        copied.blobs += 1;
        copied.bytes += meta.size;
        copied.found += u64::from(found == Found::There);
        told(Progress::BlobBytes(meta.size));
    }
    Ok(copied)
}

fn is_upload(key: &Path) -> bool {
    key.parts().next().is_some_and(|first| first.as_ref() == upload::FOLDER)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    There,
    Missing,
}

/// Sees to it that the target has the blob.
async fn ensure(from: &Blobs, to: &Blobs, meta: &ObjectMeta) -> Result<Found, BlobsError> {
    let key = &meta.location;
    let named = digest_of(key);
    let algorithm = named.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
    let there = match to.store.head(key).await {
        Ok(there) => there.size == meta.size,
        Err(object_store::Error::NotFound { .. }) => false,
        Err(source) => return Err(BlobsError::Read { key: key.clone(), source }),
    };
    if there {
        let expected = match &named {
            Some(digest) => digest.clone(),
            None => hash(from.store.as_ref(), key, algorithm).await?,
        };
        if hash(to.store.as_ref(), key, algorithm).await? == expected {
            return Ok(Found::There);
        }
    }
    let sent = send(from, to, key, algorithm).await?;
    if let Some(named) = named.filter(|named| *named != sent) {
        tracing::debug!(%named, "a blob is damaged at the source");
        // It must not stay there under a digest that it does not have.
        if let Err(error) = to.store.delete(key).await {
            tracing::warn!(%key, %error, "could not remove a damaged blob from the target");
        }
        return Err(BlobsError::Damaged { key: key.clone(), found: sent });
    }
    let found = hash(to.store.as_ref(), key, algorithm).await?;
    if found != sent {
        return Err(BlobsError::Differs { key: key.clone(), expected: sent, found });
    }
    Ok(Found::Missing)
}

/// Copies a blob and returns the digest of what was read.
async fn send(from: &Blobs, to: &Blobs, key: &Path, algorithm: Algorithm) -> Result<Digest, BlobsError> {
    let failed = |source| BlobsError::Read { key: key.clone(), source };
    let mut hasher = Hasher::new(algorithm);
    let body = from.store.get(key).await.map_err(failed)?.into_stream();
    let body = body.map_err(io::Error::other).inspect_ok(|bytes| hasher.update(bytes)).boxed();
    let part_bytes = match to.commit {
        Commit::Send { part_bytes } => part_bytes,
        Commit::Rename => usize::try_from(limits::DEFAULT_BLOB_PART_BYTES).unwrap_or(usize::MAX),
    };
    let sent = blobs::put(&to.store, key, body, part_bytes).await;
    sent.map_err(|source| BlobsError::Write { key: key.clone(), source })?;
    Ok(hasher.digest())
}

async fn hash(store: &dyn ObjectStore, key: &Path, algorithm: Algorithm) -> Result<Digest, BlobsError> {
    let failed = |source| BlobsError::Read { key: key.clone(), source };
    let mut body = store.get(key).await.map_err(failed)?.into_stream();
    let mut hasher = Hasher::new(algorithm);
    while let Some(bytes) = body.try_next().await.map_err(failed)? {
        hasher.update(&bytes);
    }
    Ok(hasher.digest())
}

/// The digest that a blob's name says its content has: images' are all digest, and the output of a job has it at the end.
fn digest_of(key: &Path) -> Option<Digest> {
    if let Some((digest, _)) = blob::named(key) {
        return Some(digest);
    }
    let parts: Vec<_> = key.parts().collect();
    match parts.iter().map(AsRef::as_ref).collect::<Vec<&str>>().as_slice() {
        ["jobs", _, file] => {
            let (_, hex) = file.strip_suffix(".json")?.rsplit_once('-')?;
            format!("sha256:{hex}").parse().ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
