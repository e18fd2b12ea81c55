//! Manifests, indexes and image configurations: parsed, held against the limits, and put together. Pure; knows neither
//! network nor disk.

use std::collections::BTreeMap;

use bencher_types::{Digest, oci::digest::InvalidDigest};
use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex, ImageManifest};

use crate::{limits::Limits, platform::Platform};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// What a client accepts where it asks for a manifest, most wanted first.
pub(crate) const MANIFEST_TYPES: [&str; 4] = [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_INDEX];

const CONFIG_TYPES: [&str; 2] = ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
/// A layer that is compressed by gzip, as docker calls it.
pub(crate) const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// How layers are compressed is seen from their first bytes; the media type only says that they are layers at all.
const LAYER_TYPES: [&str; 7] = [
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    DOCKER_LAYER,
];

/// Why documents do not make an image this machine can use.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    #[error("the {what} is {found} bytes, but at most {limit} are accepted")]
    TooLarge { what: &'static str, found: u64, limit: u64 },
    #[error("the {what} is not valid JSON of its kind")]
    Malformed {
        what: &'static str,
        #[source]
        source: serde_json::Error,
    },
    #[error("the manifest has schema version {0}, expected 2; push the image again with a current tool")]
    SchemaVersion(u32),
    #[error("the {what} names a digest that cannot be used")]
    Digest {
        what: &'static str,
        #[source]
        source: InvalidDigest,
    },
    #[error("`{0}` is not a container image: its configuration has another media type")]
    NotAnImage(String),
    #[error("layer {layer} has the media type `{media_type}`, expected a tar archive, plain or compressed by gzip or zstd")]
    LayerType { layer: usize, media_type: String },
    #[error("image is for {found}, this host is {host}")]
    WrongPlatform { found: String, host: Platform },
    #[error("indexes point to indexes more than {0} levels deep")]
    IndexTooDeep(usize),
    #[error("the index leads to more than {0} manifests; copy one platform of it")]
    TooManyManifests(usize),
    #[error("the image has {found} layers, but at most {limit} are accepted")]
    TooManyLayers { found: usize, limit: usize },
    #[error("the layers of the image are {found} bytes together, but at most {limit} are accepted")]
    ImageTooLarge { found: u64, limit: u64 },
    #[error("the manifest lists {manifest} layers and the configuration {config}; push the image again")]
    LayerMismatch { manifest: usize, config: usize },
}

/// A blob as its descriptor promises it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BlobRef {
    pub digest: Digest,
    /// Bytes as stored, compressed or not.
    pub size: u64,
    pub media_type: String,
}

impl BlobRef {
    /// # Errors
    /// The digest is malformed or of an algorithm this system cannot compute.
    pub fn of(what: &'static str, descriptor: &Descriptor) -> Result<Self, DocumentError> {
        let digest = descriptor.digest().as_ref().parse().map_err(|source| DocumentError::Digest { what, source })?;
        Ok(Self { digest, size: descriptor.size(), media_type: descriptor.media_type().to_string() })
    }
}

/// A layer: the blob, and the digest of what it unpacks to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerRef {
    pub blob: BlobRef,
    pub diff_id: Digest,
}

/// What a manifest request may answer.
#[derive(Clone, Debug)]
pub enum Document {
    Index(Box<ImageIndex>),
    Manifest(Box<ImageManifest>),
}

impl Document {
    /// Parses a manifest or an index. Which of the two is told by its `mediaType`, else by its shape.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Peek {
            schema_version: Option<u32>,
            media_type: Option<String>,
            manifests: Option<serde::de::IgnoredAny>,
        }
        let malformed = |source| DocumentError::Malformed { what: "manifest", source };
        let peek: Peek = serde_json::from_slice(bytes).map_err(malformed)?;
        match peek.schema_version {
            Some(2) => {}
            other => return Err(DocumentError::SchemaVersion(other.unwrap_or(0))),
        }
        let is_index = match peek.media_type.as_deref() {
            Some(INDEX | DOCKER_INDEX) => true,
            Some(MANIFEST | DOCKER_MANIFEST) => false,
            _ => peek.manifests.is_some(),
        };
        if is_index {
            serde_json::from_slice(bytes).map(Self::Index).map_err(malformed)
        } else {
            serde_json::from_slice(bytes).map(Self::Manifest).map_err(malformed)
        }
    }
}

