//! The server's configuration: a JSON file, then the environment over it. Read once, at start.
//!
//! The keys are those of the v0.6 series, so that its files work, and a few of ours. Where there is no file yet, one is written with
//! a new secret key, so that a restart does not log everybody out.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use bencher_types::Secret;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use url::Url;

use crate::{limits, store::DatabaseLocation};

/// The file that is read where nothing else is said.
pub const DEFAULT_PATH: &str = "/etc/bencher/bencher.json";

/// Where a new installation listens.
const DEFAULT_BIND_ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 6610);

/// The protocol version that clients of the v0.6 series compare with their own.
pub const DEFAULT_WIRE_VERSION: &str = "0.6.12";

/// The configuration file.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Config {
    pub console: Console,
    pub security: Security,
    pub server: Server,
    pub logging: Option<serde_json::Value>,
    pub database: Database,
    pub plus: Option<Plus>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Console {
    /// Where people open the console; links in mails and reports point there.
    pub url: Url,
}

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Security {
    /// The `iss` claim of tokens; the console's URL when absent.
    pub issuer: Option<String>,
    /// Signs tokens and seals secrets at rest.
    pub secret_key: Secret,
}

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Server {
    pub bind_address: SocketAddr,
    /// Bytes.
    pub request_body_max_bytes: usize,
    /// What `GET /v0/server/version` answers as the protocol's version.
    pub wire_version: Option<String>,
}

#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Database {
    /// A SQLite file.
    pub file: Option<PathBuf>,
    /// A `postgres://` URL, instead of a file.
    pub url: Option<Secret>,
}

#[skip_serializing_none]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Plus {
    pub registry: Option<Registry>,
    pub runners: Option<Runners>,
}

#[skip_serializing_none]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Registry {
    /// Where clients and runners reach the registry.
    pub url: Option<Url>,
    /// The folder of image blobs and job output; beside the database when absent.
    pub folder: Option<PathBuf>,
    /// Seconds.
    pub upload_timeout: Option<u64>,
    /// Bytes of one blob.
    pub max_body_size: Option<u64>,
}

#[skip_serializing_none]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Runners {
    /// Seconds, 1 to 900.
    pub heartbeat_timeout: Option<u64>,
    /// Seconds, 1 to 900.
    pub job_timeout_grace_period: Option<u64>,
    /// Seconds that a runner may take to fetch and build an image.
    pub fetch_timeout: Option<u64>,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("could not read the configuration file {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("could not write a first configuration file to {}; write one yourself or set BENCHER_CONFIG_PATH", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{origin} is not a valid configuration")]
    Parse {
        origin: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("`database` must name either a `file` or a `url`, not {0}")]
    Database(&'static str),
    #[error("`{key}` is {found}: expected {expected}")]
    OutOfRange { key: &'static str, found: String, expected: &'static str },
}

impl Config {
    /// The configuration from a JSON text, else from the file, which is written first where there is none.
    ///
    /// # Errors
    /// The text or file is not valid, or the file cannot be read or written.
    pub fn load(json: Option<&str>, path: &Path) -> Result<Self, ConfigError> {
        let config: Self = match json {
            Some(json) => parse(json, || "the configuration from the environment".to_owned())?,
            None => match std::fs::read_to_string(path) {
                Ok(text) => parse(&text, || format!("the configuration file {}", path.display()))?,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::write_new(path)?,
                Err(source) => return Err(ConfigError::Read { path: path.to_owned(), source }),
            },
        };
        config.database()?;
        for (key, timeout) in [
            ("plus.runners.heartbeat_timeout", config.heartbeat_timeout()),
            ("plus.runners.job_timeout_grace_period", config.job_timeout_grace_period()),
        ] {
            if !(1..=900).contains(&timeout.as_secs()) {
                let found = timeout.as_secs().to_string();
                return Err(ConfigError::OutOfRange { key, found, expected: "1 to 900 seconds" });
            }
        }
        Ok(config)
    }

    /// Writes the defaults and a new secret key, readable by the owner only.
    fn write_new(path: &Path) -> Result<Self, ConfigError> {
        use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};

