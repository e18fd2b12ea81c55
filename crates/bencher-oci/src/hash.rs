//! Digests of content that streams by.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use bencher_types::{Digest, oci::digest::Algorithm};
use sha2::Digest as _;

use crate::{document::BlobRef, limits::CHUNK};

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

/// Whether a file has the size and the digest of a blob. `false` where there is no such file.
pub(crate) fn file_is(blob: &BlobRef, path: &Path) -> io::Result<bool> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if file.metadata()?.len() != blob.size {
        return Ok(false);
    }
    let (mut hasher, mut buffer) = (Hasher::like(&blob.digest), vec![0; CHUNK]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish() == blob.digest),
            read => hasher.update(&buffer[..read]),
        }
    }
}
