//! What one demo leaves for the next, beside the server's and the runner's own data: the keys, which are shown only once.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use rand::distr::{Alphanumeric, SampleString as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The folder of a demo, locked for as long as this lives.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

/// The keys of the demo's user and runner.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Keys {
    /// An account exists, whether or not it has a key yet.
    pub(crate) signed_up: bool,
    pub(crate) user: Option<String>,
    pub(crate) runner: Option<String>,
}

impl Folder {
    /// Makes the folder where there is none.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("could not create {}", path.display()))?;
        let path = path.canonicalize().with_context(|| format!("could not find {}", path.display()))?;
        let lock = File::create(path.join("demo.lock")).with_context(|| format!("could not write to {}", path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                bail!("another demo runs on {}: stop it, or name another folder with --data", path.display())
            }
            Err(fs::TryLockError::Error(error)) => return Err(error).context("could not lock the demo's folder"),
        }
        Ok(Self { path, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A folder in it, made where there is none.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.path.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("could not create {}", folder.display()))?;
        Ok(folder)
    }

    pub(crate) fn keys(&self) -> Result<Keys> {
        let file = self.path.join("keys.json");
        match fs::read_to_string(&file) {
            Ok(text) => serde_json::from_str(&text).with_context(|| format!("{} is damaged", file.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Keys::default()),
            Err(error) => Err(error).with_context(|| format!("could not read {}", file.display())),
        }
    }

    pub(crate) fn keep(&self, keys: &Keys) -> Result<()> {
        self.write_private("keys.json", &serde_json::to_value(keys).context("keys are text")?)
    }

    /// The server's configuration: its data below this folder, on loopback. The secret stays the same from start to start,
    /// so that keys and sessions stay valid; the port may change.
    pub(crate) fn server_config(&self, port: u16) -> Result<PathBuf> {
        let file = self.path.join("server.json");
        let secret = match fs::read_to_string(&file) {
            Ok(text) => {
                let old: Value = serde_json::from_str(&text).with_context(|| format!("{} is damaged", file.display()))?;
                old["security"]["secret_key"].as_str().map(str::to_owned)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("could not read {}", file.display())),
        };
        let secret = secret.unwrap_or_else(|| Alphanumeric.sample_string(&mut rand::rng(), 43));
        let data = self.folder("server")?;
        let url = format!("http://127.0.0.1:{port}");
        let config = json!({
            "console": { "url": url },
            // Tokens name who issued them: not the URL, which changes with the port.
            "security": { "issuer": "bencher-demo", "secret_key": secret },
            "server": { "bind_address": format!("127.0.0.1:{port}"), "request_body_max_bytes": 4 << 20 },
            "database": { "file": data.join("bencher.db") },
            "plus": { "registry": { "url": url, "folder": data.join("blobs") } },
        });
        self.write_private("server.json", &config)?;
        Ok(file)
    }

    /// Complete or not at all, and for the owner only.
    fn write_private(&self, name: &str, value: &Value) -> Result<()> {
        let (file, new) = (self.path.join(name), self.path.join(format!("{name}.new")));
        let write = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(format!("{value:#}\n").as_bytes())
        };
        write().with_context(|| format!("could not write {}", new.display()))?;
        fs::rename(&new, &file).with_context(|| format!("could not write {}", file.display()))
    }
}

#[cfg(test)]
mod tests;
