//! What can go wrong with an image.

use std::{io, path::PathBuf};

use bencher_oci::{
    ArchiveError, Blame, EngineError, FlattenError, LayoutError, LoginError, RegistryError, assemble::AssembleError,
};
use bencher_types::{ImageRef, oci::benchmark::InvalidBenchmark};

use crate::{client::ApiError, exit::Exit};

#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    #[error("there is no folder for images: neither XDG_CACHE_HOME nor HOME is set")]
    NoCache,
    #[error("the image {place} is not on this machine")]
    NoLayout {
        place: String,
        #[source]
        source: Box<LayoutError>,
    },
    #[error("{} cannot be used as an image layout", dir.display())]
    Layout {
        dir: PathBuf,
        #[source]
        source: Box<LayoutError>,
    },
    #[error("{} is no name of a file", path.display())]
    NoFile { path: PathBuf },
    #[error("{image} is on another host than {ours}")]
    OtherHost { image: Box<ImageRef>, ours: String },
    #[error("`{host}` is no host of a registry")]
    Host { host: String },
    #[error("{image} names a digest: an image is pushed under a tag, and has the digest that it has")]
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
    #[error("the work on the image ended unexpectedly")]
    Aborted {
        #[source]
        source: tokio::task::JoinError,
    },
    #[error("could not set up a connection to the registry")]
    Connection {
        #[source]
        source: ApiError,
    },
    #[error("could not clone {url}")]
    Git {
        url: String,
        #[source]
        source: io::Error,
    },
    #[error("there is no branch, tag or commit `{reference}` in {url}")]
    NoSuchRef { reference: String, url: String },
    #[error("the command that was to set the clone up failed: {command}")]
    Setup {
        command: String,
        #[source]
        source: io::Error,
    },
    #[error("could not make a jail for the command with bubblewrap (`bwrap`)")]
    NoJail {
        #[source]
        source: io::Error,
    },
    #[error("could not unpack {place}")]
    Flatten {
        place: String,
        #[source]
        source: Box<FlattenError>,
    },
    #[error("could not unpack {place}")]
    UnpackFailed {
        place: String,
        #[source]
        source: io::Error,
    },
    #[error("{} of the clone leads out of it, to {}: only what is in the clone is put into the image", path.display(), target.display())]
    LeavesClone { path: PathBuf, target: PathBuf },
    #[error("{} does not describe a benchmark", file.display())]
    Benchmark {
        file: PathBuf,
        #[source]
        source: InvalidBenchmark,
    },
    #[error("could not {action}")]
    Registry {
        action: String,
        #[source]
        source: Box<RegistryError>,
    },
    /// The same, where it is not this server's that could not be reached.
    #[error("could not {action}")]
    Elsewhere {
        action: String,
        host: String,
        #[source]
        source: Box<RegistryError>,
    },
    #[error("could not {action}")]
    Archive {
        action: String,
        #[source]
        source: Box<ArchiveError>,
    },
    #[error(transparent)]
    Engine { source: Box<EngineError> },
    #[error("no container engine listens at {}", list(sockets))]
    NoEngine { sockets: Vec<PathBuf> },
    #[error("{variable} is `{found}`: expected unix:///PATH or tcp://HOST:PORT")]
    EngineAddress { variable: &'static str, found: String },
    #[error(transparent)]
    Login { source: Box<LoginError> },
    #[error("an archive is nothing to look at: standard output is a terminal")]
    Terminal,
    #[error("stopped before it was done")]
    Interrupted,
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or ")
}

