//! Names of repositories: a project, then any number of segments below it.

use std::str::FromStr;

use bencher_types::{ResourceId, oci::reference::is_repository_name};

/// `PROJECT[/SEGMENT…]`, as it stands in a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryName {
    full: String,
    project: ResourceId,
}

/// A text that can name no repository of this registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no repository here: expected a project's slug or UUID, then lower-case segments below it, such as shop or shop/web"
)]
pub struct InvalidRepositoryName(pub String);

impl RepositoryName {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.full
    }

    #[must_use]
    pub const fn project(&self) -> &ResourceId {
        &self.project
    }

    /// The first segment, as it was written.
    #[must_use]
    pub fn project_segment(&self) -> &str {
        self.full.split_once('/').map_or(&self.full, |(project, _)| project)
    }

    /// What follows the project; empty for the project itself.
    #[must_use]
    pub fn rest(&self) -> &str {
        self.full.split_once('/').map_or("", |(_, rest)| rest)
    }
}

impl FromStr for RepositoryName {
    type Err = InvalidRepositoryName;

    fn from_str(text: &str) -> Result<Self, InvalidRepositoryName> {
        let invalid = || InvalidRepositoryName(text.chars().take(160).collect());
        if !is_repository_name(text) {
            return Err(invalid());
        }
        let project = text.split('/').next().unwrap_or(text).parse().map_err(|_| invalid())?;
        Ok(Self { full: text.to_owned(), project })
    }
}

#[cfg(test)]
mod tests;
