//! What a path under `/v2` names.

use bencher_types::{Digest, oci::reference::is_tag};
use uuid::Uuid;

use super::error::OciError;
use crate::{registry::name::RepositoryName, store::oci::manifest::ManifestReference};

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Base,
    Catalog,
    Blob { name: RepositoryName, digest: Digest },
    Uploads { name: RepositoryName },
    Upload { name: RepositoryName, upload: Uuid },
    Manifest { name: RepositoryName, reference: ManifestReference },
    Tags { name: RepositoryName },
    Referrers { name: RepositoryName, digest: Digest },
}

impl Target {
    /// Reads the path after `/v2`, from its end: a repository may have folders called like the API's own words.
    pub(super) fn parse(path: &str) -> Result<Self, OciError> {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let name = |segments: &[&str]| -> Result<RepositoryName, OciError> {
            segments.join("/").parse().map_err(|error| OciError::name_invalid(&error))
        };
        match &*segments {
            [] => Ok(Self::Base),
            // No repository can be called so.
            ["_catalog"] => Ok(Self::Catalog),
            [rest @ .., "tags", "list"] => Ok(Self::Tags { name: name(rest)? }),
            [rest @ .., "blobs", "uploads"] => Ok(Self::Uploads { name: name(rest)? }),
            [rest @ .., "blobs", "uploads", upload] => {
                let upload = upload.parse().map_err(|_| OciError::upload_unknown())?;
                Ok(Self::Upload { name: name(rest)?, upload })
            }
            [rest @ .., "blobs", digest] => Ok(Self::Blob { name: name(rest)?, digest: parse_digest(digest)? }),
            [rest @ .., "referrers", digest] => Ok(Self::Referrers { name: name(rest)?, digest: parse_digest(digest)? }),
            [rest @ .., "manifests", reference] => {
                let reference = if reference.contains(':') {
                    ManifestReference::Digest(parse_digest(reference)?)
                } else {
                    ManifestReference::Tag(parse_tag(reference)?)
                };
                Ok(Self::Manifest { name: name(rest)?, reference })
            }
            _ => Err(OciError::not_found()),
        }
    }

    /// The methods that mean something here, as the header `Allow` has them.
    pub(super) const fn allowed(&self) -> &'static str {
        match self {
            Self::Base | Self::Catalog | Self::Tags { .. } | Self::Referrers { .. } => "GET, HEAD",
            Self::Blob { .. } => "GET, HEAD, DELETE",
            Self::Uploads { .. } => "POST, PUT",
            Self::Upload { .. } => "GET, HEAD, PATCH, PUT, DELETE",
            Self::Manifest { .. } => "GET, HEAD, PUT, DELETE",
        }
    }
}

pub(super) fn parse_digest(text: &str) -> Result<Digest, OciError> {
    text.parse().map_err(|error| OciError::digest_invalid(&error))
}

pub(super) fn parse_tag(text: &str) -> Result<String, OciError> {
    if is_tag(text) { Ok(text.to_owned()) } else { Err(OciError::tag_invalid(text)) }
}

/// The text that a percent-encoded one stands for: some clients encode the colon of a digest.
pub(super) fn percent_decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let [high, low, tail @ ..] = tail else { return None };
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            bytes.push(digit(*high)? << 4 | digit(*low)?);
            rest = tail;
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
