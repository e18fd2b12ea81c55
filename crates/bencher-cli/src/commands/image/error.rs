//! What can go wrong with an image.

use std::{io, path::PathBuf};

use bencher_oci::{Blame, LayoutError, RegistryError, assemble::AssembleError};
use bencher_types::ImageRef;

use crate::{client::ApiError, exit::Exit};

#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    #[error("there is no folder for images: neither XDG_CACHE_HOME nor HOME is set")]
    NoCache,
    #[error("the image {image} is not on this machine")]
    NoLayout {
        image: ImageRef,
        #[source]
        source: Box<LayoutError>,
    },
    #[error("{image} is on another host than {ours}")]
    OtherHost { image: Box<ImageRef>, ours: String },
    #[error("{image} names no tag: an image is pushed under one")]
    Digest { image: ImageRef },
    #[error("could not make the image {image}")]
    Build {
        image: ImageRef,
        #[source]
        source: Box<AssembleError>,
    },
    #[error("could not {action} {}", path.display())]
    Folder {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("making the image ended unexpectedly")]
    Aborted {
        #[source]
        source: tokio::task::JoinError,
    },
    #[error("could not set up a connection to the registry")]
    Setup {
        #[source]
        source: ApiError,
    },
    #[error(transparent)]
    Registry { source: Box<RegistryError> },
    #[error("could not delete {image}")]
    Delete {
        image: ImageRef,
        #[source]
        source: Box<RegistryError>,
    },
    #[error("could not push {image}")]
    Push {
        image: ImageRef,
        #[source]
        source: Box<RegistryError>,
    },
}

impl ImageError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::NoCache | Self::NoLayout { .. } | Self::Setup { .. } => Exit::Local,
            Self::Build { .. } | Self::Folder { .. } | Self::Aborted { .. } => Exit::Local,
            Self::OtherHost { .. } | Self::Digest { .. } => Exit::Usage,
            Self::Registry { source } | Self::Push { source, .. } | Self::Delete { source, .. } => {
                match (&**source, source.blame()) {
                    (RegistryError::Unauthorized { .. } | RegistryError::NotFound { .. }, _) => Exit::Refused,
                    (RegistryError::Status { status, .. }, _) if status.is_client_error() => Exit::Refused,
                    (RegistryError::Layout(_) | RegistryError::Io(_) | RegistryError::Document(_), _) | (_, Blame::Host) => {
                        Exit::Local
                    }
                    _ => Exit::Unreachable,
                }
            }
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::NoLayout { image, .. } => Some(format!(
                "`bencher image push {image} --from DIR` takes it from any OCI layout, such as `skopeo copy … oci:DIR` writes"
            )),
            Self::OtherHost { image, ours } => Some(format!(
                "leave the host out, or give its own registry's tools the job: `skopeo copy … docker://{ours}/{}`",
                image.repository()
            )),
            Self::Registry { source } | Self::Push { source, .. } | Self::Delete { source, .. } => match &**source {
                RegistryError::Unauthorized { .. } => {
                    Some("a user's key (--key, BENCHER_API_KEY) may push to the projects of that user".to_owned())
                }
                RegistryError::Send { .. } | RegistryError::NoAnswer { .. } => {
                    Some("is the server running? --host or BENCHER_HOST names another".to_owned())
                }
                _ => None,
            },
            Self::NoCache => Some("name a folder with --output or --from".to_owned()),
            Self::Build { .. } | Self::Folder { .. } | Self::Aborted { .. } | Self::Digest { .. } | Self::Setup { .. } => None,
        }
    }
}
