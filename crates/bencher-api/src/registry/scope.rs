//! Scopes of registry tokens (the Docker token specification): `repository:NAME:pull,push`.

use crate::{
    registry::name::RepositoryName,
    token::{OciAccess, OciAction},
};

/// A scope that names a repository this registry can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    pub name: RepositoryName,
    /// In the order pull, push; each once.
    pub actions: Vec<OciAction>,
}

impl Scope {
    /// Reads a scope. What it asks for beyond pull and push of a repository cannot be granted and is left out, as the specification
    /// has it; `None` where nothing is left.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        if kind != "repository" && !kind.starts_with("repository(") {
            return None;
        }
        let asked = |names: &[&str]| actions.split(',').any(|action| names.contains(&action));
        let mut granted = Vec::new();
        if asked(&["pull", "*"]) {
            granted.push(OciAction::Pull);
        }
        if asked(&["push", "delete", "*"]) {
            granted.push(OciAction::Push);
        }
        let name = name.parse().ok()?;
        (!granted.is_empty()).then_some(Self { name, actions: granted })
    }

    /// The scopes of a query or form, each possibly several with spaces between them.
    pub fn parse_all<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Self> {
        let mut scopes: Vec<Self> = Vec::new();
        for scope in texts.into_iter().flat_map(|text| text.split(' ')).filter_map(Self::parse) {
            if let Some(known) = scopes.iter_mut().find(|known| known.name == scope.name) {
                known.actions.extend(scope.actions);
                known.actions.sort_by_key(|&action| action_name(action));
                known.actions.dedup();
            } else if scopes.len() < crate::limits::MAX_TOKEN_SCOPES {
                scopes.push(scope);
            }
        }
        scopes
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let actions: Vec<&str> = self.actions.iter().map(|&action| action_name(action)).collect();
        write!(f, "repository:{}:{}", self.name.as_str(), actions.join(","))
    }
}

/// An action as scopes spell it.
#[must_use]
pub const fn action_name(action: OciAction) -> &'static str {
    match action {
        OciAction::Pull => "pull",
        OciAction::Push => "push",
    }
}

/// What a token for the list of all repositories is asked for with.
pub const CATALOG: &str = "registry:catalog:*";

/// Whether a query or form asks for the list of all repositories.
pub fn asks_for_catalog<'a>(texts: impl IntoIterator<Item = &'a str>) -> bool {
    texts.into_iter().flat_map(|text| text.split(' ')).any(|scope| scope == CATALOG)
}

/// What a token for these scopes says.
#[must_use]
pub fn access_of(scopes: Vec<Scope>, catalog: bool) -> Option<OciAccess> {
    let mut all = scopes.into_iter().map(|scope| OciAccess {
        repository: Some(scope.name.as_str().to_owned()),
        actions: scope.actions,
        ..OciAccess::default()
    });
    let first = all.next().or_else(|| catalog.then(OciAccess::default))?;
    Some(OciAccess { catalog, also: all.collect(), ..first })
}

/// Whether a token allows an action in a repository that may also be called by one of `aliases`.
#[must_use]
pub fn allows(access: &OciAccess, aliases: &[String], action: OciAction) -> bool {
    std::iter::once(access)
        .chain(&access.also)
        .any(|access| access.actions.contains(&action) && access.repository.as_ref().is_some_and(|name| aliases.contains(name)))
}

#[cfg(test)]
mod tests;
