//! Manifests and indexes: what the registry must understand of them, and no more. The document itself is kept byte for byte.

use std::collections::{BTreeMap, BTreeSet};

use bencher_types::{Digest, oci::digest::Algorithm};
use serde::{Deserialize, Serialize};

use super::{access::Access, hash::digest_of};
use crate::{
    app::App,
    limits,
    store::{
        StoreError,
        oci::manifest::{ManifestReference, NewManifest, ReferrerRow, Stored},
    },
};

pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// A manifest that is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("{0}")]
    Invalid(String),
    #[error("the manifest is not valid JSON of its media type")]
    Json(#[source] serde_json::Error),
    #[error("the document's digest is {found}, but it was pushed as {expected}")]
    DigestMismatch { expected: Digest, found: Digest },
    #[error("the repository lacks what the manifest refers to; push it first")]
    Missing(Vec<Digest>),
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

/// What a manifest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Image,
    Index,
}

impl Kind {
    fn of(media_type: &str) -> Option<Self> {
        match media_type {
            OCI_MANIFEST | DOCKER_MANIFEST => Some(Self::Image),
            OCI_INDEX | DOCKER_LIST => Some(Self::Index),
            _ => None,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: Digest,
    size: u64,
    #[serde(default)]
    urls: Option<Vec<String>>,
}

impl Descriptor {
    /// Layers that may not be distributed are fetched from elsewhere and need not be here.
    fn is_elsewhere(&self) -> bool {
        self.urls.as_ref().is_some_and(|urls| !urls.is_empty())
            && (self.media_type.contains(".nondistributable.") || self.media_type.contains(".foreign."))
    }
}

/// What the registry keeps of a manifest beside the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    pub media_type: String,
    pub artifact_type: Option<String>,
    pub subject: Option<Digest>,
    /// With the sizes that the manifest gives.
    pub blobs: BTreeMap<Digest, u64>,
    pub children: BTreeSet<Digest>,
}

/// Reads a manifest.
///
/// # Errors
/// It is not what its media type says, or of a media type that this registry does not hold.
pub fn parse(content_type: Option<&str>, content: &[u8]) -> Result<Parsed, ManifestError> {
    let document: Document = serde_json::from_slice(content).map_err(ManifestError::Json)?;
    let invalid = |text: String| Err(ManifestError::Invalid(text));
    // A parameter such as a character set says nothing that JSON does not.
    let content_type = content_type.map(|text| text.split(';').next().unwrap_or(text).trim());
    let media_type = match (content_type, document.media_type.as_deref()) {
        (Some(header), Some(inner)) if header != inner => {
            return invalid(format!("the Content-Type is `{header}`, but the manifest's mediaType is `{inner}`"));
        }
        (Some(media_type), _) | (None, Some(media_type)) => media_type.to_owned(),
        (None, None) => return invalid("the media type is missing: send it as Content-Type".to_owned()),
    };
    let Some(kind) = Kind::of(&media_type) else {
        return invalid(format!("`{media_type}` is not held here: expected an OCI or Docker (schema 2) manifest or index"));
    };
    if document.schema_version != 2 {
        return invalid(format!("schemaVersion is {}: expected 2", document.schema_version));
    }

    let (mut blobs, mut children) = (BTreeMap::new(), BTreeSet::new());
    let mut artifact_type = document.artifact_type;
    match (kind, document.config, document.layers, document.manifests) {
        (Kind::Image, Some(config), Some(layers), None) => {
            // What an artifact is, where it does not say so itself, is its config's type.
            artifact_type = artifact_type.or_else(|| Some(config.media_type.clone()));
            for descriptor in std::iter::once(config).chain(layers).filter(|descriptor| !descriptor.is_elsewhere()) {
                let (digest, size) = (descriptor.digest, descriptor.size);
                if blobs.insert(digest.clone(), size).is_some_and(|before| before != size) {
                    return invalid(format!("{digest} is listed with two different sizes"));
                }
            }
        }
        (Kind::Index, None, None, Some(manifests)) => {
            children.extend(manifests.into_iter().map(|descriptor| descriptor.digest));
        }
        (Kind::Image, ..) => return invalid("an image manifest has `config` and `layers`, and no `manifests`".to_owned()),
        (Kind::Index, ..) => return invalid("an index has `manifests`, and neither `config` nor `layers`".to_owned()),
    }
    if blobs.len() + children.len() > limits::MAX_MANIFEST_REFERENCES {
        return invalid(format!("the manifest refers to more than {} blobs or manifests", limits::MAX_MANIFEST_REFERENCES));
    }
    let subject = document.subject.map(|descriptor| descriptor.digest);
    Ok(Parsed { media_type, artifact_type, subject, blobs, children })
}

/// A manifest that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    pub digest: Digest,
    pub subject: Option<Digest>,
}

/// Stores a manifest under its digest, and under a tag if that is how it was named.
///
/// # Errors
/// It is not valid, refers to something that the repository does not hold, or has another digest than it was pushed as.
pub async fn push(
    app: &App,
    access: &Access,
    reference: &ManifestReference,
    content_type: Option<&str>,
    content: &[u8],
) -> Result<Pushed, ManifestError> {
    let parsed = parse(content_type, content)?;
    let (size, limit) = (parsed.blobs.values().fold(0, |sum: u64, size| sum.saturating_add(*size)), app.config.max_image_bytes());
    if size > limit {
        return Err(ManifestError::TooLarge { size, limit });
    }
    let (digest, tag) = match reference {
        ManifestReference::Tag(tag) => (digest_of(Algorithm::Sha256, content), Some(tag.as_str())),
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
            blobs: &parsed.blobs,
            children: &parsed.children,
            tag,
            leased_until: now.saturating_add(app.config.upload_timeout()),
            now,
        })
        .await?;
    match stored {
        Stored::Stored => Ok(Pushed { digest, subject: parsed.subject }),
        Stored::Missing(digests) => Err(ManifestError::Missing(digests)),
        Stored::WrongSize { digest, actual } => {
            let expected = parsed.blobs.get(&digest).copied().unwrap_or(0);
            Err(ManifestError::WrongSize { digest, actual, expected })
        }
    }
}

/// A manifest as an index lists it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Referrer {
    media_type: String,
    digest: Digest,
    size: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<BTreeMap<String, String>>,
}

impl From<ReferrerRow> for Referrer {
    fn from(row: ReferrerRow) -> Self {
        #[derive(Deserialize)]
        struct Annotated {
            annotations: Option<BTreeMap<String, String>>,
        }
        // Odd annotations were accepted with the document; they are only not listed.
        let annotations = serde_json::from_slice(&row.content).ok().and_then(|document: Annotated| document.annotations);
        Self { media_type: row.media_type, digest: row.digest.0, size: row.size, artifact_type: row.artifact_type, annotations }
    }
}

#[cfg(test)]
mod tests;
