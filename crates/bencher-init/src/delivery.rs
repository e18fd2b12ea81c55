//! What the guest sends on the other ports, one connection for each port and run: an [`Opening`] frame, a header frame, then
//! bytes exactly as the header says, then the end of the connection.
//!
//! On [`crate::port::STDOUT`] and [`crate::port::STDERR`] the header is a [`StreamHeader`], followed by `kept` bytes. On
//! [`crate::port::FILES`] it is a [`FilesHeader`], followed by as many times a [`FileEntry`] frame and, where that says so,
//! the file's bytes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::Token;

/// The first frame of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    pub token: Token,
    pub run: u32,
}

/// What of a stream follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamHeader {
    /// Bytes the benchmark wrote, kept or not.
    pub total: u64,
    /// Bytes that follow: the first of them.
    pub kept: u64,
    pub sha256: Sha256,
}

/// How many entries follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilesHeader {
    pub count: u32,
}

/// One file, or one path that led to none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// As it was asked for; for a pattern, the path that matched.
    pub path: FilePath,
    pub outcome: FileOutcome,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case", deny_unknown_fields)]
pub enum FileOutcome {
    /// `size` bytes follow the frame.
    Contents { size: u64, sha256: Sha256 },
    /// Nothing follows: only the size was asked for.
    Size { size: u64 },
    /// Nothing follows.
    Skipped { reason: SkippedFor },
}

/// Why a file is not delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case", deny_unknown_fields)]
pub enum SkippedFor {
    Missing,
    NotRegular,
    TooManySymlinks {
        max: u32,
    },
    TooLarge {
        size: u64,
        max: u64,
    },
    TogetherTooLarge {
        max: u64,
    },
    TooMany {
        max: u32,
    },
    /// The system's error number.
    Unreadable {
        errno: i32,
    },
}

/// Bytes of a path: text where they are UTF-8, hexadecimal digits where not.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "WirePath", into = "WirePath")]
pub struct FilePath(pub Vec<u8>);

impl fmt::Debug for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WirePath {
    Text(String),
    Bytes {
        #[serde(with = "crate::digits::vec")]
        hex: Vec<u8>,
    },
}

impl From<WirePath> for FilePath {
    fn from(path: WirePath) -> Self {
        match path {
            WirePath::Text(text) => Self(text.into_bytes()),
            WirePath::Bytes { hex } => Self(hex),
        }
    }
}

impl From<FilePath> for WirePath {
    fn from(path: FilePath) -> Self {
        match String::from_utf8(path.0) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::Bytes { hex: error.into_bytes() },
        }
    }
}

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sha256(#[serde(with = "crate::digits::array")] pub [u8; 32]);

impl Sha256 {
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}
