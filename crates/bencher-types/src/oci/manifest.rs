//! Manifests and indexes: what a registry must understand of them, and no more.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};

use super::digest::Digest;

pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Blobs, or manifests, that one manifest may refer to. The largest images have some hundred layers.
pub const MAX_REFERENCES: usize = 1024;
/// The longest media type (RFC 6838, section 4.2: two names of 127 characters and a slash).
const MAX_MEDIA_TYPE_LEN: usize = 255;

/// Objects and lists in each other. What is deeper than some three levels nobody means, and not every client would survive.
pub const MAX_DEPTH: usize = 32;

/// A document that is no manifest.
#[derive(Debug, thiserror::Error)]
pub enum InvalidManifest {
    #[error("the manifest is not valid JSON of its media type")]
    Json(#[source] serde_json::Error),
    #[error("{0}")]
    Rule(String),
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
    #[serde(default, deserialize_with = "listed")]
    layers: Option<Vec<Descriptor>>,
    #[serde(default, deserialize_with = "listed")]
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
}

/// A list that is there. Tools in Go write an empty one as `null`.
fn listed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Descriptor>>, D::Error> {
    Option::deserialize(deserializer).map(|list| Some(list.unwrap_or_default()))
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

/// What a manifest says of what it needs, and of what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    pub media_type: String,
    pub artifact_type: Option<String>,
    pub subject: Option<Digest>,
    /// The config of an image; its digest is among the blobs too.
    pub config: Option<Digest>,
    /// With the sizes that the manifest gives.
    pub blobs: BTreeMap<Digest, u64>,
    pub children: BTreeSet<Digest>,
}

/// Reads a manifest.
///
/// # Errors
/// It is not what its media type says, or of a media type that this registry does not hold.
pub fn parse(content_type: Option<&str>, content: &[u8]) -> Result<Manifest, InvalidManifest> {
    let invalid = |text: String| Err(InvalidManifest::Rule(text));
    if is_too_deep(content) {
        return invalid(format!("the manifest has more than {MAX_DEPTH} levels of objects and lists in each other"));
    }
    let document: Document = serde_json::from_slice(content).map_err(InvalidManifest::Json)?;
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
    let mut artifact_type = document.artifact_type.filter(|text| !text.is_empty());
    let mut config_digest = None;
    match (kind, document.config, document.layers, document.manifests) {
        (Kind::Image, Some(config), Some(layers), None) => {
            // What an artifact is, where it does not say so itself, is its config's type.
            artifact_type = artifact_type.or_else(|| Some(config.media_type.clone()));
            config_digest = Some(config.digest.clone());
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
    if blobs.len() + children.len() > MAX_REFERENCES {
        return invalid(format!("the manifest refers to more than {} blobs or manifests", MAX_REFERENCES));
    }
    if let Some(odd) = artifact_type.as_ref().filter(|text| !is_media_type(text)) {
        let start: String = odd.chars().take(MAX_MEDIA_TYPE_LEN).collect();
        return invalid(format!("`{start}` is no media type, as the artifactType or that of the config has to be"));
    }
    let subject = document.subject.map(|descriptor| descriptor.digest);
    Ok(Manifest { media_type, artifact_type, subject, config: config_digest, blobs, children })
}

/// Whether a JSON text has more levels than are allowed. Of a text that is not JSON it may say either.
fn is_too_deep(text: &[u8]) -> bool {
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    for &byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

/// Whether a text may be taken for a media type: what artifacts have in use is not always registered, or even has a slash.
fn is_media_type(text: &str) -> bool {
    text.len() <= MAX_MEDIA_TYPE_LEN && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

#[cfg(test)]
mod tests;
