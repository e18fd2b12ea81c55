//! Terminal messages on the disk, from before they are sent until they are acknowledged.
//!
//! One file per message, `NUMBER-JOB.msg`, numbers ascending: a line of JSON with the message's length and SHA-256, then the
//! message as it goes over the wire. A file appears under its name only when it is whole and on the disk (write, fsync, rename,
//! fsync of the folder). What a crash left half-written is removed at the next start; what is damaged is moved to `quarantine/`,
//! what no server would take to `undelivered/`, both for a person to look at.
//!
//! Where the disk takes no more, a message is held in memory instead: the result still arrives if the runner lives on.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use bencher_types::{Digest, JobUuid};
use serde::{Deserialize, Serialize};
use tracing::{error, warn};

use crate::channel::machine::{Parcel, ParcelId};

/// Files with this ending are whole.
const WHOLE: &str = "msg";
/// Files with this ending are being written.
const PARTIAL: &str = "tmp";

/// A message that could not be kept or got back.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("could not {action} {path}")]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} is damaged: {problem}")]
    Damaged { path: PathBuf, problem: &'static str },
    #[error("there is no message {0} in the spool")]
    Unknown(u64),
}

#[derive(Serialize, Deserialize)]
struct Header {
    /// Of this file format.
    version: u32,
    bytes: u64,
    digest: Digest,
}

const FORMAT_VERSION: u32 = 1;

pub(crate) struct Spool {
    dir: PathBuf,
    next: u64,
    entries: BTreeMap<ParcelId, Entry>,
}

struct Entry {
    job: JobUuid,
    /// Where the disk did not take it.
    held: Option<String>,
}

impl Spool {
    /// Opens the folder, creates it if need be, and finds what an earlier run could not deliver, oldest first.
    ///
    /// # Errors
    /// The folder cannot be created or read. Single damaged files are put aside and are no error.
    pub(crate) fn open(dir: PathBuf) -> Result<(Self, Vec<Parcel>), SpoolError> {
        fs::create_dir_all(&dir).map_err(io_error("create", &dir))?;
        let mut spool = Self { dir, next: 1, entries: BTreeMap::new() };
        let mut parcels = Vec::new();
        for file in fs::read_dir(&spool.dir).map_err(io_error("read", &spool.dir))? {
            let path = file.map_err(io_error("read", &spool.dir))?.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some(PARTIAL) => remove_leftover(&path),
                Some(WHOLE) => match load(&path) {
                    Ok((id, job, message)) => {
                        spool.next = spool.next.max(id.0 + 1);
                        spool.entries.insert(id, Entry { job, held: None });
                        parcels.push(Parcel { id, job, bytes: message.len() as u64 });
                    }
                    Err(problem) => spool.put_aside(&path, "quarantine", &problem),
                },
                _ => {}
            }
        }
        parcels.sort_by_key(|parcel| parcel.id);
        Ok((spool, parcels))
    }

    /// Keeps a message until [`Spool::remove`]. With an error it is held in memory only, and lost if the process ends.
    pub(crate) fn put(&mut self, job: JobUuid, message: String) -> (Parcel, Result<(), SpoolError>) {
        let id = ParcelId(self.next);
        self.next += 1;
        let parcel = Parcel { id, job, bytes: message.len() as u64 };
        let stored = self.store(id, job, &message);
        let held = stored.is_err().then_some(message);
        self.entries.insert(id, Entry { job, held });
        (parcel, stored)
    }

    /// Whether a message about this job waits.
    pub(crate) fn holds(&self, job: JobUuid) -> bool {
        self.entries.values().any(|entry| entry.job == job)
    }

    /// The message as it goes over the wire.
    ///
    /// # Errors
    /// It is not there, cannot be read, or is damaged.
    pub(crate) fn read(&self, id: ParcelId) -> Result<String, SpoolError> {
        let entry = self.entries.get(&id).ok_or(SpoolError::Unknown(id.0))?;
        match &entry.held {
            Some(message) => Ok(message.clone()),
            None => load(&self.path(id, entry.job)).map(|(_, _, message)| message),
        }
    }

    /// Replaces a message that no server takes by one that fits; the original goes to `undelivered/`.
    pub(crate) fn replace(&mut self, id: ParcelId, message: String) -> Result<(), SpoolError> {
        let job = self.entries.get(&id).ok_or(SpoolError::Unknown(id.0))?.job;
        let path = self.path(id, job);
        if path.exists() {
            let aside = self.dir.join("undelivered");
            let copy = aside.join(path.file_name().unwrap_or_default());
            fs::create_dir_all(&aside).map_err(io_error("create", &aside))?;
            // A second name for the same bytes: no moment without the message, and no space for a copy.
            match fs::hard_link(&path, &copy) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io_error("link", &copy)(error)),
                _ => {}
            }
        }
        let stored = self.store(id, job, &message);
        let held = stored.is_err().then_some(message);
        self.entries.insert(id, Entry { job, held });
        stored
    }

    /// Removes an acknowledged message.
    pub(crate) fn remove(&mut self, id: ParcelId) -> Result<(), SpoolError> {
        let Some(entry) = self.entries.remove(&id) else { return Ok(()) };
        let path = self.path(id, entry.job);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", &path)(error)),
            _ => sync_dir(&self.dir),
        }
    }

    /// Puts a message that cannot be read aside.
    pub(crate) fn quarantine(&mut self, id: ParcelId, problem: &SpoolError) {
        if let Some(entry) = self.entries.remove(&id) {
            self.put_aside(&self.path(id, entry.job), "quarantine", problem);
        }
    }

    fn path(&self, id: ParcelId, job: JobUuid) -> PathBuf {
        self.dir.join(format!("{:020}-{job}.{WHOLE}", id.0))
    }

    fn store(&self, id: ParcelId, job: JobUuid, message: &str) -> Result<(), SpoolError> {
        let path = self.path(id, job);
        let header = Header { version: FORMAT_VERSION, bytes: message.len() as u64, digest: Digest::sha256(message.as_bytes()) };
        let header = serde_json::to_string(&header).expect("a header has only text and numbers");
        write_whole(&path, &[header.as_bytes(), b"\n", message.as_bytes()])
    }

    fn put_aside(&self, path: &Path, folder: &str, problem: &SpoolError) {
        let folder = self.dir.join(folder);
        let aside = folder.join(path.file_name().unwrap_or_default());
        match fs::create_dir_all(&folder).and_then(|()| fs::rename(path, &aside)) {
            Ok(()) => {
                error!(error = %problem, file = %aside.display(), "a stored result cannot be delivered; the file was put aside")
            }
            Err(error) => {
                error!(error = %problem, not_moved = %error, file = %path.display(), "a stored result cannot be delivered")
            }
        }
    }
}

