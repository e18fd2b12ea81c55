//! Which machine an image is for, in the words of the OCI specification.

use std::fmt;

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
