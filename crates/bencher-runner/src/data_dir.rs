//! The runner's folder: who may use it, and what is where in it.
//!
//! ```text
//! lock            held by the one runner that uses the folder
//! in-flight.json  the job that was claimed and has no stored result yet
//! spool/          results that wait for the server
//! images/         image content and the file systems made of it
//! sandbox/        what jobs that run on the machine itself need
//! vm/             what jobs that run in microVMs need
//! ```

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use bencher_types::{DateTime, JobUuid};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::spool::{SpoolError, sync_dir, write_whole};

#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    #[error("could not {action} {path}; choose another folder with --data-dir")]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("another runner{holder} uses {path}: stop it, or give this one its own folder with --data-dir")]
    InUse { path: PathBuf, holder: String },
}

/// The runner's folder, locked for this process until it is dropped.
#[derive(Debug)]
#[must_use = "the folder is unlocked when this is dropped"]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// A job that was claimed and has no stored result yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    pub job: JobUuid,
    pub claimed: DateTime,
}

impl DataDir {
    /// Creates the folder if need be, for this user's eyes only, and locks it.
    ///
    /// # Errors
    /// The folder cannot be created or written, or another runner uses it.
    pub fn open(path: PathBuf) -> Result<Self, DataDirError> {
        let failed = |action| {
            let path = path.clone();
            move |source| DataDirError::Io { action, path, source }
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(failed("create"))?;
        let mut lock = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path.join("lock"))
            .map_err(failed("open the lock of"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let read = lock.read_to_string(&mut pid);
                let holder =
                    if read.is_ok() && !pid.trim().is_empty() { format!(" (process {})", pid.trim()) } else { String::new() };
                return Err(DataDirError::InUse { path, holder });
            }
            Err(TryLockError::Error(source)) => return Err(failed("lock")(source)),
        }
        // Only for the error above: a full disk must not keep the runner from starting.
        let wrote = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| writeln!(lock, "{}", std::process::id()));
        if let Err(error) = wrote {
            warn!(%error, "could not write this process's number into the lock");
        }
        Ok(Self { path, _lock: lock })
    }

    #[must_use]
    pub fn spool(&self) -> PathBuf {
        self.path.join("spool")
    }

    #[must_use]
    pub fn images(&self) -> PathBuf {
        self.path.join("images")
    }

    #[must_use]
    pub fn sandbox(&self) -> PathBuf {
        self.path.join("sandbox")
    }

    /// For jobs in microVMs; short, since sockets lie below it.
    #[must_use]
    pub fn micro_vms(&self) -> PathBuf {
        self.path.join("vm")
    }

    /// Remembers, across a crash, that this job is this runner's.
    ///
    /// # Errors
    /// The disk does not take it.
    pub(crate) fn remember(&self, in_flight: InFlight) -> Result<(), SpoolError> {
        let json = serde_json::to_vec(&in_flight).expect("an id and a time");
        write_whole(&self.in_flight_path(), &[&json])
    }

    /// The job is over and what came of it is safe.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub(crate) fn forget(&self) -> Result<(), SpoolError> {
        let path = self.in_flight_path();
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(SpoolError::Io { action: "remove", path, source }),
            Err(_) => Ok(()),
            Ok(()) => sync_dir(&self.path),
        }
    }

    /// The job that an earlier process claimed and did not finish.
    pub(crate) fn remembered(&self) -> Option<InFlight> {
        let path = self.in_flight_path();
        let json = match fs::read(&path) {
            Ok(json) => json,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                warn!(%error, file = %path.display(), "could not read which job was running");
                return None;
            }
        };
        serde_json::from_slice(&json)
            .inspect_err(|error| warn!(%error, file = %path.display(), "could not read which job was running"))
            .ok()
    }

    fn in_flight_path(&self) -> PathBuf {
        self.path.join("in-flight.json")
    }
}

impl AsRef<Path> for DataDir {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests;
