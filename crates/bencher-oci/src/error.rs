//! Errors that more than one operation shares: file errors with their path, and everything that can keep an image from
//! getting onto disk.

use std::{
    io,
    path::{Path, PathBuf},
};

use bencher_types::Digest;

use crate::{client::RegistryError, layout::LayoutError, merge::MergeError, sink::ext4::Ext4Error, store::FinishError};

/// A file operation that failed, and on which path.
#[derive(Debug, thiserror::Error)]
#[error("could not {action} {}", path.display())]
pub struct IoError {
    pub action: &'static str,
    pub path: PathBuf,
    #[source]
    pub source: io::Error,
}

impl IoError {
    /// For `map_err`: `IoError::on("open", &path)`.
    pub(crate) fn on<E: Into<io::Error>>(action: &'static str, path: &Path) -> impl Fn(E) -> Self {
        let path = path.to_owned();
        move |source| Self { action, path: path.clone(), source: source.into() }
    }

    /// Whether the disk, or the owner's share of it, is full.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        is_disk_full(&self.source)
    }
}

pub(crate) fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Who can do something about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The image is not there, not for this machine, broken or out of bounds: another try ends the same way.
    Image,
    /// The registry or the way to it: another try may end better.
    Registry,
    /// This machine: its disk is full, a folder is not writable.
    Host,
    /// Somebody asked to stop.
    Canceled,
}

/// Why an image did not get onto disk.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    #[error("could not fetch the image {image}")]
    Registry {
        image: String,
        #[source]
        source: RegistryError,
    },
    #[error("could not read the image from its layout")]
    Layout(#[source] LayoutError),
    #[error("could not unpack the image {digest}")]
    Merge {
        digest: Digest,
        #[source]
        source: Box<MergeError>,
    },
    #[error("could not make a disk of the image {digest}")]
    Write {
        digest: Digest,
        #[source]
        source: Box<Ext4Error>,
    },
    #[error(transparent)]
    Io(#[from] IoError),
    #[error("the cached image {0} was removed again and again while it was waited for; give the cache more room")]
    CacheThrashing(Digest),
    #[error("the work was canceled")]
    Canceled,
}

impl PullError {
    /// Who can do something about it.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::Registry { source, .. } => source.blame(),
            Self::Layout(LayoutError::Io(_)) | Self::Io(_) | Self::CacheThrashing(_) => Blame::Host,
            Self::Layout(_) => Blame::Image,
            Self::Merge { source, .. } => source.blame(),
            Self::Write { source, .. } => source.blame(),
            Self::Canceled => Blame::Canceled,
        }
    }
}

impl PullError {
    /// Whether the disk is full.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Io(error) | Self::Layout(LayoutError::Io(error)) => error.is_disk_full(),
            Self::Registry { source: RegistryError::Io(error) | RegistryError::Blob(FinishError::Io(error)), .. } => {
                error.is_disk_full()
            }
            Self::Merge { source, .. } => source.is_disk_full(),
            Self::Write { source, .. } => source.is_disk_full(),
            _ => false,
        }
    }
}

/// A failure on a blocking thread that was not an error of the work itself.
pub(crate) fn join_error(error: tokio::task::JoinError) -> io::Error {
    io::Error::other(error)
}
