//! Images from one place to another: registries and layouts, one platform or all of an index, with everything that they point to.
//!
//! Blobs go first and in parallel, then the documents that name them, innermost first, then the name: at no moment does a name
//! point to something incomplete. Documents are passed on as they are, so that digests stay. What is there already is not sent.

mod moving;

use std::{collections::HashSet, path::PathBuf, sync::Arc};

use bencher_types::Digest;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    client::{RegistryClient, RegistryError},
    document::{self, BlobRef, Document, DocumentError},
    layout::Layout,
    limits::{Limits, MAX_INDEX_DEPTH, MAX_MANIFESTS, PARALLEL_COPIES},
    platform::Platform,
    progress::{Progress, Silent},
};
use moving::Moving;

/// Where an image is.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a command has one; a box would be in the way of every caller")]
pub enum Origin {
    /// `reference` is a tag or a digest.
    Registry { client: RegistryClient, repository: String, reference: String },
    /// Without a reference: the only image.
    Layout { layout: Layout, reference: Option<String> },
}

/// Where an image is to be.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a command has one; a box would be in the way of every caller")]
pub enum Destination {
    /// Without a tag it can be named by its digest alone.
    Registry {
        client: RegistryClient,
        repository: String,
        tag: Option<String>,
    },
    Layout {
        layout: Layout,
        name: Option<String>,
    },
}

/// How an image is copied.
#[derive(Clone)]
pub struct Copy {
    /// Of an index, only the image of this platform.
    pub platform: Option<Platform>,
    pub limits: Limits,
    /// Where blobs are kept on their way from one registry to another; a blob that was interrupted goes on from what is there.
    pub spool: PathBuf,
    /// Told of what is copied on this machine. Transfers are told to the clients' observers.
    pub progress: Arc<dyn Progress>,
    /// From registry to registry, also what refers to the image or to a part of it, and what refers to that: signatures and the like.
    pub referrers: bool,
}

impl Copy {
    /// A copy of everything, with the default limits.
    #[must_use]
    pub fn new(spool: PathBuf) -> Self {
        Self { platform: None, limits: Limits::default(), spool, progress: Arc::new(Silent), referrers: false }
    }
}

/// What a copy did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The digest of the manifest or index; with it, the image can be named for ever.
    pub digest: Digest,
    pub media_type: String,
    /// Bytes of blobs that were sent or fetched.
    pub moved_bytes: u64,
    /// Bytes of blobs that were there already.
    pub present_bytes: u64,
}

/// A document and its content.
#[derive(Clone, Debug)]
pub struct Documented {
    pub blob: BlobRef,
    pub bytes: Vec<u8>,
}

impl Origin {
    /// The manifest or index that the image's name means.
    ///
    /// # Errors
    /// It is not there, not what its digest says, or cannot be read.
    pub async fn root(&self, limits: &Limits) -> Result<Documented, RegistryError> {
        match self {
            Self::Registry { client, repository, reference } => {
                let raw = client.manifest(repository, reference).await?;
                let blob = BlobRef { digest: raw.digest, size: raw.bytes.len() as u64, media_type: raw.media_type };
                Ok(Documented { blob, bytes: raw.bytes })
            }
            Self::Layout { layout, reference } => {
                let blob = layout.find(reference.as_deref())?;
                Ok(Documented { bytes: layout.read_document(&blob, limits.manifest_bytes)?, blob })
            }
        }
    }

    /// A further manifest of it.
    ///
    /// # Errors
    /// As [`Origin::root`].
    pub async fn child(&self, blob: &BlobRef, limits: &Limits) -> Result<Documented, RegistryError> {
        let bytes = match self {
            Self::Registry { client, repository, .. } => client.manifest(repository, &blob.digest.to_string()).await?.bytes,
            Self::Layout { layout, .. } => layout.read_document(blob, limits.manifest_bytes)?,
        };
        Ok(Documented { blob: blob.clone(), bytes })
    }

    /// A blob that is small enough to be held in memory, such as a configuration.
    ///
    /// # Errors
    /// It is larger than a configuration may be, not there, or not what its digest says.
    pub async fn small_blob(&self, blob: &BlobRef, limits: &Limits) -> Result<Vec<u8>, RegistryError> {
        if blob.size > limits.config_bytes {
            let (found, limit) = (blob.size, limits.config_bytes);
            return Err(DocumentError::TooLarge { what: "image configuration", found, limit }.into());
        }
        match self {
            Self::Registry { client, repository, .. } => client.small_blob(repository, blob).await,
            Self::Layout { layout, .. } => Ok(layout.read_document(blob, limits.config_bytes)?),
        }
    }

    /// The image of a platform, where the name means an index; else the image itself.
    ///
    /// # Errors
    /// There is none for that platform, or as [`Origin::root`].
    pub async fn of_platform(&self, platform: &Platform, limits: &Limits) -> Result<Documented, RegistryError> {
        let mut found = self.root(limits).await?;
        for _ in 0..MAX_INDEX_DEPTH {
            match Document::parse(&found.bytes)? {
                Document::Manifest(manifest) => {
                    self.check_platform(&manifest, platform, limits).await?;
                    return Ok(found);
                }
                Document::Index(index) => found = self.child(&document::select_platform(&index, platform)?, limits).await?,
            }
        }
        Err(DocumentError::IndexTooDeep(MAX_INDEX_DEPTH).into())
    }

