//! What leaves the store: leftovers of died processes, downloads nobody resumed, and the least recently used blobs beyond
//! the bound. Whatever is locked is in use and stays.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{BlobStore, remove_if_there};
use crate::{clock, error::IoError, flock, limits::PARTIAL_MAX_AGE};

/// A file of the store.
pub(super) struct Item {
    pub(super) path: PathBuf,
    pub(super) size: u64,
    pub(super) used: SystemTime,
}

impl BlobStore {
    /// Every blob and partial download.
    pub(super) fn list(&self) -> Result<Vec<Item>, IoError> {
        let mut items = list_dir(&self.blobs())?;
        items.extend(list_dir(&self.partials())?);
        Ok(items)
    }

    /// Removes what no living process is responsible for.
    pub(super) fn clean(&self) -> Result<(), IoError> {
        for item in list_dir(&self.tmp())? {
            remove_unused(&item.path)?;
        }
        let now = clock::now();
        for item in list_dir(&self.partials())? {
            if now.duration_since(item.used).is_ok_and(|age| age > PARTIAL_MAX_AGE) {
                remove_unused(&item.path)?;
            }
        }
        self.evict()
    }

    /// Removes the least recently used content until the bound is kept, or only what is in use is left.
    pub(super) fn evict(&self) -> Result<(), IoError> {
        let mut items = self.list()?;
        let mut total: u64 = items.iter().map(|item| item.size).sum();
        items.sort_by_key(|item| item.used);
        for item in items {
            if total <= self.inner.limits.bytes {
                break;
            }
            if remove_unused(&item.path)? {
                tracing::debug!(path = %item.path.display(), bytes = item.size, "removed the least recently used blob");
                total -= item.size;
            }
        }
        Ok(())
    }
}

pub(super) fn list_dir(dir: &Path) -> Result<Vec<Item>, IoError> {
    let on_list = IoError::on("list", dir);
    let mut items = Vec::new();
    for entry in fs::read_dir(dir).map_err(&on_list)? {
        let entry = entry.map_err(&on_list)?;
        match entry.metadata().and_then(|meta| Ok((meta.len(), meta.modified()?))) {
            Ok((size, used)) => items.push(Item { path: entry.path(), size, used }),
            // Another process removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(on_list(error)),
        }
    }
    Ok(items)
}

/// Removes a file unless somebody has it locked. Says whether it is gone.
pub(super) fn remove_unused(path: &Path) -> Result<bool, IoError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(IoError::on("open", path)(error)),
    };
    if !flock::try_exclusive(&file).map_err(IoError::on("lock", path))? {
        return Ok(false);
    }
    // Only the file that was locked may go; a new one of the same name is somebody else's.
    if flock::is_still(&file, path).map_err(IoError::on("look at", path))? {
        remove_if_there(path)?;
    }
    Ok(true)
}
