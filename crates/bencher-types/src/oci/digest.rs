//! Content digests (OCI image specification, "Digests").

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A digest algorithm this system can compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    Sha256,
    Sha512,
}

impl Algorithm {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The algorithm of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Sha256, Self::Sha512].into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    const fn hex_len(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

/// The digest of some content, `sha256:…` or `sha512:…` in lower-case hexadecimal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest {
    algorithm: Algorithm,
    hex: String,
}

/// A text that is no digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a digest: expected `sha256:` and 64, or `sha512:` and 128 lower-case hexadecimal digits")]
pub struct InvalidDigest(pub String);

impl Digest {
    /// The SHA-256 digest of bytes in memory.
    #[must_use]
    pub fn sha256(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self::from_hash(Algorithm::Sha256, &sha2::Sha256::digest(bytes))
    }

    /// A digest from a finished hash.
    ///
    /// # Panics
    /// The hash is not as long as the algorithm's.
    #[must_use]
    pub fn from_hash(algorithm: Algorithm, hash: &[u8]) -> Self {
        assert_eq!(hash.len() * 2, algorithm.hex_len(), "a {} hash", algorithm.as_str());
        Self { algorithm, hex: hex::encode(hash) }
    }

    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The digits alone. They are safe as a file name.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.hex
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let parsed = text.split_once(':').and_then(|(algorithm, hex)| {
            let algorithm = Algorithm::named(algorithm)?;
            let lower_hex = hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            (lower_hex && hex.len() == algorithm.hex_len()).then(|| Self { algorithm, hex: hex.to_owned() })
        });
        parsed.ok_or_else(|| InvalidDigest(text.chars().take(160).collect()))
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.as_str(), self.hex)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
