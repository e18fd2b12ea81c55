//! Manifests and indexes: checked and stored. The document itself is kept byte for byte.

use bencher_types::{
    Digest,
    oci::{
        digest::Algorithm,
        manifest::{self, InvalidManifest},
    },
    wire::spec::Architecture,
};

use super::{access::Access, hash::digest_of, index};
use crate::{
    app::App,
    limits,
    store::{
        StoreError,
        oci::{
            Place,
            manifest::{ManifestReference, NewManifest, Stored},
        },
    },
};

/// A manifest that is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error(transparent)]
    Invalid(#[from] InvalidManifest),
    #[error("the document's digest is {found}, but it was pushed as {expected}")]
    DigestMismatch { expected: Digest, found: Digest },
    #[error("the repository lacks the manifest's config {0}; push it first")]
    NoConfig(Digest),
    #[error("more than {limit} manifests would be in each other, this index one of them; list the images in one index")]
    TooDeep { limit: u32 },
    #[error("{digest} is {actual} bytes, but the manifest says {expected}; push the image again")]
    WrongSize { digest: Digest, actual: u64, expected: u64 },
    #[error(
        "the image has {size} bytes, and this server takes images of up to {limit} (`plus.registry.max_image_size`); make it smaller, \
         or ask an admin of this server for more"
    )]
    TooLarge { size: u64, limit: u64 },
    #[error("could not store the manifest")]
    Store(#[from] StoreError),
}

/// A manifest that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    pub digest: Digest,
    pub subject: Option<Digest>,
    /// What it refers to and the repository does not hold.
    pub missing: Vec<Digest>,
}

/// Stores a manifest under its digest and under tags. Layers and manifests that it refers to may be missing, as the specification lets
/// them: a copy of one platform of an image has the others' manifests nowhere. Its config may not. Jobs take complete images only.
///
/// # Errors
/// It is not valid, lacks its config, or has another digest than it was pushed as.
pub async fn push(
    app: &App,
    access: &Access,
    (reference, more_tags): (&ManifestReference, &[String]),
    content_type: Option<&str>,
    content: &[u8],
) -> Result<Pushed, ManifestError> {
    let parsed = manifest::parse(content_type, content)?;
    let (size, limit) = (parsed.blobs.values().fold(0, |sum: u64, size| sum.saturating_add(*size)), app.config.max_image_bytes());
    if size > limit {
        return Err(ManifestError::TooLarge { size, limit });
    }
    let (digest, tag) = match reference {
        ManifestReference::Tag(tag) => (digest_of(Algorithm::Sha256, content), Some(tag)),
        ManifestReference::Digest(expected) => {
            let found = digest_of(expected.algorithm(), content);
            if found != *expected {
                return Err(ManifestError::DigestMismatch { expected: expected.clone(), found });
            }
            (found, None)
        }
    };
    let now = app.clock.now();
    let stored = app
        .store
        .put_oci_manifest(&NewManifest {
            repository: &access.place.repository,
            digest: &digest,
            media_type: &parsed.media_type,
            artifact_type: parsed.artifact_type.as_deref(),
            subject: parsed.subject.as_ref(),
            content,
            config: parsed.config.as_ref(),
            blobs: &parsed.blobs,
            children: &parsed.children,
            tags: tag.into_iter().chain(more_tags).map(String::as_str).collect(),
            leased_until: now.saturating_add(app.config.upload_timeout()),
            now,
        })
        .await?;
    match stored {
        Stored::Stored { missing } => Ok(Pushed { digest, subject: parsed.subject, missing }),
        Stored::NoConfig(digest) => Err(ManifestError::NoConfig(digest)),
        Stored::WrongSize { digest, actual } => {
            let expected = parsed.blobs.get(&digest).copied().unwrap_or(0);
            Err(ManifestError::WrongSize { digest, actual, expected })
        }
        Stored::TooDeep => Err(ManifestError::TooDeep { limit: limits::MAX_MANIFEST_DEPTH }),
    }
}

/// The image of an index that whoever knows no indexes gets in its place: the one for linux/amd64, as from docker's registry. `None`
/// where it has none of a kind that is taken.
///
/// # Errors
/// The database failed.
pub async fn usual_image(
    app: &App,
    place: &Place,
    index: &Digest,
    takes: impl Fn(&str) -> bool,
) -> Result<Option<Digest>, StoreError> {
    let document = app.store.oci_manifest_document(place, &ManifestReference::Digest(index.clone())).await?;
    // What is no index lists nothing.
    let entries = document.map(|document| index::entries(&document.content)).unwrap_or_default();
    let fits = |entry: &index::Entry| entry.is_for(Architecture::X86_64) && entry.media_type.as_deref().is_some_and(&takes);
    Ok(entries.into_iter().find(fits).map(|entry| entry.digest))
}