        let config = Self::new(Path::new("data"), DEFAULT_BIND_ADDRESS, new_secret_key());
        let write = || {
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(serde_json::to_string_pretty(&config).expect("a configuration is plain JSON").as_bytes())?;
            file.sync_all()
        };
        write().map_err(|source| ConfigError::Write { path: path.to_owned(), source })?;
        tracing::info!(path = %path.display(), "wrote a first configuration file");
        Ok(config)
    }

    /// The configuration of a new installation whose data is under `folder`.
    #[must_use]
    pub fn new(folder: &Path, bind_address: SocketAddr, secret_key: Secret) -> Self {
        // An address that stands for every address is none that anybody can call: then the server is `localhost` to people, and
        // its registry is wherever it listens, until an administrator says what this machine is called.
        let everywhere = bind_address.ip().is_unspecified();
        let url = if everywhere { format!("http://localhost:{}", bind_address.port()) } else { format!("http://{bind_address}") };
        let url: Url = url.parse().expect("a host and a port make a URL");
        let registry_url = (!everywhere).then(|| url.clone());
        Self {
            console: Console { url: url.clone() },
            security: Security { issuer: None, secret_key },
            server: Server { bind_address, request_body_max_bytes: limits::DEFAULT_REQUEST_BODY_MAX_BYTES, wire_version: None },
            logging: None,
            database: Database { file: Some(folder.join("bencher.db")), url: None },
            plus: Some(Plus {
                registry: Some(Registry { url: registry_url, folder: Some(folder.join("blobs")), ..Registry::default() }),
                runners: None,
            }),
        }
    }

    /// # Errors
    /// Neither or both of a file and a URL are named.
    pub fn database(&self) -> Result<DatabaseLocation, ConfigError> {
        match (&self.database.file, &self.database.url) {
            (Some(file), None) => Ok(DatabaseLocation::Sqlite(file.clone())),
            (None, Some(url)) => Ok(DatabaseLocation::Postgres(url.clone())),
            (None, None) => Err(ConfigError::Database("neither")),
            (Some(_), Some(_)) => Err(ConfigError::Database("both")),
        }
    }

    /// The folder of image blobs, uploads and job output.
    #[must_use]
    pub fn blob_folder(&self) -> PathBuf {
        let configured = self.plus.as_ref().and_then(|plus| plus.registry.as_ref()).and_then(|registry| registry.folder.clone());
        configured.unwrap_or_else(|| {
            let database = self.database.file.as_deref().unwrap_or(Path::new("data/bencher.db"));
            database.parent().unwrap_or(Path::new(".")).join("blobs")
        })
    }

    /// Where clients and runners reach the registry.
    #[must_use]
    pub fn registry_url(&self) -> Url {
        let configured = self.plus.as_ref().and_then(|plus| plus.registry.as_ref()).and_then(|registry| registry.url.clone());
        configured.unwrap_or_else(|| {
            format!("http://localhost:{}", self.server.bind_address.port()).parse().expect("a host and a port make a URL")
        })
    }

    /// The largest blob that may be pushed, in bytes.
    #[must_use]
    pub fn max_blob_bytes(&self) -> u64 {
        let configured = self.plus.as_ref().and_then(|plus| plus.registry.as_ref()).and_then(|registry| registry.max_body_size);
        configured.unwrap_or(limits::DEFAULT_MAX_BLOB_BYTES)
    }

    /// How long an upload to the registry may rest.
    #[must_use]
    pub fn upload_timeout(&self) -> Duration {
        let configured = self.plus.as_ref().and_then(|plus| plus.registry.as_ref()).and_then(|registry| registry.upload_timeout);
        configured.map_or(limits::DEFAULT_UPLOAD_TIMEOUT, Duration::from_secs)
    }

    #[must_use]
    pub fn issuer(&self) -> String {
        self.security.issuer.clone().unwrap_or_else(|| self.console.url.to_string())
    }

    #[must_use]
    pub fn wire_version(&self) -> &str {
        self.server.wire_version.as_deref().unwrap_or(DEFAULT_WIRE_VERSION)
    }

    fn runners(&self) -> Runners {
        self.plus.as_ref().and_then(|plus| plus.runners.clone()).unwrap_or_default()
    }

    #[must_use]
    pub fn heartbeat_timeout(&self) -> Duration {
        self.runners().heartbeat_timeout.map_or(limits::DEFAULT_HEARTBEAT_TIMEOUT, Duration::from_secs)
    }

    #[must_use]
    pub fn job_timeout_grace_period(&self) -> Duration {
        self.runners().job_timeout_grace_period.map_or(limits::DEFAULT_JOB_TIMEOUT_GRACE_PERIOD, Duration::from_secs)
    }

    #[must_use]
    pub fn fetch_timeout(&self) -> Duration {
        self.runners().fetch_timeout.map_or(limits::DEFAULT_FETCH_TIMEOUT, Duration::from_secs)
    }
}

fn parse(text: &str, origin: impl FnOnce() -> String) -> Result<Config, ConfigError> {
    serde_json::from_str(text).map_err(|source| ConfigError::Parse { origin: origin(), source })
}

/// 256 bits from the operating system, in hexadecimal.
fn new_secret_key() -> Secret {
    use rand::{RngCore as _, TryRngCore as _};
    let mut bytes = [0_u8; 32];
    rand::rngs::OsRng.unwrap_err().fill_bytes(&mut bytes);
    Secret::new(hex::encode(bytes))
}

#[cfg(test)]
mod tests;
