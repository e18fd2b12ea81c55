//! Who we are to a registry, and how its `401` challenges are read. Requests are sent by the client.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bencher_types::Secret;
use reqwest::header::HeaderValue;

/// How a client identifies itself.
#[derive(Clone, Debug, Default)]
pub enum Credentials {
    /// Not at all; a registry may still hand out a token for public content.
    #[default]
    None,
    /// A token that is sent as it is, such as the one of a claimed job.
    Bearer(Secret),
    /// A user and a password (or key), sent to the token service the registry names, or to the registry itself if it
    /// asks for that.
    Basic { user: String, password: Secret },
}

/// What a request is going to do, as far as a token service must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Pull,
    Push,
}

/// A repository and what is done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope<'a> {
    pub(crate) repository: &'a str,
    pub(crate) access: Access,
    /// Another repository that is read on the way, where a blob of it is to be had without sending it.
    pub(crate) reads: Option<&'a str>,
}

impl<'a> Scope<'a> {
    pub(crate) const fn pull(repository: &'a str) -> Self {
        Self { repository, access: Access::Pull, reads: None }
    }

    pub(crate) const fn push(repository: &'a str) -> Self {
        Self { repository, access: Access::Push, reads: None }
    }

    /// As a token service reads it; several with spaces between them.
    pub(crate) fn text(&self) -> String {
        let actions = match self.access {
            Access::Pull => "pull",
            Access::Push => "pull,push",
        };
        let own = format!("repository:{}:{actions}", self.repository);
        match self.reads {
            Some(other) => format!("{own} repository:{other}:pull"),
            None => own,
        }
    }
}

/// What a registry asks for in `WWW-Authenticate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

impl Challenge {
    /// Reads one header value. `None` for a scheme this client does not speak, or a bearer challenge without a realm.
    pub(crate) fn parse(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let mut parameters = parameters(rest);
        let realm = parameters.remove("realm")?;
        Some(Self::Bearer { realm, service: parameters.remove("service"), scope: parameters.remove("scope") })
    }
}

/// Reads `a="b,c",d=e` (RFC 9110, 11.2). Names are lower-cased; the first of a repeated name counts.
fn parameters(text: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches(|c: char| c == ',' || c.is_whitespace()).to_ascii_lowercase();
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let (value, after) = after.split_once(',').unwrap_or((after, ""));
                (value.trim().to_owned(), after)
            }
        };
        found.entry(name).or_insert(value);
        rest = after;
    }
    found
}

/// The text up to the closing quote, and what follows it.
fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            c => value.push(c),
        }
    }
    (value, "")
}

/// The header a user and a password make.
pub(crate) fn basic(user: &str, password: &Secret) -> Option<HeaderValue> {
    secret_header(&format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{}", password.expose()))))
}

pub(crate) fn bearer(token: &Secret) -> Option<HeaderValue> {
    secret_header(&format!("Bearer {}", token.expose()))
}

fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The header that worked last, per scope. Tokens are short-lived; one that no longer works is replaced when the registry
/// says so.
#[derive(Default)]
pub(crate) struct Session {
    headers: Mutex<HashMap<String, HeaderValue>>,
}

impl Session {
    pub(crate) fn get(&self, scope: &Scope<'_>) -> Option<HeaderValue> {
        self.headers.lock().unwrap_or_else(PoisonError::into_inner).get(&scope.text()).cloned()
    }

    pub(crate) fn set(&self, scope: &Scope<'_>, header: HeaderValue) {
        self.headers.lock().unwrap_or_else(PoisonError::into_inner).insert(scope.text(), header);
    }
}

#[cfg(test)]
mod tests;
