//! Keys and other secrets: shown once, stored as a hash, never printed.

use std::{cell::Cell, fmt, str::FromStr};

use rand::{Rng as _, distr::Alphanumeric, rngs::OsRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// How many random characters of `[0-9A-Za-z]` follow a key's prefix (about 178 bits).
pub const KEY_RANDOM_LEN: usize = 30;

/// What stands for a secret where it is not shown.
pub const REDACTED: &str = "************";

thread_local! {
    static REDACTING: Cell<bool> = const { Cell::new(false) };
}

/// A text that must not be printed. `Debug` shows nothing of it; [`Secret::expose`] is the only way out, and serializing it outside
/// of [`redacted`].
#[derive(Clone, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(text))
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if REDACTING.get() { REDACTED } else { &self.0 })
    }
}

/// What is serialized in here has [`REDACTED`] in the place of every [`Secret`], however deep in it.
pub fn redacted<T>(serialize: impl FnOnce() -> T) -> T {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            REDACTING.set(self.0);
        }
    }

    let _before = Before(REDACTING.replace(true));
    serialize()
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A JSON web token, as a secret text: who holds it may act with it.
pub type Jwt = Secret;

/// The lower-case hexadecimal SHA-256 of a key: what is stored of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyHash(String);

impl KeyHash {
    #[must_use]
    pub fn of(key: &str) -> Self {
        Self(hex::encode(Sha256::digest(key.as_bytes())))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is not a key of the kind that was asked for. Never shows the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind}: expected `{prefix}` and {KEY_RANDOM_LEN} letters or digits")]
pub struct InvalidKey {
    pub kind: &'static str,
    pub prefix: &'static str,
}

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident($prefix:literal, $kind:literal);)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(into = "String", try_from = "String")]
        #[schema(value_type = String)]
        pub struct $name(String);

        impl $name {
            pub const PREFIX: &str = $prefix;

            /// A new key from the operating system's random numbers.
            #[must_use]
            pub fn generate() -> Self {
                Self(format!("{}{}", $prefix, random_alphanumeric()))
            }

            /// The key itself, to be shown once or sent as a bearer token.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }

            #[must_use]
            pub fn hash(&self) -> KeyHash {
                KeyHash::of(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidKey;

            fn from_str(text: &str) -> Result<Self, InvalidKey> {
                let random = text.strip_prefix($prefix);
                if random.is_some_and(|r| r.len() == KEY_RANDOM_LEN && r.bytes().all(|b| b.is_ascii_alphanumeric())) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidKey { kind: $kind, prefix: $prefix })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidKey;

            fn try_from(text: String) -> Result<Self, InvalidKey> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(key: $name) -> String {
                key.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )+};
}

keys! {
    /// Authenticates a runner.
    RunnerKey("bencher_runner_", "runner key");
    /// Authenticates whoever runs benchmarks for one project.
    ProjectKey("bencher_run_", "project key");
    /// Authenticates a user.
    UserKey("bencher_user_", "user key");
}

fn random_alphanumeric() -> String {
    use rand::TryRngCore as _;
    OsRng.unwrap_err().sample_iter(Alphanumeric).take(KEY_RANDOM_LEN).map(char::from).collect()
}

#[cfg(test)]
mod tests;
