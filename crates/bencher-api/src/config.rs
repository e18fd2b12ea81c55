//! The server's configuration: a JSON file, then the environment over it. Read once, at start.
//!
//! The keys are those of the v0.6 series, so that its files work, and a few of ours. Where there is no file yet, one is written with
//! a new secret key, so that a restart does not log everybody out.

pub mod billing;
pub mod data_store;
pub mod logging;
pub mod rate_limiting;
pub mod registry;
pub mod scheduling;
pub mod server;
mod shown;
pub mod smtp;
mod unclaimed;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use bencher_types::Secret;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use url::Url;

pub use self::{
    data_store::{DataStore, S3},
    logging::{IfExists, Log, LogFormat, LogLevel, Logging},
    registry::Registry,
    smtp::{MailSecurity, Smtp},
};
use self::{
    rate_limiting::RateLimiting,
    scheduling::Scheduling,
    server::{ForwardedHeader, Server},
    smtp::check_smtp,
};
use crate::{limits, store::DatabaseLocation};

/// The file that is read where nothing else is said.
pub const DEFAULT_PATH: &str = "/etc/bencher/bencher.json";

/// The data of an installation whose configuration is at [`DEFAULT_PATH`].
pub const DEFAULT_DATA_FOLDER: &str = "/var/lib/bencher";

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
    pub logging: Option<Logging>,
    pub database: Database,
    /// Where mails go; to the log when absent.
    pub smtp: Option<Smtp>,
    /// Who may sign up; everyone when absent. Ours.
    pub sign_up: Option<SignUp>,
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
pub struct Database {
    /// A SQLite file.
    pub file: Option<PathBuf>,
    /// A `postgres://` URL, instead of a file.
    pub url: Option<Secret>,
    /// Seconds that PostgreSQL may take for one statement before its connection counts as lost.
    pub timeout: Option<u64>,
    /// Where backups are copied to when that is asked for.
    pub data_store: Option<DataStore>,
}

/// Who may make an account. Whoever is invited to an organization may, and on a new server the first user.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SignUp {
    pub allow: SignUpAllow,
    /// Of addresses, where `allow` is `domains`. A domain does not stand for those below it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignUpAllow {
    #[default]
    Everyone,
    /// Who shows an invitation.
    Invited,
    /// Who has an address of one of the domains.
    Domains,
}

#[skip_serializing_none]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Plus {
    /// Whether runs and pushes without a log-in are taken; they are when absent. A key of ours.
    pub anonymous_runs: Option<bool>,
    /// Who is told what runners worked. A key of ours.
    pub billing: Option<billing::Billing>,
    pub rate_limiting: Option<RateLimiting>,
    pub registry: Option<Registry>,
    pub runners: Option<Runners>,
    pub scheduling: Option<Scheduling>,
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

/// A configuration that can be used, and what its owner should know about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    /// For the log, which is set up by the configuration and so cannot be written before.
    pub notes: Vec<String>,
}

impl Config {
    /// The configuration from a JSON text, else from the file, which is written first where there is none.
    ///
    /// # Errors
    /// The text or file is not valid, or the file cannot be read or written.
    pub fn load(json: Option<&str>, path: &Path) -> Result<Loaded, ConfigError> {
        let loaded = match json {
            Some(json) => parse(json, || "the configuration from the environment".to_owned())?,
            None => match std::fs::read_to_string(path) {
                Ok(text) => parse(&text, || format!("the configuration file {}", path.display()))?,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Loaded {
                    config: Self::write_new(path)?,
                    notes: vec![format!("wrote a first configuration file to {}", path.display())],
                },
                Err(source) => return Err(ConfigError::Read { path: path.to_owned(), source }),
            },
        };
        loaded.config.check()?;
        Ok(loaded)
    }

    /// The configuration in a file that must be there.
    ///
    /// # Errors
    /// The file cannot be read or is not valid.
    pub fn load_existing(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let Loaded { config, .. } = parse(&text, || format!("the configuration file {}", path.display()))?;
        config.check()?;
        Ok(config)
    }

