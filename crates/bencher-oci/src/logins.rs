//! Log-ins that container tools keep: the `auth.json` of podman, skopeo and buildah, and the `config.json` of docker.
//!
//! Which files there are is the caller's knowledge. The first file that knows a registry counts.

mod keeper;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bencher_types::Secret;
use serde::Deserialize;

use crate::{auth::Credentials, error::IoError, limits::MAX_LOGINS};

/// The registry behind the name `docker.io`, by which tools know its log-ins.
const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_KEYS: [&str; 3] = ["index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"];

/// Why log-ins cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    #[error("{} is not the JSON that container tools keep their log-ins in", path.display())]
    Syntax {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("{} is more than {MAX_LOGINS} bytes, too much for a file of log-ins", .0.display())]
    TooLarge(PathBuf),
    #[error("the log-in for `{registry}` in {} is not NAME:PASSWORD in base64; log in again", path.display())]
    Malformed { registry: String, path: PathBuf },
    #[error("the log-in for `{registry}` in {} is an identity token, which this program cannot use; log in with a password or key", path.display())]
    IdentityToken { registry: String, path: PathBuf },
    #[error("could not ask `docker-credential-{helper}` for the log-in for `{registry}`")]
    Helper {
        helper: String,
        registry: String,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Io(#[from] IoError),
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Contents {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<Secret>,
    identitytoken: Option<Secret>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entry")
    }
}

/// The log-ins of this user.
#[derive(Debug, Default)]
pub struct Logins {
    files: Vec<(PathBuf, Contents)>,
}

impl Logins {
    /// Reads files, the most wanted first. One that is not there is passed over.
    ///
    /// # Errors
    /// One is there and cannot be read or understood.
    pub fn read(paths: &[PathBuf]) -> Result<Self, LoginError> {
        let mut files = Vec::new();
        for path in paths {
            if let Some(contents) = read(path)? {
                files.push((path.clone(), contents));
            }
        }
        Ok(Self { files })
    }

    /// The log-in for a repository of a registry; [`Credentials::None`] where nobody is logged in.
    ///
    /// # Errors
    /// The log-in that there is cannot be used.
    pub async fn of(&self, registry: &str, repository: &str) -> Result<Credentials, LoginError> {
        let keys = keys(registry, repository);
        for (path, contents) in &self.files {
            let helper = keys.iter().find_map(|key| Some((key, contents.cred_helpers.get(key)?)));
            if let Some((key, helper)) = helper
                && let Some(found) = keeper::ask(helper, key).await?
            {
                return Ok(found);
            }
            // The most telling key first, however a tool has written it.
            let entry = |key: &String| contents.auths.iter().find(|(name, _)| plain(name) == key);
            if let Some((name, entry)) = keys.iter().find_map(entry) {
                match (&entry.auth, &entry.identitytoken) {
                    (_, Some(token)) if !token.expose().is_empty() => {
                        return Err(LoginError::IdentityToken { registry: name.clone(), path: path.clone() });
                    }
                    (Some(auth), _) if !auth.expose().is_empty() => {
                        let malformed = || LoginError::Malformed { registry: name.clone(), path: path.clone() };
                        return decode(auth).ok_or_else(malformed);
                    }
                    _ => {}
                }
                // An empty entry says that a store has the log-in, under the same name.
                if let Some(store) = contents.creds_store.as_deref().filter(|store| !store.is_empty())
                    && let Some(found) = keeper::ask(store, name).await?
                {
                    return Ok(found);
                }
            }
        }
        Ok(Credentials::None)
    }
}

fn read(path: &Path) -> Result<Option<Contents>, LoginError> {
    let on_read = IoError::on("read", path);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(on_read(error).into()),
    };
    let mut bytes = Vec::new();
    file.take(MAX_LOGINS + 1).read_to_end(&mut bytes).map_err(&on_read)?;
    if bytes.len() as u64 > MAX_LOGINS {
        return Err(LoginError::TooLarge(path.to_owned()));
    }
    // `podman logout` may leave an empty file.
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    serde_json::from_slice(&bytes).map(Some).map_err(|source| LoginError::Syntax { path: path.to_owned(), source })
}

/// The names under which a log-in may be, the most telling first.
fn keys(registry: &str, repository: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut rest = Some(repository);
    while let Some(folder) = rest.filter(|folder| !folder.is_empty()) {
        keys.push(format!("{registry}/{folder}"));
        rest = folder.rsplit_once('/').map(|(folder, _)| folder);
    }
    keys.push(registry.to_owned());
    if registry == DOCKER_HUB {
        keys.extend(DOCKER_HUB_KEYS.map(str::to_owned));
    }
    keys
}

/// A name without what docker writes around it: `https://index.docker.io/v1/`.
fn plain(name: &str) -> &str {
    let name = name.strip_prefix("https://").or(name.strip_prefix("http://")).unwrap_or(name);
    let name = name.trim_end_matches('/');
    name.strip_suffix("/v1").or(name.strip_suffix("/v2")).unwrap_or(name)
}

fn decode(auth: &Secret) -> Option<Credentials> {
    let bytes = BASE64_STANDARD.decode(auth.expose().trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(Credentials::Basic { user: user.to_owned(), password: Secret::new(password.trim_end_matches('\0')) })
}

#[cfg(test)]
mod tests;