/// What a manifest or index points to, of whatever kind: what must be there before it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) manifests: Vec<BlobRef>,
    pub(crate) blobs: Vec<BlobRef>,
}

impl Document {
    /// The media type that the document gives itself, else the one of its kind.
    pub(crate) fn media_type(&self) -> String {
        let (own, kind) = match self {
            Self::Index(index) => (index.media_type(), INDEX),
            Self::Manifest(manifest) => (manifest.media_type(), MANIFEST),
        };
        own.as_ref().map_or_else(|| kind.to_owned(), ToString::to_string)
    }

    /// # Errors
    /// A digest is of no use, or there is more of something than the limits allow.
    pub(crate) fn parts(&self, limits: &Limits) -> Result<Parts, DocumentError> {
        match self {
            Self::Index(index) => {
                let manifests = index.manifests().iter().map(|child| BlobRef::of("index", child)).collect::<Result<_, _>>()?;
                Ok(Parts { manifests, blobs: Vec::new() })
            }
            Self::Manifest(manifest) => {
                let layers = manifest.layers();
                if layers.len() > limits.layers {
                    return Err(DocumentError::TooManyLayers { found: layers.len(), limit: limits.layers });
                }
                let mut blobs = vec![BlobRef::of("manifest", manifest.config())?];
                for layer in layers {
                    blobs.push(BlobRef::of("manifest", layer)?);
                }
                let found = blobs.iter().fold(0_u64, |sum, blob| sum.saturating_add(blob.size));
                if found > limits.image_bytes {
                    return Err(DocumentError::ImageTooLarge { found, limit: limits.image_bytes });
                }
                Ok(Parts { manifests: Vec::new(), blobs })
            }
        }
    }
}

/// The manifest of an index that is for a platform.
///
/// # Errors
/// There is none; the error lists what there is.
pub fn select_platform(index: &ImageIndex, host: &Platform) -> Result<BlobRef, DocumentError> {
    // Attestations sit beside images as manifests of an unknown platform.
    let images = || index.manifests().iter().filter_map(|d| Some((d, Platform::from(d.platform().as_ref()?))));
    if let Some((descriptor, _)) = images().find(|(_, platform)| platform == host) {
        return BlobRef::of("index", descriptor);
    }
    if let [only] = index.manifests().as_slice()
        && only.platform().is_none()
    {
        // Without a platform in the index, the image's configuration decides.
        return BlobRef::of("index", only);
    }
    let mut found: Vec<String> = images().filter(|(_, p)| p.os != "unknown").map(|(_, platform)| platform.to_string()).collect();
    found.sort();
    found.dedup();
    let found = if found.is_empty() { "no platform at all".to_owned() } else { found.join(", ") };
    Err(DocumentError::WrongPlatform { found, host: host.clone() })
}

/// The configuration blob of a manifest that passed every check that needs no configuration.
///
/// # Errors
/// The manifest is no image, or exceeds a limit.
pub fn check_manifest(manifest: &ImageManifest, limits: &Limits) -> Result<BlobRef, DocumentError> {
    let config = BlobRef::of("manifest", manifest.config())?;
    if !CONFIG_TYPES.contains(&config.media_type.as_str()) {
        return Err(DocumentError::NotAnImage(config.media_type));
    }
    if config.size > limits.config_bytes {
        return Err(DocumentError::TooLarge { what: "image configuration", found: config.size, limit: limits.config_bytes });
    }
    let layers = manifest.layers();
    if layers.len() > limits.layers {
        return Err(DocumentError::TooManyLayers { found: layers.len(), limit: limits.layers });
    }
    let total = layers.iter().fold(0_u64, |sum, layer| sum.saturating_add(layer.size()));
    if total > limits.image_bytes {
        return Err(DocumentError::ImageTooLarge { found: total, limit: limits.image_bytes });
    }
    for (layer, descriptor) in layers.iter().enumerate() {
        let media_type = descriptor.media_type().to_string();
        if !LAYER_TYPES.contains(&media_type.as_str()) {
            return Err(DocumentError::LayerType { layer, media_type });
        }
    }
    Ok(config)
}

