//! Versions of what microVMs need: which are supported, and which one a program is.

use std::{fmt, io, path::Path, process::Stdio, str::FromStr};

use tokio::io::AsyncReadExt as _;

use super::limits::{MAX_VERSION_TEXT, VERSION_TIMEOUT};
use crate::sandbox::command::DEFAULT_PATH;

/// Three numbers, the most significant first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

/// The oldest Firecracker and jailer that work: earlier ones lose vsock connections after a restore.
pub const OLDEST_FIRECRACKER: Version = Version(1, 16, 1);
/// The newest that this product was tested against, and what is installed where nobody names a version.
pub const TESTED_FIRECRACKER: Version = Version(1, 16, 1);
/// From here on, the interface may be another one.
pub const NEXT_FIRECRACKER: Version = Version(2, 0, 0);
/// The oldest kernel for guests.
pub const OLDEST_KERNEL: Version = Version(5, 10, 0);
/// The series of kernels that Firecracker's makers test as guests.
pub const TESTED_KERNELS: [Version; 2] = [Version(5, 10, 0), Version(6, 1, 0)];

/// Why a program's version is not known.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    #[error("could not start it")]
    Start(#[source] io::Error),
    #[error("it did not say its version within {} s", VERSION_TIMEOUT.as_secs())]
    Timeout,
    #[error("it says no version that can be read: `{0}`")]
    Unreadable(String),
}

impl Version {
    /// Whether a `firecracker` or `jailer` of this version works.
    #[must_use]
    pub fn is_supported(self) -> bool {
        (OLDEST_FIRECRACKER..NEXT_FIRECRACKER).contains(&self)
    }

    /// Whether both have the same first two numbers.
    #[must_use]
    pub fn is_of_series(self, other: Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }

    /// The first version in a text such as `Firecracker v1.16.1`.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        text.split(|c: char| !(c.is_ascii_digit() || c == '.')).find_map(|word| word.trim_matches('.').parse().ok())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl FromStr for Version {
    type Err = String;

    /// Two or three numbers, with or without a `v` before them.
    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Option<Vec<u32>> =
            text.strip_prefix('v').unwrap_or(text).split('.').map(|number| number.parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[major, minor]) => Ok(Self(major, minor, 0)),
            Some(&[major, minor, patch]) => Ok(Self(major, minor, patch)),
            _ => Err(format!("`{text}` is no version: expected one such as {TESTED_FIRECRACKER}")),
        }
    }
}

/// Asks a program for its version.
///
/// # Errors
/// It cannot be started, or says none.
pub async fn ask(program: &Path) -> Result<Version, VersionError> {
    let mut command = tokio::process::Command::new(program);
    command.arg("--version").env_clear().env("PATH", DEFAULT_PATH).stdin(Stdio::null()).stderr(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().map_err(VersionError::Start)?;
    let said = async {
        let mut text = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(MAX_VERSION_TEXT as u64).read_to_end(&mut text).await.map_err(VersionError::Start)?;
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    };
    let text = tokio::time::timeout(VERSION_TIMEOUT, said).await.map_err(|_| VersionError::Timeout)??;
    Version::find(&text)
        .ok_or_else(|| VersionError::Unreadable(text.lines().next().unwrap_or_default().chars().take(80).collect()))
}
