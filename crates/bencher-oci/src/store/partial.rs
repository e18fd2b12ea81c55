//! A blob that is being written: hashed as it comes, resumable, visible to others only when it is whole and right.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::PathBuf,
    sync::Arc,
};

use bencher_types::Digest;

use super::{Blob, BlobStore, file_name, sync_dir};
use crate::{document::BlobRef, error::IoError, flock, hash::Hasher, limits::CHUNK};

/// Why written content did not become a blob.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    #[error("{digest} is {found} bytes, but its descriptor says {expected}; push the image again")]
    Size { digest: Digest, found: u64, expected: u64 },
    #[error("the content of {expected} has the digest {found}; push the image again")]
    Digest { expected: Digest, found: Digest },
    #[error(transparent)]
    Io(#[from] IoError),
}

/// An unfinished blob. Dropping it keeps what was written for the next attempt.
#[derive(Debug)]
pub struct Partial {
    store: BlobStore,
    blob: BlobRef,
    path: PathBuf,
    file: File,
    hasher: Hasher,
    written: u64,
    /// Whether some of the content came from an earlier attempt and was only read back.
    resumed: bool,
    /// A private file is of no use to anybody else.
    private: bool,
    finished: bool,
}

impl Partial {
    pub(super) fn open(store: &BlobStore, blob: &BlobRef) -> Result<Self, IoError> {
        let path = store.partials().join(file_name(&blob.digest));
        let file = flock::open_or_create(&path).map_err(IoError::on("open", &path))?;
        let ours = flock::try_exclusive(&file).map_err(IoError::on("lock", &path))?
            && flock::is_still(&file, &path).map_err(IoError::on("look at", &path))?;
        let (file, path) = if ours { (file, path) } else { private_file(store)? };
        let mut partial = Self {
            store: store.clone(),
            blob: blob.clone(),
            path,
            file,
            hasher: Hasher::like(&blob.digest),
            written: 0,
            resumed: false,
            private: !ours,
            finished: false,
        };
        partial.read_back()?;
        Ok(partial)
    }

    /// Hashes what an earlier attempt left.
    fn read_back(&mut self) -> Result<(), IoError> {
        let there = self.file.metadata().map_err(IoError::on("look at", &self.path))?.len();
        if there > self.blob.size {
            return self.restart();
        }
        let on_read = IoError::on("read", &self.path);
        let mut buffer = vec![0; CHUNK];
        loop {
            let read = self.file.read(&mut buffer).map_err(&on_read)?;
            if read == 0 {
                break;
            }
            self.hasher.update(&buffer[..read]);
            self.written += read as u64;
        }
        self.resumed = self.written > 0;
        Ok(())
    }

    /// Bytes that are here; the next one to fetch has this offset.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.written
    }

    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.written == self.blob.size
    }

    /// Whether the content is partly an earlier attempt's.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// Forgets what is here.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn restart(&mut self) -> Result<(), IoError> {
        let on_write = IoError::on("empty", &self.path);
        self.file.set_len(0).map_err(&on_write)?;
        self.file.seek(SeekFrom::Start(0)).map_err(&on_write)?;
        self.hasher = Hasher::like(&self.blob.digest);
        self.written = 0;
        self.resumed = false;
        Ok(())
    }

    /// Appends content. Where the disk is full, what is here is forgotten: kept for a next attempt it would leave no space for
    /// any other blob.
    ///
    /// # Errors
    /// It is more than the descriptor says, or the disk refuses.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FinishError> {
        let after = self.written.saturating_add(bytes.len() as u64);
        if after > self.blob.size {
            return Err(FinishError::Size { digest: self.blob.digest.clone(), found: after, expected: self.blob.size });
        }
        if let Err(error) = self.file.write_all(bytes).map_err(IoError::on("write", &self.path)) {
            if error.is_disk_full() {
                self.restart()?;
            }
            return Err(error.into());
        }
        self.hasher.update(bytes);
        self.written = after;
        Ok(())
    }

    /// Verifies the content and makes it a blob. Content that is wrong is forgotten, so that the next attempt starts anew.
    ///
    /// # Errors
    /// The content is not what the descriptor says, or the disk refuses.
    pub fn finish(&mut self) -> Result<Blob, FinishError> {
        if !self.is_complete() {
            return Err(FinishError::Size { digest: self.blob.digest.clone(), found: self.written, expected: self.blob.size });
        }
        let found = self.hasher.clone().finish();
        if found != self.blob.digest {
            self.restart()?;
            return Err(FinishError::Digest { expected: self.blob.digest.clone(), found });
        }
        self.file.sync_data().map_err(IoError::on("sync", &self.path))?;
        let target = self.store.blob_path(&self.blob.digest);
        fs::rename(&self.path, &target).map_err(IoError::on("put in place", &target))?;
        self.finished = true;
        sync_dir(&self.store.blobs())?;
        let blob = self.reopen(&target)?;
        self.store.evict()?;
        Ok(blob)
    }

    /// A reader's handle on the finished file, locked before the writer's lock ends.
    fn reopen(&self, target: &std::path::Path) -> Result<Blob, IoError> {
        // The writer's own lock becomes a shared one first, so that at no moment an eviction could take the file.
        rustix::fs::flock(&self.file, rustix::fs::FlockOperation::LockShared).map_err(IoError::on("lock", target))?;
        let file = File::open(target).map_err(IoError::on("open", target))?;
        flock::try_shared(&file).map_err(IoError::on("lock", target))?;
        Ok(Blob { digest: self.blob.digest.clone(), size: self.blob.size, file: Arc::new(file) })
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.private && !self.finished {
            // Nothing depends on it: the next start cleans what stays.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A file of our own in the temporary folder, locked so that no cleaning takes it.
fn private_file(store: &BlobStore) -> Result<(File, PathBuf), IoError> {
    let tmp = store.tmp();
    let on_create = IoError::on("create a file in", &tmp);
    loop {
        let named = tempfile::Builder::new().prefix("blob-").tempfile_in(&tmp).map_err(&on_create)?;
        let (file, path) = named.keep().map_err(|error| on_create(io::Error::from(error)))?;
        // A process that is just starting may take it for a leftover until it is locked. Then the next one.
        let locked = flock::try_exclusive(&file).map_err(IoError::on("lock", &path))?;
        if locked && flock::is_still(&file, &path).map_err(IoError::on("look at", &path))? {
            return Ok((file, path));
        }
    }
}