/// Writes a file so that it is either there, whole and on the disk, or not there.
pub(crate) fn write_whole(path: &Path, parts: &[&[u8]]) -> Result<(), SpoolError> {
    let partial = path.with_extension(PARTIAL);
    let write = || {
        let mut file = File::create(&partial)?;
        for part in parts {
            file.write_all(part)?;
        }
        file.sync_all()
    };
    if let Err(error) = write().and_then(|()| fs::rename(&partial, path)) {
        remove_leftover(&partial);
        return Err(io_error("write", path)(error));
    }
    sync_dir(path.parent().unwrap_or(Path::new(".")))
}

/// Makes new and removed names of a folder durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), SpoolError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_error("sync", dir))
}

fn load(path: &Path) -> Result<(ParcelId, JobUuid, String), SpoolError> {
    let damaged = |problem| SpoolError::Damaged { path: path.to_owned(), problem };
    let name = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.split_once('-'));
    let (id, job) = name
        .and_then(|(id, job)| Some((ParcelId(id.parse().ok()?), job.parse().ok()?)))
        .ok_or_else(|| damaged("its name is not NUMBER-JOB"))?;

    let mut text = String::from_utf8(fs::read(path).map_err(io_error("read", path))?).map_err(|_| damaged("it is not text"))?;
    let end = text.find('\n').ok_or_else(|| damaged("it has no header"))?;
    let header: Header = serde_json::from_str(&text[..end]).map_err(|_| damaged("its header cannot be read"))?;
    if header.version != FORMAT_VERSION {
        return Err(damaged("it has a format of another version of the runner"));
    }
    text.drain(..=end);
    if text.len() as u64 != header.bytes || Digest::sha256(text.as_bytes()) != header.digest {
        return Err(damaged("its content is not what was written"));
    }
    Ok((id, job, text))
}

fn remove_leftover(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        warn!(%error, file = %path.display(), "could not remove a half-written file");
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SpoolError {
    let path = path.to_owned();
    move |source| SpoolError::Io { action, path, source }
}

#[cfg(test)]
mod tests;