    /// What the types of the values cannot say.
    fn check(&self) -> Result<(), ConfigError> {
        let out_of_range = |key, found: String, expected| Err(ConfigError::OutOfRange { key, found, expected });
        self.database()?;
        if let Some(url) = &self.database.url
            && !["postgres://", "postgresql://"].iter().any(|scheme| url.expose().starts_with(scheme))
        {
            return out_of_range("database.url", "something else".to_owned(), "a URL that begins with postgres://");
        }
        if self.security.secret_key.expose().is_empty() {
            return out_of_range(
                "security.secret_key",
                "empty".to_owned(),
                "a long random text; anyone who knows it can log in as anybody",
            );
        }
        if self.server.request_body_max_bytes == 0 {
            return out_of_range("server.request_body_max_bytes", "0".to_owned(), "a number of bytes above 0");
        }
        for (key, url) in
            [("console.url", Some(&self.console.url)), ("plus.registry.url", self.registry().and_then(|r| r.url.as_ref()))]
        {
            if let Some(url) = url.filter(|url| !matches!(url.scheme(), "http" | "https")) {
                return out_of_range(key, url.to_string(), "a URL that begins with http:// or https://");
            }
        }
        for (key, store) in [
            ("database.data_store", self.database.data_store.as_ref()),
            ("plus.registry.data_store", self.registry().and_then(|registry| registry.data_store.as_ref())),
        ] {
            store.map_or(Ok(()), |store| store.check(key))?;
        }
        self.smtp.as_ref().map_or(Ok(()), check_smtp)?;
        self.sign_up.as_ref().map_or(Ok(()), check_sign_up)?;
        self.check_scheduling()?;
        self.check_registry()?;
        self.billing().map_or(Ok(()), billing::check)?;
        for (key, timeout) in [
            ("database.timeout", self.database_timeout()),
            ("plus.runners.heartbeat_timeout", self.heartbeat_timeout()),
            ("plus.runners.job_timeout_grace_period", self.job_timeout_grace_period()),
        ] {
            if !(1..=900).contains(&timeout.as_secs()) {
                return out_of_range(key, timeout.as_secs().to_string(), "1 to 900 seconds");
            }
        }
        for origin in self.server.allowed_origins.iter().flatten() {
            let parsed = origin.parse::<Url>().ok().filter(|url| url.origin().is_tuple());
            if parsed.is_none_or(|url| url.origin().ascii_serialization() != *origin) {
                return out_of_range("server.allowed_origins", origin.clone(), "origins such as https://bench.example.com");
            }
        }
        let rate_limiting = self.rate_limiting();
        for (key, number) in [
            ("server.max_connections", self.server.max_connections.map_or(1, |number| number as u64)),
            ("server.request_timeout", self.request_timeout().as_secs()),
            ("plus.rate_limiting.window", u64::from(rate_limiting.window.unwrap_or(1))),
            ("plus.runners.fetch_timeout", self.fetch_timeout().as_secs()),
        ] {
            if number == 0 {
                return out_of_range(key, "0".to_owned(), "a number above 0");
            }
        }
        Ok(())
    }

    /// Listens elsewhere than the file says. What the file derived from the address follows it.
    pub fn rebind(&mut self, address: SocketAddr) {
        if self.console.url == url_of(self.server.bind_address) {
            // Tokens name who issued them, and those that are out there stay valid.
            self.security.issuer = Some(self.issuer());
            self.console.url = url_of(address);
        }
        self.server.bind_address = address;
    }

    /// Writes the defaults and a new secret key, readable by the owner only.
    fn write_new(path: &Path) -> Result<Self, ConfigError> {
        use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};

