//! Profiles: servers and credentials under a name, in a file that people edit too.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use bencher_types::{ResourceId, Secret};
use serde::Deserialize;
use toml_edit::{DocumentMut, Item, Table, value};
use url::Url;

use crate::{exit::Exit, private_file};

/// What can be wrong with profiles.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProfileError {
    #[error("there is no profile `{name}` in {}; there {known}", path.display(), known = known_names(.known))]
    Unknown { name: String, path: PathBuf, known: Vec<String> },
    #[error("{} is not a file of profiles", path.display())]
    Syntax {
        path: PathBuf,
        #[source]
        source: Box<toml_edit::de::Error>,
    },
    #[error("could not read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("could not write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("there is no place for profiles: neither BENCHER_CONFIG_FILE, XDG_CONFIG_HOME nor HOME is set")]
    NoPlace,
    #[error("a profile's name is made of letters, digits, `-` and `_`, not `{0}`")]
    Name(String),
    #[error("nothing to set: give --host, --token, --key or --project")]
    NothingToSet,
}

impl ProfileError {
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Unknown { .. } | Self::Name(_) | Self::NothingToSet => Exit::Usage,
            Self::Syntax { .. } | Self::Read { .. } | Self::Write { .. } | Self::NoPlace => Exit::Local,
        }
    }
}

fn known_names(names: &[String]) -> String {
    if names.is_empty() { "are none; `bencher profile set` makes one".to_owned() } else { format!("are: {}", names.join(", ")) }
}

/// What a profile says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    pub host: Option<Url>,
    pub token: Option<Secret>,
    pub key: Option<Secret>,
    pub project: Option<ResourceId>,
}

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profiles {
    /// The profile where none is named.
    pub default: Option<String>,
    #[serde(default)]
    pub profile: BTreeMap<String, Profile>,
}

/// Where profiles are.
#[derive(Clone, Debug)]
pub(crate) struct ProfileFile {
    path: Option<PathBuf>,
}

impl ProfileFile {
    /// `None` where there is no place for it.
    pub(crate) const fn new(path: Option<PathBuf>) -> Self {
        Self { path }
    }

    pub(crate) fn path(&self) -> Result<&Path, ProfileError> {
        self.path.as_deref().ok_or(ProfileError::NoPlace)
    }

    /// # Errors
    /// The file is there but cannot be read, or is not what it should be.
    pub(crate) fn read(&self) -> Result<Profiles, ProfileError> {
        let Some(path) = &self.path else { return Ok(Profiles::default()) };
        let text = read_or_empty(path)?;
        toml_edit::de::from_str(&text).map_err(|source| ProfileError::Syntax { path: path.clone(), source: Box::new(source) })
    }

    /// The profile of this name, else the default one. `None` where nothing names one.
    ///
    /// # Errors
    /// The one that is named does not exist, or the file cannot be read.
    pub(crate) fn select(&self, name: Option<&str>) -> Result<Option<(String, Profile)>, ProfileError> {
        let mut profiles = self.read()?;
        let Some(name) = name.map(str::to_owned).or_else(|| profiles.default.clone()) else { return Ok(None) };
        match profiles.profile.remove(&name) {
            Some(profile) => Ok(Some((name, profile))),
            None => Err(self.unknown(&name, &profiles)),
        }
    }

    /// Whether others can read a credential in the file.
    pub(crate) fn is_open_to_others(&self) -> bool {
        let mode = self.path.as_ref().and_then(|path| fs::metadata(path).ok()).map(|metadata| metadata.permissions().mode());
        mode.is_some_and(|mode| mode & 0o077 != 0)
    }

    /// Sets what is given, and keeps everything else, comments too. The first profile becomes the default.
    ///
    /// # Errors
    /// Nothing is given, the name is not one, or the file cannot be read or written.
    pub(crate) fn set(&self, name: &str, new: &Profile) -> Result<(), ProfileError> {
        let Profile { host, token, key, project } = new;
        if host.is_none() && token.is_none() && key.is_none() && project.is_none() {
            return Err(ProfileError::NothingToSet);
        }
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            return Err(ProfileError::Name(name.to_owned()));
        }
        self.edit(|document, _| {
            let profiles = document.entry("profile").or_insert_with(|| {
                let mut table = Table::new();
                table.set_implicit(true);
                Item::Table(table)
            });
            let profile = &mut profiles[name];
            if profile.is_none() {
                *profile = Item::Table(Table::new());
            }
            if let Some(host) = host {
                profile["host"] = value(host.as_str());
            }
            // There is only one credential: a new one takes the place of either.
            for (field, other, secret) in [("token", "key", token), ("key", "token", key)] {
                if let Some(secret) = secret {
                    profile[field] = value(secret.expose());
                    if let Some(table) = profile.as_table_like_mut() {
                        table.remove(other);
                    }
                }
            }
            if let Some(project) = project {
                profile["project"] = value(project.to_string());
            }
            if document.get("default").is_none() {
                document["default"] = value(name);
            }
            Ok(())
        })
    }

    /// # Errors
    /// There is no such profile, or the file cannot be read or written.
    pub(crate) fn set_default(&self, name: &str) -> Result<(), ProfileError> {
        self.edit(|document, profiles| {
            if !profiles.profile.contains_key(name) {
                return Err(self.unknown(name, profiles));
            }
            document["default"] = value(name);
            Ok(())
        })
    }

    /// # Errors
    /// There is no such profile, or the file cannot be read or written.
    pub(crate) fn delete(&self, name: &str) -> Result<(), ProfileError> {
        self.edit(|document, profiles| {
            let removed = document.get_mut("profile").and_then(Item::as_table_like_mut).and_then(|table| table.remove(name));
            if removed.is_none() {
                return Err(self.unknown(name, profiles));
            }
            if profiles.default.as_deref() == Some(name) {
                document.remove("default");
            }
            Ok(())
        })
    }

    fn unknown(&self, name: &str, profiles: &Profiles) -> ProfileError {
        ProfileError::Unknown {
            name: name.to_owned(),
            path: self.path.clone().unwrap_or_default(),
            known: profiles.profile.keys().cloned().collect(),
        }
    }

    fn edit(&self, change: impl FnOnce(&mut DocumentMut, &Profiles) -> Result<(), ProfileError>) -> Result<(), ProfileError> {
        let path = self.path()?;
        let profiles = self.read()?;
        let text = read_or_empty(path)?;
        let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| ProfileError::Syntax {
            path: path.to_owned(),
            source: Box::new(error.into()),
        })?;
        change(&mut document, &profiles)?;
        private_file::replace(path, document.to_string().as_bytes())
            .map_err(|source| ProfileError::Write { path: path.to_owned(), source })
    }
}

fn read_or_empty(path: &Path) -> Result<String, ProfileError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(source) => Err(ProfileError::Read { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests;