impl ImageError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::NoCache | Self::NoLayout { .. } | Self::Connection { .. } | Self::Layout { .. } => Exit::Local,
            Self::Git { .. } | Self::NoSuchRef { .. } | Self::Setup { .. } | Self::Benchmark { .. } => Exit::Local,
            Self::NoJail { .. } | Self::Flatten { .. } | Self::UnpackFailed { .. } | Self::LeavesClone { .. } => Exit::Local,
            Self::Build { .. } | Self::Folder { .. } | Self::Aborted { .. } | Self::Archive { .. } => Exit::Local,
            Self::NoEngine { .. } | Self::Login { .. } => Exit::Local,
            Self::OtherHost { .. } | Self::Digest { .. } | Self::NoFile { .. } | Self::Host { .. } => Exit::Usage,
            Self::Terminal | Self::EngineAddress { .. } => Exit::Usage,
            Self::Interrupted => Exit::Interrupted,
            Self::Registry { source, .. } | Self::Elsewhere { source, .. } => of_registry(source),
            Self::Engine { source } => match &**source {
                EngineError::Unreachable { .. } | EngineError::NoAnswer { .. } => Exit::Unreachable,
                EngineError::NoSuchImage { .. } | EngineError::Refused { .. } => Exit::Refused,
                EngineError::Setup(_) | EngineError::Archive { .. } | EngineError::Io(_) => Exit::Local,
            },
        }
    }

    /// Tells whether it is this server, at `ours`, that could not be reached, or another registry.
    pub(super) fn told_from(self, ours: &str) -> Self {
        match self {
            Self::Registry { action, source } => match unreachable_host(&source) {
                Some(host) if host != ours => Self::Elsewhere { action, host, source },
                _ => Self::Registry { action, source },
            },
            other => other,
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::NoLayout { .. } => Some(
                "--from takes it from anywhere: a layout, an archive of `docker save`, engine:NAME, another registry; \
                 see `bencher image push --help`"
                    .to_owned(),
            ),
            Self::Layout { .. } => Some("name a folder that is empty or not there yet".to_owned()),
            Self::OtherHost { image, ours } => Some(format!(
                "`bencher image copy {image} {}` brings an image from there to {ours}; what is there is deleted with its own tools",
                image.repository()
            )),
            Self::Registry { source, .. } => match &**source {
                RegistryError::Unauthorized { .. } => Some(
                    "on this server, a user's key (--key, BENCHER_API_KEY) may push to the projects of that user; for another \
                     registry, log in with `podman login` or `docker login`"
                        .to_owned(),
                ),
                RegistryError::Send { .. } => Some("is the server running? --host or BENCHER_HOST names another".to_owned()),
                error if error.is_transient() => Some("the same command goes on from where it ended".to_owned()),
                _ => None,
            },
            Self::Elsewhere { host, .. } => Some(format!(
                "does {host} run a registry, and can it be reached from here? One without TLS is named with `http://` in front"
            )),
            Self::NoCache => {
                Some("name a place: `bencher image pull … oci:DIR`, `image push --from`, `image build --output`".to_owned())
            }
            Self::NoEngine { .. } => {
                Some("start one (`systemctl start podman.socket`), or say where it is with DOCKER_HOST".to_owned())
            }
            Self::Engine { source } => match &**source {
                EngineError::Unreachable { .. } => {
                    Some("does it run, and may you use its socket? DOCKER_HOST names another".to_owned())
                }
                EngineError::NoSuchImage { .. } => Some("`docker images` or `podman images` shows what there is".to_owned()),
                _ => None,
            },
            Self::NoJail { .. } => Some(
                "install bubblewrap and let users make user namespaces; or run the command as you, with all that you may do, with \
                 --setup-on-host"
                    .to_owned(),
            ),
            Self::LeavesClone { .. } => Some("name a file of this machine by its absolute path".to_owned()),
            Self::Benchmark { .. } => Some("`bencher image build --help` and docs/images.md show what it may say".to_owned()),
            Self::Terminal => Some("send it to a file or to another program".to_owned()),
            Self::Digest { .. } => Some("name a tag, such as shop:v1".to_owned()),
            _ => None,
        }
    }
}

/// Host and port of who did not answer, the port left out where it goes without saying.
fn unreachable_host(error: &RegistryError) -> Option<String> {
    let RegistryError::Send { source, .. } = error else { return None };
    let url = source.url()?;
    let host = url.host_str()?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

fn of_registry(error: &RegistryError) -> Exit {
    match (error, error.blame()) {
        (RegistryError::Unauthorized { .. } | RegistryError::NotFound { .. }, _) => Exit::Refused,
        (RegistryError::Status { status, .. }, _) if status.is_client_error() => Exit::Refused,
        (RegistryError::Layout(_) | RegistryError::Io(_) | RegistryError::Document(_), _) => Exit::Local,
        (RegistryError::DamagedFile { .. }, _) | (_, Blame::Host) => Exit::Local,
        _ => Exit::Unreachable,
    }
}