        let folder = data_folder(path).map_err(|source| ConfigError::Write { path: path.to_owned(), source })?;
        let config = Self::new(&folder, DEFAULT_BIND_ADDRESS, new_secret_key());
        let write = || {
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(serde_json::to_string_pretty(&config).expect("a configuration is plain JSON").as_bytes())?;
            file.sync_all()
        };
        write().map_err(|source| ConfigError::Write { path: path.to_owned(), source })?;
        Ok(config)
    }

    /// The configuration of a new installation whose data is under `folder`.
    #[must_use]
    pub fn new(folder: &Path, bind_address: SocketAddr, secret_key: Secret) -> Self {
        Self {
            console: Console { url: url_of(bind_address) },
            security: Security { issuer: None, secret_key },
            server: Server {
                bind_address,
                request_body_max_bytes: limits::DEFAULT_REQUEST_BODY_MAX_BYTES,
                wire_version: None,
                tls: None,
                trusted_proxies: Vec::new(),
                forwarded_header: ForwardedHeader::default(),
                allowed_origins: None,
                max_connections: None,
                request_timeout: None,
            },
            logging: None,
            database: Database { file: Some(folder.join("bencher.db")), url: None, timeout: None, data_store: None },
            smtp: None,
            sign_up: None,
            plus: Some(Plus {
                anonymous_runs: None,
                billing: None,
                rate_limiting: None,
                registry: Some(Registry { folder: Some(folder.join("blobs")), ..Registry::default() }),
                runners: None,
                scheduling: None,
            }),
        }
    }

    /// # Errors
    /// Neither or both of a file and a URL are named.
    pub fn database(&self) -> Result<DatabaseLocation, ConfigError> {
        match (&self.database.file, &self.database.url) {
            (Some(file), None) => Ok(DatabaseLocation::Sqlite(file.clone())),
            (None, Some(url)) => Ok(DatabaseLocation::Postgres { url: url.clone(), timeout: self.database_timeout() }),
            (None, None) => Err(ConfigError::Database("neither")),
            (Some(_), Some(_)) => Err(ConfigError::Database("both")),
        }
    }

    /// How long PostgreSQL may take for one statement.
    #[must_use]
    pub fn database_timeout(&self) -> Duration {
        self.database.timeout.map_or(limits::DEFAULT_DATABASE_TIMEOUT, Duration::from_secs)
    }

    /// How often who may do what.
    #[must_use]
    pub fn rate_limiting(&self) -> RateLimiting {
        self.plus.as_ref().and_then(|plus| plus.rate_limiting.clone()).unwrap_or_default()
    }

    /// How long an answer may take, the receipt of the request included.
    #[must_use]
    pub fn request_timeout(&self) -> Duration {
        self.server.request_timeout.map_or(limits::DEFAULT_REQUEST_TIMEOUT, Duration::from_secs)
    }

    /// Who is told what runners worked; nobody where nothing is billed.
    #[must_use]
    pub fn billing(&self) -> Option<&billing::Billing> {
        self.plus.as_ref().and_then(|plus| plus.billing.as_ref())
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

fn check_sign_up(sign_up: &SignUp) -> Result<(), ConfigError> {
    let out_of_range = |found: String, expected| Err(ConfigError::OutOfRange { key: "sign_up.domains", found, expected });
    if (sign_up.allow == SignUpAllow::Domains) == sign_up.domains.is_empty() {
        let found = if sign_up.domains.is_empty() { "empty" } else { "given" };
        return out_of_range(found.to_owned(), "domains exactly where `sign_up.allow` is `domains`");
    }
    match sign_up.domains.iter().find(|domain| domain.is_empty() || domain.contains(['@', '*', ' ']) || domain.starts_with('.')) {
        Some(domain) => out_of_range(format!("`{domain}`"), "domains such as example.com"),
        None => Ok(()),
    }
}

/// The configuration in a text, and the keys in it that nothing reads.
fn parse(text: &str, origin: impl FnOnce() -> String) -> Result<Loaded, ConfigError> {
    let mut notes = Vec::new();
    let mut json = serde_json::Deserializer::from_str(text);
    let config = serde_ignored::deserialize(&mut json, |path| {
        notes.push(unused(name_of(&path)));
    });
    match config.and_then(|config| json.end().map(|()| config)) {
        Ok(config) => Ok(Loaded { config, notes }),
        Err(source) => Err(ConfigError::Parse { origin: origin(), source }),
    }
}

fn unused(key: impl std::fmt::Display) -> String {
    format!("the configuration key `{key}` is not used by this server")
}

/// A key as people write it: `plus.stats.enabled`. Optional parts of the configuration are no steps on the way.
fn name_of(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;

    let under = |parent: &Path<'_>, key: String| match name_of(parent) {
        parent if parent.is_empty() => key,
        parent => format!("{parent}.{key}"),
    };
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => under(parent, index.to_string()),
        Path::Map { parent, key } => under(parent, key.clone()),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => name_of(parent),
    }
}

/// Where programs on this machine reach a server that listens here.
fn url_of(address: SocketAddr) -> Url {
    let url =
        if address.ip().is_unspecified() { format!("http://localhost:{}", address.port()) } else { format!("http://{address}") };
    url.parse().expect("a host and a port make a URL")
}

/// Where a new installation keeps its data: beside its configuration, or where programs of the system do. Absolute, so that it is
/// the same from wherever the server is started.
fn data_folder(config: &Path) -> std::io::Result<PathBuf> {
    if config == Path::new(DEFAULT_PATH) {
        return Ok(PathBuf::from(DEFAULT_DATA_FOLDER));
    }
    Ok(std::path::absolute(config)?.with_file_name("data"))
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
