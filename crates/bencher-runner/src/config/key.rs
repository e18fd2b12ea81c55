//! Where the runner's key comes from when it is in a file.

use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use bencher_types::{InvalidKey, RunnerKey, Secret};

/// The name of the systemd credential with the key.
pub const CREDENTIAL: &str = "runner-key";

/// Bound of a key file in bytes; a key has under a hundred.
const MAX_SIZE: u64 = 4096;

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error(
        "there is no runner key: give it by BENCHER_RUNNER_KEY, --key-file, `key_file` in the configuration file, or the systemd \
         credential `{CREDENTIAL}`; it was shown when the runner was created, `bencher runner key RUNNER` makes a new one"
    )]
    Missing,
    #[error("could not read the key file {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the key file {path} can be read by others (mode {mode:03o}): run `chmod 600 {path}`")]
    Exposed { path: PathBuf, mode: u32 },
    #[error("the runner key ({place}) is {problem}; it was shown when the runner was created or its key replaced")]
    Invalid { place: String, problem: InvalidKey },
}

/// The key that was given, else that of the file, else that of systemd, whose folder of credentials is `credentials`.
///
/// # Errors
/// There is none, or it is none.
pub fn resolve(key: Option<&Secret>, file: Option<&Path>, credentials: Option<&Path>) -> Result<RunnerKey, KeyError> {
    let (text, place) = match (key, file) {
        (Some(key), _) => (key.expose().to_owned(), "--key or BENCHER_RUNNER_KEY".to_owned()),
        (None, Some(path)) => (read(path, Readers::OwnerOnly)?, path.display().to_string()),
        (None, None) => {
            let path = credentials.map(|folder| folder.join(CREDENTIAL)).filter(|path| path.exists()).ok_or(KeyError::Missing)?;
            // systemd keeps others out of the folder; the file's mode says nothing.
            (read(&path, Readers::AsItIs)?, path.display().to_string())
        }
    };
    text.trim().parse().map_err(|problem| KeyError::Invalid { place, problem })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Readers {
    OwnerOnly,
    AsItIs,
}

fn read(path: &Path, readers: Readers) -> Result<String, KeyError> {
    let failed = |source| KeyError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if readers == Readers::OwnerOnly && mode & 0o077 != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.take(MAX_SIZE).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

#[cfg(test)]
mod tests;
