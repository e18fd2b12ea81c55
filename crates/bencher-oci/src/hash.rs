//! Digests of content that streams by.

use bencher_types::{Digest, oci::digest::Algorithm};
use sha2::Digest as _;

/// A running hash of either algorithm.
#[derive(Clone, Debug)]
pub(crate) enum Hasher {
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(sha2::Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(sha2::Sha512::new()),
        }
    }

    /// A hash that can be compared to `expected` when it is finished.
    pub(crate) fn like(expected: &Digest) -> Self {
        Self::new(expected.algorithm())
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        match self {
            Self::Sha256(hash) => Digest::from_hash(Algorithm::Sha256, &hash.finalize()),
            Self::Sha512(hash) => Digest::from_hash(Algorithm::Sha512, &hash.finalize()),
        }
    }
}

/// The digest of bytes in memory, in the algorithm of `expected`.
pub(crate) fn digest_like(expected: &Digest, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::like(expected);
    hasher.update(bytes);
    hasher.finish()
}