    async fn check_platform(
        &self,
        manifest: &oci_spec::image::ImageManifest,
        platform: &Platform,
        limits: &Limits,
    ) -> Result<(), RegistryError> {
        let config = document::check_manifest(manifest, limits)?;
        let found = document::platform_of(&self.small_blob(&config, limits).await?)?;
        if found == *platform {
            return Ok(());
        }
        Err(DocumentError::WrongPlatform { found: found.to_string(), host: platform.clone() }.into())
    }
}

/// Copies an image. What was transferred of a copy that fails transiently is kept: the same copy goes on from there.
///
/// # Errors
/// The image is not there, not for the platform, damaged or beyond a limit; the destination does not take it; a registry cannot
/// be reached, or the disk refuses.
pub async fn copy(from: &Origin, to: &Destination, how: &Copy) -> Result<Copied, RegistryError> {
    let root = match &how.platform {
        Some(platform) => from.of_platform(platform, &how.limits).await?,
        None => from.root(&how.limits).await?,
    };
    let contents = contents(from, root, &how.limits).await?;
    let subjects = contents.documents.iter().map(|document| document.blob.digest.clone()).collect();
    let mut copied = transfer(from, to, how, contents).await?;
    if let (true, Origin::Registry { client, repository, .. }, Destination::Registry { client: target, repository: name, .. }) =
        (how.referrers, from, to)
    {
        let attached = attached((client, repository), (target, name), how, subjects).await?;
        copied.moved_bytes += attached.iter().map(|copied| copied.moved_bytes).sum::<u64>();
        copied.present_bytes += attached.iter().map(|copied| copied.present_bytes).sum::<u64>();
    }
    Ok(copied)
}

/// Copies what refers to these manifests, and what refers to that.
async fn attached(
    (client, repository): (&RegistryClient, &str),
    (target, name): (&RegistryClient, &str),
    how: &Copy,
    mut subjects: Vec<Digest>,
) -> Result<Vec<Copied>, RegistryError> {
    let (mut seen, mut done) = (HashSet::new(), Vec::new());
    while let Some(subject) = subjects.pop() {
        if !seen.insert(subject.clone()) {
            continue;
        }
        if seen.len() > MAX_MANIFESTS {
            return Err(DocumentError::TooManyManifests(MAX_MANIFESTS).into());
        }
        for referrer in client.referrers(repository, &subject).await? {
            let from = Origin::Registry {
                client: client.clone(),
                repository: repository.to_owned(),
                reference: referrer.digest.to_string(),
            };
            let to = Destination::Registry { client: target.clone(), repository: name.to_owned(), tag: referrer.tag };
            let root = from.root(&how.limits).await?;
            let contents = contents(&from, root, &how.limits).await?;
            subjects.extend(contents.documents.iter().map(|document| document.blob.digest.clone()));
            done.push(transfer(&from, &to, how, contents).await?);
        }
    }
    Ok(done)
}

async fn transfer(from: &Origin, to: &Destination, how: &Copy, contents: Contents) -> Result<Copied, RegistryError> {
    let Contents { root, documents, blobs } = contents;
    let moving = Moving::new(from, to, how)?;
    let moved = moving.everything(&documents, &blobs).await;
    // What can go on stays for the next try; what cannot is no use to anybody.
    if !moved.as_ref().is_err_and(RegistryError::is_transient) {
        moving.clear().await?;
    }
    let moved = moved?;
    let sum = |was_moved| moved.iter().filter(|(_, moved)| *moved == was_moved).map(|(size, _)| size).sum();
    Ok(Copied { digest: root.digest, media_type: root.media_type, moved_bytes: sum(true), present_bytes: sum(false) })
}

/// All that belongs to an image: each blob once, and the documents such that each comes after what it points to.
struct Contents {
    root: BlobRef,
    documents: Vec<Documented>,
    blobs: Vec<BlobRef>,
}

async fn contents(from: &Origin, root: Documented, limits: &Limits) -> Result<Contents, RegistryError> {
    let (mut documents, mut blobs) = (Vec::new(), Vec::new());
    let media_type = Document::parse(&root.bytes)?.media_type();
    let root_blob = BlobRef { media_type, ..root.blob.clone() };
    let mut seen = HashSet::from([root.blob.digest.clone()]);
    let mut level = vec![root];
    for depth in 0.. {
        let mut children = Vec::new();
        for mut found in level {
            let document = Document::parse(&found.bytes)?;
            found.blob.media_type = document.media_type();
            let parts = document.parts(limits)?;
            blobs.extend(parts.blobs.into_iter().filter(|blob| seen.insert(blob.digest.clone())));
            children.extend(parts.manifests.into_iter().filter(|child| seen.insert(child.digest.clone())));
            documents.push(found);
        }
        if children.is_empty() {
            break;
        }
        if depth == MAX_INDEX_DEPTH {
            return Err(DocumentError::IndexTooDeep(MAX_INDEX_DEPTH).into());
        }
        if documents.len() + children.len() > MAX_MANIFESTS {
            return Err(DocumentError::TooManyManifests(MAX_MANIFESTS).into());
        }
        let fetches: Vec<_> = children.iter().map(|child| from.child(child, limits)).collect();
        level = stream::iter(fetches).buffered(PARALLEL_COPIES).try_collect().await?;
    }
    documents.reverse();
    Ok(Contents { root: root_blob, documents, blobs })
}
