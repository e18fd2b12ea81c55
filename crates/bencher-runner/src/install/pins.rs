//! The pins file: which files may be installed, as their operator confirmed them.

use std::{
    fmt::{self, Write as _},
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{limits::MAX_PINS, version::Version};

/// What is installed, each under a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Name {
    Firecracker,
    Jailer,
    Kernel,
}

impl Name {
    /// What its file is called where it is installed.
    #[must_use]
    pub fn file(self) -> &'static str {
        match self {
            Self::Firecracker => "firecracker",
            Self::Jailer => "jailer",
            Self::Kernel => "vmlinux",
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Firecracker => "firecracker",
            Self::Jailer => "jailer",
            Self::Kernel => "kernel",
        })
    }
}

/// One file that may be installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    pub name: Name,
    pub version: String,
    /// Its path below the place it is taken from. May be a release archive, which holds several.
    pub file: String,
    /// Of the file as it is fetched: 64 hexadecimal digits.
    pub sha256: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, rename = "pin")]
    pins: Vec<Pin>,
}

/// A pins file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PinsError {
    #[error("could not read the pins file {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the pins file {path} has more than {MAX_PINS} bytes")]
    TooLarge { path: PathBuf },
    #[error("the pins file {path} cannot be used, line {line}: {problem}; docs/runner.md shows one")]
    Syntax { path: PathBuf, line: usize, problem: String },
    #[error("the pins file {path} has no [[pin]]; expected one each for firecracker, jailer and kernel, or for some of them")]
    Empty { path: PathBuf },
    #[error("the pins file {path} has {name} twice")]
    Twice { path: PathBuf, name: Name },
    #[error("the pins file {path} has `{found}` as the {field} of {name}: expected {expected}")]
    Field { path: PathBuf, name: Name, field: &'static str, found: String, expected: &'static str },
}

/// # Errors
/// It cannot be read, or says what cannot be.
pub fn read(path: &Path) -> Result<Vec<Pin>, PinsError> {
    let failed = |source| PinsError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    File::open(path).map_err(failed)?.take(MAX_PINS + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_PINS {
        return Err(PinsError::TooLarge { path: path.to_owned() });
    }
    parse(path, &text)
}

pub(super) fn parse(path: &Path, text: &str) -> Result<Vec<Pin>, PinsError> {
    let path = || path.to_owned();
    let document: Document = toml::from_str(text).map_err(|error| {
        let before = &text[..error.span().map_or(0, |span| span.start).min(text.len())];
        let problem = error.message().replace('\n', ", ");
        PinsError::Syntax { path: path(), line: before.matches('\n').count() + 1, problem }
    })?;
    let mut pins = document.pins;
    if pins.is_empty() {
        return Err(PinsError::Empty { path: path() });
    }
    for (index, pin) in pins.iter().enumerate() {
        if pins[..index].iter().any(|other| other.name == pin.name) {
            return Err(PinsError::Twice { path: path(), name: pin.name });
        }
        let wrong = |field, found: &str, expected| PinsError::Field {
            path: path(),
            name: pin.name,
            field,
            found: found.to_owned(),
            expected,
        };
        if pin.version.parse::<Version>().is_err() {
            return Err(wrong("version", &pin.version, "one such as 1.16.1"));
        }
        if !is_relative(&pin.file) {
            return Err(wrong("file", &pin.file, "a path below the place it is taken from, of letters, digits and `._+-/`"));
        }
        if pin.sha256.len() != 64 || !pin.sha256.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(wrong("sha256", &pin.sha256, "64 hexadecimal digits"));
        }
    }
    for pin in &mut pins {
        pin.sha256.make_ascii_lowercase();
    }
    pins.sort_by_key(|pin| pin.name);
    Ok(pins)
}

/// The text of a pins file. What is in it has been checked, so that nothing needs to be escaped.
#[must_use]
pub fn write(pins: &[Pin]) -> String {
    let mut text = "# What `runner install-deps` may install. Give it to other machines with --pins.\n".to_owned();
    for Pin { name, version, file, sha256 } in pins {
        let _ = write!(text, "\n[[pin]]\nname = \"{name}\"\nversion = \"{version}\"\nfile = \"{file}\"\nsha256 = \"{sha256}\"\n");
    }
    text
}

/// Whether a text names a file below a folder and nothing else, in an address as well.
pub(super) fn is_relative(file: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-' | '/');
    file.len() <= 1024 && file.chars().all(fine) && file.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests;
