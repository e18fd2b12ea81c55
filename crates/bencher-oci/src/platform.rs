//! Which machine an image is for, in the words of the OCI specification.

use std::{fmt, str::FromStr};

use oci_spec::image::{Arch, Os, Platform as OciPlatform};

/// An operating system and an instruction set, `linux/amd64`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Platform {
    pub os: String,
    pub architecture: String,
}

impl Platform {
    #[must_use]
    pub fn new(os: impl Into<String>, architecture: impl Into<String>) -> Self {
        Self { os: os.into(), architecture: architecture.into() }
    }

    /// The platform this program was built for.
    #[must_use]
    pub fn host() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            other => other,
        };
        Self::new(std::env::consts::OS, architecture)
    }

    /// From the two fields of an image configuration.
    #[must_use]
    pub fn of(os: &Os, architecture: &Arch) -> Self {
        Self::new(os.to_string(), architecture.to_string())
    }
}

/// A text that names no platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a platform: expected OS/ARCHITECTURE, such as linux/arm64")]
pub struct InvalidPlatform(pub String);

impl FromStr for Platform {
    type Err = InvalidPlatform;

    fn from_str(text: &str) -> Result<Self, InvalidPlatform> {
        let is_word =
            |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        match text.split_once('/') {
            Some((os, architecture)) if is_word(os) && is_word(architecture) => Ok(Self::new(os, architecture)),
            _ => Err(InvalidPlatform(text.to_owned())),
        }
    }
}

impl From<&OciPlatform> for Platform {
    fn from(platform: &OciPlatform) -> Self {
        Self::of(platform.os(), platform.architecture())
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)
    }
}