/// What a configuration says the image is for.
///
/// # Errors
/// It is no image configuration.
pub fn platform_of(config: &[u8]) -> Result<Platform, DocumentError> {
    let config = configuration(config)?;
    Ok(Platform::of(config.os(), config.architecture()))
}

/// Reads an image configuration.
///
/// # Errors
/// It is none.
pub fn configuration(bytes: &[u8]) -> Result<ImageConfiguration, DocumentError> {
    serde_json::from_slice(bytes).map_err(|source| DocumentError::Malformed { what: "image configuration", source })
}

/// An image whose documents were fetched, verified and found usable on one platform.
#[derive(Clone, Debug)]
pub struct ResolvedImage {
    /// The digest of the manifest, after the choice of a platform.
    pub digest: Digest,
    pub manifest: ImageManifest,
    pub config: ImageConfiguration,
    /// The configuration as its digest covers it.
    pub config_bytes: Vec<u8>,
    /// Lowest first.
    pub layers: Vec<LayerRef>,
}

impl ResolvedImage {
    /// Puts a manifest and its configuration together.
    ///
    /// # Errors
    /// The configuration is malformed, for another platform, or does not fit the manifest.
    pub fn new(digest: Digest, manifest: ImageManifest, config_bytes: Vec<u8>, host: &Platform) -> Result<Self, DocumentError> {
        let config = configuration(&config_bytes)?;
        let found = Platform::of(config.os(), config.architecture());
        if found != *host {
            return Err(DocumentError::WrongPlatform { found: found.to_string(), host: host.clone() });
        }
        let diff_ids = config.rootfs().diff_ids();
        if diff_ids.len() != manifest.layers().len() {
            return Err(DocumentError::LayerMismatch { manifest: manifest.layers().len(), config: diff_ids.len() });
        }
        let layers = manifest
            .layers()
            .iter()
            .zip(diff_ids)
            .map(|(descriptor, diff_id)| {
                let blob = BlobRef::of("manifest", descriptor)?;
                let diff_id = diff_id.parse().map_err(|source| DocumentError::Digest { what: "image configuration", source })?;
                Ok(LayerRef { blob, diff_id })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { digest, manifest, config, config_bytes, layers })
    }

    /// The compressed size of all layers, in bytes.
    #[must_use]
    pub fn compressed_bytes(&self) -> u64 {
        self.layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.blob.size))
    }
}

/// What an image says about the process to start in it. A job may override each field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessDefaults {
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    /// `NAME=value`, in the image's order.
    pub env: Vec<String>,
    /// Empty where the image says nothing.
    pub working_dir: String,
    /// `user[:group]`, names or numbers as the image has them; empty where it says nothing.
    pub user: String,
    pub labels: BTreeMap<String, String>,
}

impl From<&ImageConfiguration> for ProcessDefaults {
    fn from(image: &ImageConfiguration) -> Self {
        let Some(config) = image.config() else { return Self::default() };
        Self {
            entrypoint: config.entrypoint().clone().unwrap_or_default(),
            cmd: config.cmd().clone().unwrap_or_default(),
            env: config.env().clone().unwrap_or_default(),
            working_dir: config.working_dir().clone().unwrap_or_default(),
            user: config.user().clone().unwrap_or_default(),
            labels: config.labels().clone().unwrap_or_default().into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests;
