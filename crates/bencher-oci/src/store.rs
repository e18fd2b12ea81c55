//! Blobs on disk, by digest.
//!
//! ```text
//! DIR/blobs/ALGORITHM-HEX     whole and verified; its last change is its last use
//! DIR/partial/ALGORITHM-HEX   what a download got so far, kept to be resumed
//! DIR/tmp/…                   private downloads, while another process has the partial one
//! ```
//!
//! A blob appears in `blobs` only by a rename of a verified, synced file. Whoever uses a file holds a lock on it, so that
//! neither eviction nor cleaning takes what is in use, in this process or another. Knows nothing of images or registries.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bencher_types::Digest;
use tokio::sync::OwnedMutexGuard;

use crate::{document::BlobRef, error::IoError, flock, keyed::KeyedMutex, limits::StoreLimits};

mod inspect;
pub mod partial;
mod tidy;

pub use inspect::{Cleared, StoreUsage, Verdict};
pub use partial::{FinishError, Partial};

/// A content store. Cheap to clone; clones share their locks.
#[derive(Clone, Debug)]
pub struct BlobStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    limits: StoreLimits,
    in_work: KeyedMutex<Digest>,
}

/// A verified blob, open and locked: while this lives, nobody evicts it.
#[derive(Clone, Debug)]
pub struct Blob {
    digest: Digest,
    size: u64,
    file: Arc<File>,
}

impl Blob {
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The open file. Others read it, too: use positioned reads.
    #[must_use]
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }
}

impl BlobStore {
    /// Opens a store, creates it where it is missing, and removes what died processes left behind.
    ///
    /// # Errors
    /// The folder cannot be created or read.
    pub fn open(dir: &Path, limits: StoreLimits) -> Result<Self, IoError> {
        let store = Self { inner: Arc::new(Inner { dir: dir.to_owned(), limits, in_work: KeyedMutex::default() }) };
        for part in [dir.to_owned(), store.blobs(), store.partials(), store.tmp()] {
            create_private_dir(&part)?;
        }
        store.clean()?;
        Ok(store)
    }

    fn blobs(&self) -> PathBuf {
        self.inner.dir.join("blobs")
    }

    fn partials(&self) -> PathBuf {
        self.inner.dir.join("partial")
    }

    fn tmp(&self) -> PathBuf {
        self.inner.dir.join("tmp")
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(file_name(digest))
    }

    /// A blob that is here, marked as used now. Its content was verified when it came; it is not read again.
    ///
    /// # Errors
    /// The file is there but cannot be opened.
    pub fn get(&self, digest: &Digest) -> Result<Option<Blob>, IoError> {
        let path = self.blob_path(digest);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(IoError::on("open", &path)(error)),
        };
        // An eviction that is under way has the file exclusively; then it is as good as gone.
        if !flock::try_shared(&file).map_err(IoError::on("lock", &path))?
            || !flock::is_still(&file, &path).map_err(IoError::on("look at", &path))?
        {
            return Ok(None);
        }
        touch(&file).map_err(IoError::on("mark as used", &path))?;
        let size = file.metadata().map_err(IoError::on("look at", &path))?.len();
        Ok(Some(Blob { digest: digest.clone(), size, file: Arc::new(file) }))
    }

    /// Waits until nobody else in this process works on a digest. Hold the guard while fetching it.
    pub async fn claim(&self, digest: &Digest) -> OwnedMutexGuard<()> {
        self.inner.in_work.lock(digest).await
    }

    /// Begins or resumes to write a blob.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn begin(&self, blob: &BlobRef) -> Result<Partial, IoError> {
        Partial::open(self, blob)
    }

    /// Removes a blob, for one that turned out to be broken. Those who have it open keep it.
    ///
    /// # Errors
    /// The file is there but cannot be removed.
    pub fn remove(&self, digest: &Digest) -> Result<(), IoError> {
        remove_if_there(&self.blob_path(digest))
    }

    /// Moves a blob out of the store, to a path on the same file system.
    ///
    /// # Errors
    /// The disk refuses.
    pub(crate) fn hand_over(&self, blob: &Blob, to: &Path) -> Result<(), IoError> {
        fs::rename(self.blob_path(blob.digest()), to).map_err(IoError::on("put in place", to))
    }

    /// The file of a blob.
    pub(crate) fn path_of(&self, blob: &Blob) -> PathBuf {
        self.blob_path(blob.digest())
    }

    /// Bytes of all blobs and partial downloads.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn bytes(&self) -> Result<u64, IoError> {
        Ok(self.list()?.iter().map(|item| item.size).sum())
    }
}

fn file_name(digest: &Digest) -> String {
    format!("{}-{}", digest.algorithm().as_str(), digest.hex())
}

/// Creates a folder nobody else may look into: images contain other machines' set-uid programs.
pub(crate) fn create_private_dir(path: &Path) -> Result<(), IoError> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(IoError::on("create the folder", path))
}

pub(crate) fn remove_if_there(path: &Path) -> Result<(), IoError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(IoError::on("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Sets a file's times to now, by the kernel's clock.
pub(crate) fn touch(file: &File) -> io::Result<()> {
    let now = rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW };
    let times = rustix::fs::Timestamps { last_access: now, last_modification: now };
    Ok(rustix::fs::futimens(file, &times)?)
}

/// Makes a rename in a folder survive a power cut.
pub(crate) fn sync_dir(path: &Path) -> Result<(), IoError> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(IoError::on("sync the folder", path))
}

#[cfg(test)]
mod tests;
