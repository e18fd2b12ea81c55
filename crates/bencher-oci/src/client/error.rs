//! What can go wrong between this machine and a registry, and what of it is worth another try.

use std::{path::PathBuf, time::Duration};

use bencher_types::Digest;
use reqwest::StatusCode;

use crate::{
    document::DocumentError,
    error::{Blame, IoError},
    layout::LayoutError,
    store::FinishError,
};

/// Why a registry operation failed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("`{0}` is not the address of a registry: expected http:// or https:// and a host")]
    Address(url::Url),
    #[error("could not set up the HTTP client")]
    Setup(#[source] reqwest::Error),
    #[error("could not {action}")]
    Send {
        action: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("could not {action}: no answer within {} s", after.as_secs())]
    NoAnswer { action: String, after: Duration },
    #[error("could not {action}: nothing moved for {} s after {done} bytes", after.as_secs())]
    Stalled { action: String, after: Duration, done: u64 },
    #[error("could not {action}: the connection ended after {done} of {total} bytes")]
    Cut { action: String, done: u64, total: u64 },
    #[error("could not {action}: the registry answered {status}{}", detail_text(detail))]
    Status { action: String, status: StatusCode, detail: String, retry_after: Option<Duration> },
    #[error("there is no {what} in the registry{}; check the name, or push it first", detail_text(detail))]
    NotFound { what: String, detail: String },
    #[error("the registry does not accept the credentials ({status}){}", detail_text(detail))]
    Unauthorized { status: StatusCode, detail: String },
    #[error("the registry wants a kind of login this client does not speak: {0}")]
    Challenge(String),
    #[error("the registry sends its password question to `{0}`, which is not encrypted; refusing to send a password there")]
    InsecureRealm(String),
    #[error("could not {action}: the answer has no usable `{header}` header")]
    Header { action: String, header: &'static str },
    #[error("the manifest {expected} has the digest {found}; push the image again")]
    ManifestDigest { expected: Digest, found: Digest },
    #[error("{} is not what its digest {expected} says; copy or build the image again", path.display())]
    DamagedFile { path: PathBuf, expected: Digest },
    #[error("the registry's list of the tags of {repository} does not end within {pages} pages")]
    TooManyTags { repository: String, pages: usize },
    #[error(transparent)]
    Document(#[from] DocumentError),
    #[error(transparent)]
    Blob(#[from] FinishError),
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error(transparent)]
    Io(#[from] IoError),
}

fn detail_text(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(": {detail}") }
}

impl RegistryError {
    /// Whether the same request may well succeed a little later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Send { source, .. } => !source.is_builder() && !source.is_redirect(),
            Self::NoAnswer { .. } | Self::Stalled { .. } | Self::Cut { .. } => true,
            Self::Status { status, .. } => {
                status.is_server_error() || matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
            }
            _ => false,
        }
    }

    /// How long the registry asked to wait before another try.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Who can do something about it.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::NotFound { .. } | Self::Document(_) | Self::ManifestDigest { .. } | Self::DamagedFile { .. } => Blame::Image,
            Self::Blob(FinishError::Size { .. } | FinishError::Digest { .. }) => Blame::Image,
            Self::Blob(FinishError::Io(_)) | Self::Io(_) | Self::Setup(_) | Self::Layout(_) => Blame::Host,
            _ => Blame::Registry,
        }
    }
}
