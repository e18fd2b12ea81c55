//! From arguments and environment to what the daemon and `runner run` work with. Says everything that is wrong at once it can.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use bencher_types::{ResourceId, RunnerKey, Secret};
use url::Url;

use crate::{
    channel::machine::OnShutdown,
    cli::{BoundArgs, FirecrackerArgs, SandboxLogLevel, ShutdownPolicy, UpArgs},
    job::limits::MIN_MESSAGE_SIZE,
    size::ByteSize,
};

pub mod file;
pub mod firecracker;
pub mod key;
pub mod line;

use key::KeyError;

/// Configuration that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("--host `{0}` is not a server's address: expected http://HOST[:PORT] or https://HOST[:PORT]")]
    Host(Url),
    #[error("there is no folder for the runner's data: neither XDG_DATA_HOME nor HOME is set; name one with --data-dir")]
    DataDir,
    #[error("--max-message-size is {found}: expected at least {MIN_MESSAGE_SIZE} bytes")]
    MessageSize { found: ByteSize },
    #[error("--env `{0}` is not NAME=VALUE")]
    Env(String),
}

/// What `runner up` works with.
#[derive(Clone, Debug)]
pub struct UpConfig {
    pub host: Url,
    pub runner: ResourceId,
    pub key: RunnerKey,
    pub poll_timeout: Duration,
    pub on_shutdown: OnShutdown,
    pub data_dir: PathBuf,
    pub job: JobPolicy,
}

/// What this runner takes on, and within which bounds.
#[derive(Clone, Debug)]
pub struct JobPolicy {
    /// Jobs whose spec has no sandbox may run on the host.
    pub allow_no_sandbox: bool,
    /// Bound on fetching and unpacking an image.
    pub fetch_timeout: Duration,
    /// Largest terminal message, in bytes.
    pub max_message_size: usize,
    pub image_cache_bytes: u64,
    pub bounds: Bounds,
    /// How microVMs are made.
    pub firecracker: FirecrackerArgs,
    pub sandbox_log_level: SandboxLogLevel,
}

/// Bounds on what is collected from a benchmark.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of each stream, and of all files together.
    pub max_output_bytes: u64,
    pub max_file_count: u32,
    pub max_symlinks: u32,
    pub grace_period: Duration,
}

impl From<&BoundArgs> for Bounds {
    fn from(args: &BoundArgs) -> Self {
        Self {
            max_output_bytes: args.max_output_size.0,
            max_file_count: args.max_file_count,
            max_symlinks: args.max_symlinks,
            grace_period: Duration::from_secs(u64::from(args.grace_period)),
        }
    }
}

impl UpConfig {
    /// # Errors
    /// What is wrong and what was expected.
    pub fn new(args: &UpArgs) -> Result<Self, ConfigError> {
        if !matches!(args.host.scheme(), "http" | "https") || args.host.host_str().is_none() {
            return Err(ConfigError::Host(args.host.clone()));
        }
        let max_message_size = usize::try_from(args.max_message_size.0).unwrap_or(usize::MAX);
        if max_message_size < MIN_MESSAGE_SIZE {
            return Err(ConfigError::MessageSize { found: args.max_message_size });
        }
        Ok(Self {
            host: args.host.clone(),
            runner: args.runner.clone(),
            key: key(args.key.as_ref(), args.key_file.as_deref())?,
            poll_timeout: Duration::from_secs(u64::from(args.poll_timeout)),
            on_shutdown: match args.on_shutdown {
                ShutdownPolicy::Finish => OnShutdown::Finish,
                ShutdownPolicy::Cancel => OnShutdown::Cancel,
            },
            data_dir: data_dir(args.storage.data_dir.as_deref())?,
            job: JobPolicy {
                allow_no_sandbox: args.danger_allow_no_sandbox,
                fetch_timeout: args.fetch_timeout.duration(),
                max_message_size,
                image_cache_bytes: args.storage.image_cache_size.0,
                bounds: Bounds::from(&args.bounds),
                firecracker: args.firecracker.clone(),
                sandbox_log_level: args.bounds.sandbox_log_level,
            },
        })
    }
}

/// The key that was given, else that of the file, else that of systemd.
///
/// # Errors
/// There is none, it is none, or others can read it.
pub fn key(given: Option<&Secret>, file: Option<&Path>) -> Result<RunnerKey, KeyError> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    key::resolve(given, file, credentials.as_deref())
}

/// The folder that was named, else the usual one of this user.
///
/// # Errors
/// None was named, and the user has no home.
pub fn data_dir(named: Option<&Path>) -> Result<PathBuf, ConfigError> {
    if let Some(dir) = named {
        return Ok(dir.to_owned());
    }
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    usual_data_dir(nix::unistd::geteuid().is_root(), variable("XDG_DATA_HOME"), variable("HOME")).ok_or(ConfigError::DataDir)
}

fn usual_data_dir(root: bool, xdg_data_home: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    if root {
        return Some(PathBuf::from("/var/lib/bencher-runner"));
    }
    // The specification of these folders says to pass over relative ones.
    let absolute = |path: &PathBuf| path.is_absolute();
    let base = xdg_data_home.filter(absolute).or_else(|| home.filter(absolute).map(|home| home.join(".local/share")))?;
    Some(base.join("bencher-runner"))
}

/// `NAME=VALUE` taken apart.
///
/// # Errors
/// There is no `=`, or nothing before it.
pub fn env_pair(text: &str) -> Result<(String, String), ConfigError> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(ConfigError::Env(text.chars().take(80).collect())),
    }
}

/// Whether a `--image` names a folder rather than a reference.
#[must_use]
pub fn is_layout(image: &str) -> bool {
    image.starts_with(['.', '/']) || Path::new(image).join("oci-layout").exists()
}

#[cfg(test)]
mod tests;
