//! Indexes: images that are one, each for a platform. Only what this server looks at in them.

use bencher_types::{Digest, wire::spec::Architecture};
use serde::Deserialize;

/// What a program is built for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Platform {
    pub os: String,
    pub architecture: String,
}

impl Platform {
    #[must_use]
    pub fn fits(&self, architecture: Architecture) -> bool {
        self.os == "linux" && self.architecture == oci_name(architecture)
    }
}

/// An image that an index lists.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub media_type: Option<String>,
    pub digest: Digest,
    pub platform: Option<Platform>,
}

impl Entry {
    #[must_use]
    pub fn is_for(&self, architecture: Architecture) -> bool {
        self.platform.as_ref().is_some_and(|platform| platform.fits(architecture))
    }
}

/// What an index lists; nothing where the document is none.
#[must_use]
pub fn entries(document: &[u8]) -> Vec<Entry> {
    #[derive(Deserialize)]
    struct Index {
        manifests: Option<Vec<Entry>>,
    }
    serde_json::from_slice::<Index>(document).ok().and_then(|index| index.manifests).unwrap_or_default()
}

/// What OCI documents call an architecture.
#[must_use]
pub const fn oci_name(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "amd64",
        Architecture::Aarch64 => "arm64",
    }
}
