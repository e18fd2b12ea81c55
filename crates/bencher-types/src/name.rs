//! Names and references as users type them: parsed once, valid ever after.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest [`ResourceName`] and [`UserName`], in bytes.
pub const MAX_RESOURCE_NAME_LEN: usize = 64;
/// The longest [`Slug`], in bytes.
pub const MAX_SLUG_LEN: usize = 64;
/// The longest [`BranchName`], in bytes.
pub const MAX_BRANCH_NAME_LEN: usize = 256;
/// The longest [`BenchmarkName`], in bytes.
pub const MAX_BENCHMARK_NAME_LEN: usize = 1024;
/// The longest [`Email`], in bytes (RFC 5321, 4.5.3.1.3).
pub const MAX_EMAIL_LEN: usize = 254;

/// The longest [`Label`], in bytes.
pub const MAX_LABEL_LEN: usize = 64;

/// A text that is not what its type asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a valid {kind}: expected {expected}")]
pub struct InvalidName {
    pub kind: &'static str,
    pub expected: &'static str,
    /// What was given, cut to a readable length.
    pub found: String,
}

impl InvalidName {
    fn new(kind: &'static str, expected: &'static str, found: &str) -> Self {
        const SHOWN: usize = 80;
        let mut shown: String = found.chars().take(SHOWN).collect();
        if shown.len() < found.len() {
            shown.push('…');
        }
        Self { kind, expected, found: shown }
    }
}

macro_rules! names {
    // The pattern and the greatest length are for the API's description, in ECMA-262 and in characters; `$valid` decides.
    ($($(#[$doc:meta])* $name:ident($kind:literal, $expected:literal, $pattern:tt, $longest:tt, $valid:expr);)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(into = "String", try_from = "String")]
        #[schema(value_type = String, pattern = $pattern, min_length = 1, max_length = $longest)]
        pub struct $name(String);

        impl $name {
            /// # Errors
            /// The text is not valid; the error says what was expected.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidName> {
                let text = text.into();
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) { Ok(Self(text)) } else { Err(InvalidName::new($kind, $expected, &text)) }
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    )+};
}

names! {
    /// A name that people give a resource.
    ResourceName("name", "1 to 64 bytes, not only spaces, none of them NUL", r"^[^\u0000]*[^\s\u0000][^\u0000]*$", 64, |text| is_name(text, MAX_RESOURCE_NAME_LEN));
    /// A person's name.
    UserName("user name", "1 to 64 bytes, not only spaces, none of them NUL", r"^[^\u0000]*[^\s\u0000][^\u0000]*$", 64, |text| is_name(text, MAX_RESOURCE_NAME_LEN));
    /// A branch's name: a name git would take for a branch.
    BranchName("branch name", "a git reference name of at most 256 bytes", r"^[^\u0000-\u0020\u007f~^:?*\[\\]+$", 256, is_branch_name);
    /// A benchmark's name, as its harness prints it.
    BenchmarkName("benchmark name", "1 to 1024 bytes, not only spaces, none of them NUL", r"^[^\u0000]*[^\s\u0000][^\u0000]*$", 1024, |text| is_name(text, MAX_BENCHMARK_NAME_LEN));
    /// A name for URLs: lower-case letters, digits and single hyphens between them.
    Slug("slug", "1 to 64 lower-case letters and digits, with single hyphens between them", "^[a-z0-9]+(-[a-z0-9]+)*$", 64, is_slug);
    /// An e-mail address. Compared as it was given; addresses are stored in lower case.
    Email("e-mail address", "an address such as name@example.com", r"^[^\u0000-\u0020\u007f@:]+@[^\u0000-\u0020\u007f@:]+$", 254, is_email);
    /// A git commit hash: 40 hexadecimal digits.
    GitHash("git hash", "40 hexadecimal digits", "^[0-9a-fA-F]{40}$", 40, is_git_hash);
    /// What a runner has and a job may need, such as `gpu` or `cpu=zen4`.
    Label("label", "1 to 64 letters, digits and any of `.`, `_`, `:`, `/`, `=`, `-`", "^[A-Za-z0-9._:/=-]+$", 64, is_label);
}

impl Slug {
    /// The slug of a name: letters and digits kept in lower case, everything else a hyphen. `None` where nothing is left.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let mut slug = String::with_capacity(name.len().min(MAX_SLUG_LEN));
        for c in name.chars() {
            if slug.len() == MAX_SLUG_LEN {
                break;
            }
            if c.is_ascii_alphanumeric() {
                slug.push(c.to_ascii_lowercase());
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        let slug = slug.trim_end_matches('-');
        (!slug.is_empty()).then(|| Self(slug.to_owned()))
    }

    /// This slug with a suffix that tells it from others of the same name, cut so that it stays valid.
    #[must_use]
    pub fn with_suffix(&self, suffix: &str) -> Self {
        let keep = MAX_SLUG_LEN.saturating_sub(suffix.len() + 1).min(self.0.len());
        Self(format!("{}-{suffix}", self.0[..keep].trim_end_matches('-')))
    }
}

/// NUL is in no text that a person or a harness means, and PostgreSQL stores none.
fn is_name(text: &str, max: usize) -> bool {
    !text.trim().is_empty() && text.len() <= max && !text.contains('\0')
}

fn is_slug(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_SLUG_LEN
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.contains("--")
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_email(text: &str) -> bool {
    text.len() <= MAX_EMAIL_LEN
        && text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !domain.starts_with('.') && !domain.ends_with('.')
        })
        && !text.chars().any(|c| c.is_whitespace() || c.is_control() || c == ':')
}

/// No comma, which separates labels where they are stored.
fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_LABEL_LEN
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'/' | b'=' | b'-'))
}

fn is_git_hash(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The rules of git-check-ref-format(1) for one reference name.
fn is_branch_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_BRANCH_NAME_LEN
        && text != "@"
        && !text.contains("..")
        && !text.contains("@{")
        && !text.contains("//")
        && !text.starts_with('/')
        && !text.ends_with(['/', '.'])
        && text.split('/').all(|part| !part.starts_with('.') && !part.ends_with(".lock"))
        && !text.chars().any(|c| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\'))
}

/// What a path names a resource by: its UUID or its slug.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum ResourceId {
    Uuid(Uuid),
    Slug(Slug),
}

impl FromStr for ResourceId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if let Ok(uuid) = Uuid::parse_str(text) {
            return Ok(Self::Uuid(uuid));
        }
        Slug::new(text).map(Self::Slug).map_err(|_| InvalidName::new("resource id", "a UUID or a slug", text))
    }
}

/// What a body or a query names a resource by: its UUID, its slug or its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum NameId {
    Uuid(Uuid),
    Slug(Slug),
    /// Neither a UUID nor a slug; checked against the kind of name when it is used.
    Name(String),
}

impl FromStr for NameId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if let Ok(uuid) = Uuid::parse_str(text) {
            return Ok(Self::Uuid(uuid));
        }
        if let Ok(slug) = Slug::new(text) {
            return Ok(Self::Slug(slug));
        }
        if is_name(text, MAX_BENCHMARK_NAME_LEN) {
            return Ok(Self::Name(text.to_owned()));
        }
        Err(InvalidName::new("name or id", "a UUID, a slug or a name", text))
    }
}

macro_rules! text_enum {
    ($name:ident { $($variant:ident),+ }) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Self::$variant(inner) => inner.fmt(f),)+ }
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }
    };
}

text_enum!(ResourceId { Uuid, Slug });
text_enum!(NameId { Uuid, Slug, Name });

#[cfg(test)]
mod tests;
