//! Where an image is or is to be, as it is typed.

use std::{path::PathBuf, str::FromStr};

use bencher_types::{ImageRef, oci::reference::InvalidImageRef};

/// What `--help` says of it.
pub(crate) const HELP: &str = "\
Where images are:
  shop:v1, shop/http@sha256:…      this server (--host, BENCHER_HOST)
  quay.io/NAME:TAG                 another registry, by HTTPS (HTTP where it is on this machine), with
                                   the log-in that podman, skopeo or docker keep for it
  http://HOST/NAME:TAG             the same, by HTTP; https:// and docker:// are understood, too
  oci:DIR[:NAME]                   an OCI image layout
  oci-archive:FILE[:NAME]          a layout in an archive
  docker-archive:FILE[:NAME]       what `docker save` writes
  ./PATH, /PATH                    a layout or an archive, whatever is there; to write, an OCI archive
                                   where the name ends in .tar
  engine:NAME                      docker or podman on this machine (DOCKER_HOST, CONTAINER_HOST, or
                                   where their sockets usually are); docker-daemon:NAME is the same
  -                                an archive on standard input, or to standard output";

/// How to speak to a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// HTTPS, but on this machine HTTP.
    Usual,
    Http,
    Https,
}

/// What an archive holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArchiveKind {
    Oci,
    Docker,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Of this server where the image names no host, or its.
    Registry {
        image: ImageRef,
        scheme: Scheme,
    },
    Layout {
        dir: PathBuf,
        name: Option<String>,
    },
    Archive {
        file: PathBuf,
        name: Option<String>,
        kind: ArchiveKind,
    },
    /// Whatever is there.
    Path(PathBuf),
    /// Standard input or output.
    Standard,
    /// By the name that the engine has for it.
    Engine(String),
}

/// A text that is no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidPlace {
    #[error("`{0}` names nothing: expected {1}")]
    Empty(String, &'static str),
    #[error("`{0}` names no registry: expected {0}HOST/NAME:TAG")]
    NoHost(&'static str),
    #[error(transparent)]
    Image(#[from] InvalidImageRef),
}

impl Place {
    pub(crate) const fn is_registry(&self) -> bool {
        matches!(self, Self::Registry { .. })
    }
}

impl FromStr for Place {
    type Err = InvalidPlace;

    fn from_str(text: &str) -> Result<Self, InvalidPlace> {
        let of_archive = |rest: &str, kind, expected| {
            let (file, name) = path_and_name(rest).ok_or_else(|| InvalidPlace::Empty(text.to_owned(), expected))?;
            Ok(Self::Archive { file, name, kind })
        };
        if text == "-" {
            return Ok(Self::Standard);
        }
        if let Some(rest) = text.strip_prefix("oci:") {
            let empty = || InvalidPlace::Empty(text.to_owned(), "oci:DIR or oci:DIR:NAME");
            return path_and_name(rest).map(|(dir, name)| Self::Layout { dir, name }).ok_or_else(empty);
        }
        if let Some(rest) = text.strip_prefix("oci-archive:") {
            return of_archive(rest, ArchiveKind::Oci, "oci-archive:FILE or oci-archive:FILE:NAME");
        }
        if let Some(rest) = text.strip_prefix("docker-archive:") {
            return of_archive(rest, ArchiveKind::Docker, "docker-archive:FILE or docker-archive:FILE:NAME");
        }
        if let Some(name) = text.strip_prefix("engine:").or(text.strip_prefix("docker-daemon:")) {
            let named = Some(name).filter(|name| !name.is_empty());
            let empty = || InvalidPlace::Empty(text.to_owned(), "engine:NAME");
            return named.map(|name| Self::Engine(name.to_owned())).ok_or_else(empty);
        }
        for (prefix, scheme) in [("docker://", Scheme::Usual), ("http://", Scheme::Http), ("https://", Scheme::Https)] {
            if let Some(rest) = text.strip_prefix(prefix) {
                let image: ImageRef = rest.parse()?;
                image.host().ok_or(InvalidPlace::NoHost(prefix))?;
                return Ok(Self::Registry { image, scheme });
            }
        }
        if text.starts_with(['/', '.']) {
            return Ok(Self::Path(PathBuf::from(text)));
        }
        Ok(Self::Registry { image: text.parse()?, scheme: Scheme::Usual })
    }
}

/// `PATH[:NAME]`, as other tools read it: a path cannot have a colon, a name may.
fn path_and_name(text: &str) -> Option<(PathBuf, Option<String>)> {
    let (path, name) = match text.split_once(':') {
        Some((path, name)) => (path, Some(name.to_owned()).filter(|name| !name.is_empty())),
        None => (text, None),
    };
    (!path.is_empty()).then(|| (PathBuf::from(path), name))
}

/// Where an image comes from that is on this machine already, unless a registry is named: there, a plain word is a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalPlace(pub Place);

impl FromStr for LocalPlace {
    type Err = InvalidPlace;

    fn from_str(text: &str) -> Result<Self, InvalidPlace> {
        Ok(Self(match text.parse() {
            Ok(Place::Registry { image, .. }) if image.host().is_none() => Place::Path(PathBuf::from(text)),
            // Such as a file whose name no image could have.
            Err(InvalidPlace::Image(_)) if !text.contains("://") => Place::Path(PathBuf::from(text)),
            place => place?,
        }))
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let with_name = |name: &Option<String>| name.as_ref().map(|name| format!(":{name}")).unwrap_or_default();
        match self {
            Self::Registry { image, .. } => image.fmt(f),
            Self::Layout { dir, name } => write!(f, "oci:{}{}", dir.display(), with_name(name)),
            Self::Archive { file, name, kind: ArchiveKind::Oci } => {
                write!(f, "oci-archive:{}{}", file.display(), with_name(name))
            }
            Self::Archive { file, name, kind: ArchiveKind::Docker } => {
                write!(f, "docker-archive:{}{}", file.display(), with_name(name))
            }
            Self::Path(path) => path.display().fmt(f),
            Self::Standard => f.write_str("the archive on standard input or output"),
            Self::Engine(name) => write!(f, "engine:{name}"),
        }
    }
}

#[cfg(test)]
mod tests;
