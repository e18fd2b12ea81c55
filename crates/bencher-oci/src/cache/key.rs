//! Which image, made how: what tells one entry of the cache from another.

use std::fmt;

use bencher_types::Digest;

use crate::sink::ext4::DiskSize;

/// An image on a disk of some size.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageKey {
    pub digest: Digest,
    pub disk: DiskSize,
}

impl ImageKey {
    #[must_use]
    pub fn new(digest: Digest, disk: DiskSize) -> Self {
        Self { digest, disk }
    }

    /// The name of the entry's folder and lock.
    pub(super) fn name(&self) -> String {
        let (algorithm, hex) = (self.digest.algorithm().as_str(), self.digest.hex());
        match self.disk {
            DiskSize::Fitted => format!("{algorithm}-{hex}-fitted"),
            DiskSize::Bytes(bytes) => format!("{algorithm}-{hex}-{bytes}"),
        }
    }
}

impl fmt::Display for ImageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.disk {
            DiskSize::Fitted => write!(f, "{}", self.digest),
            DiskSize::Bytes(bytes) => write!(f, "{} on a disk of {bytes} bytes", self.digest),
        }
    }
}
