//! Image references, `[HOST[:PORT]/]NAME[:TAG][@DIGEST]`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::digest::Digest;

/// The tag of a reference that names neither a tag nor a digest.
pub const DEFAULT_TAG: &str = "latest";
/// The longest repository name, in bytes, as registries commonly bound it.
pub const MAX_REPOSITORY_LEN: usize = 255;
/// The longest tag (OCI distribution specification).
pub const MAX_TAG_LEN: usize = 128;

/// A parsed image reference.
///
/// The first segment of a name is a host if it contains a dot or a colon or is `localhost`, as every OCI client reads it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ImageRef {
    host: Option<String>,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A text that is no image reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not an image reference: {problem}; expected [HOST/]NAME[:TAG][@DIGEST], such as shop:v1")]
pub struct InvalidImageRef {
    pub found: String,
    pub problem: &'static str,
}

impl ImageRef {
    /// The registry's host and port, where the reference names one.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// The whole name of the repository: the project, then any folders below it.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The first segment of the repository: on this system, a project's slug or UUID.
    #[must_use]
    pub fn project(&self) -> &str {
        self.repository.split('/').next().unwrap_or(&self.repository)
    }

    /// The tag to look up; `latest` where neither tag nor digest is given, `None` where only a digest is.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => Some(tag),
            (None, None) => Some(DEFAULT_TAG),
            (None, Some(_)) => None,
        }
    }

    #[must_use]
    pub const fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What a manifest request names: the digest if there is one, else the tag.
    #[must_use]
    pub fn manifest_reference(&self) -> String {
        match &self.digest {
            Some(digest) => digest.to_string(),
            None => self.tag().unwrap_or(DEFAULT_TAG).to_owned(),
        }
    }

    /// This reference on another host.
    #[must_use]
    pub fn with_host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }
}

impl FromStr for ImageRef {
    type Err = InvalidImageRef;

    fn from_str(text: &str) -> Result<Self, InvalidImageRef> {
        let invalid = |problem| InvalidImageRef { found: text.chars().take(160).collect(), problem };

        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                (rest, Some(digest.parse().map_err(|_| invalid("what follows the @ is not a sha256 or sha512 digest"))?))
            }
            None => (text, None),
        };
        let (host, rest) = match rest.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
            _ => (None, rest),
        };
        let (repository, tag) = match rest.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (rest, None),
        };

        if host.is_some_and(|host| !is_host(host)) {
            return Err(invalid("the host is not a name or address with an optional port"));
        }
        if !is_repository_name(repository) {
            return Err(invalid("the name must be lower-case letters, digits and single separators, in segments divided by /"));
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(invalid("the tag must be up to 128 letters, digits, underscores, dots and hyphens"));
        }
        Ok(Self { host: host.map(str::to_owned), repository: repository.to_owned(), tag: tag.map(str::to_owned), digest })
    }
}

/// Whether a text names a repository (OCI distribution specification, "Pull").
#[must_use]
pub fn is_repository_name(text: &str) -> bool {
    fn is_segment(segment: &str) -> bool {
        let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = segment.as_bytes();
        let ends = bytes.first().copied().is_some_and(alphanumeric) && bytes.last().copied().is_some_and(alphanumeric);
        ends && segment
            .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|b| b == b'-'))
    }
    !text.is_empty() && text.len() <= MAX_REPOSITORY_LEN && text.split('/').all(is_segment)
}

/// Whether a text is a tag (OCI distribution specification, "Pull").
#[must_use]
pub fn is_tag(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_TAG_LEN
        && !text.starts_with(['.', '-'])
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !name.ends_with(':') => (name, Some(port)),
        _ => (host, None),
    };
    let bracketed = name.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    let name_ok = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')),
    };
    name_ok && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(f, "{host}/")?;
        }
        f.write_str(&self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl TryFrom<String> for ImageRef {
    type Error = InvalidImageRef;

    fn try_from(text: String) -> Result<Self, InvalidImageRef> {
        text.parse()
    }
}

impl From<ImageRef> for String {
    fn from(image: ImageRef) -> String {
        image.to_string()
    }
}

#[cfg(test)]
mod tests;
