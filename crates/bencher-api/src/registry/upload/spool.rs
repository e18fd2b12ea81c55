//! The file of an upload and the hash of its bytes. Each byte is written once, and hashed on its way.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    path::PathBuf,
};

use bencher_types::{Digest, oci::digest::Algorithm};
use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::{limits, registry::hash::Hasher};

/// The hash of the first bytes of an upload.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    hasher: Hasher,
    hashed: u64,
}

impl Progress {
    /// The hash of no bytes.
    pub(super) fn new(algorithm: Algorithm) -> Self {
        Self { hasher: Hasher::new(algorithm), hashed: 0 }
    }
}

/// An upload's file, open to be appended to.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    len: u64,
    progress: Progress,
}

impl Spool {
    /// Opens the file of an upload. Where nothing is hashed yet, the hash is of the algorithm that is asked for, where that is known, or
    /// was announced, or is usual.
    pub(super) async fn open(path: PathBuf, progress: Option<Progress>, algorithm: Option<Algorithm>) -> io::Result<Self> {
        blocking(move || {
            let file = OpenOptions::new().read(true).append(true).open(path)?;
            let len = file.metadata()?.len();
            // A hash of more bytes than there are is of another file: one that lost its end in a power cut.
            let progress = progress.filter(|progress| progress.hashed <= len).unwrap_or_else(|| Progress::new(Algorithm::Sha256));
            let progress = match algorithm {
                Some(algorithm) if progress.hashed == 0 => Progress::new(algorithm),
                _ => progress,
            };
            Ok(Self { file, len, progress })
        })
        .await
    }

    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// Closes the file and keeps the hash.
    pub(super) fn into_progress(self) -> Progress {
        self.progress
    }

    /// Flushes the file to disk and returns its length and digest.
    pub(super) async fn seal(mut self, algorithm: Algorithm) -> io::Result<(u64, Digest)> {
        blocking(move || {
            if self.progress.hasher.algorithm() != algorithm {
                self.progress = Progress::new(algorithm);
            }
            self.catch_up()?;
            self.file.sync_all()?;
            Ok((self.len, self.progress.hasher.digest()))
        })
        .await
    }

    fn append(&mut self, batch: &[Bytes]) -> io::Result<()> {
        self.catch_up()?;
        for bytes in batch {
            self.file.write_all(bytes)?;
            self.progress.hasher.update(bytes);
            self.len += bytes.len() as u64;
            self.progress.hashed = self.len;
        }
        Ok(())
    }

    /// Hashes what is in the file and not in the hash yet.
    fn catch_up(&mut self) -> io::Result<()> {
        if self.progress.hashed == self.len {
            return Ok(());
        }
        let mut buffer = vec![0; limits::BLOB_READ_BYTES];
        while self.progress.hashed < self.len {
            let left = usize::try_from(self.len - self.progress.hashed).unwrap_or(usize::MAX);
            let read = self.file.read_at(&mut buffer[..left.min(limits::BLOB_READ_BYTES)], self.progress.hashed)?;
            if read == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file of an upload became shorter"));
            }
            self.progress.hasher.update(&buffer[..read]);
            self.progress.hashed += read as u64;
        }
        Ok(())
    }
}

/// Appends to a spool off the async threads, one batch at a time.
#[derive(Debug)]
pub(super) struct Writer {
    state: Option<State>,
}

#[derive(Debug)]
enum State {
    Idle(Spool),
    Busy(JoinHandle<io::Result<Spool>>),
}

impl Writer {
    pub(super) const fn new(spool: Spool) -> Self {
        Self { state: Some(State::Idle(spool)) }
    }

    /// Hands over a batch, once the one before is written.
    pub(super) async fn submit(&mut self, batch: Vec<Bytes>) -> io::Result<()> {
        let mut spool = self.idle().await?;
        self.state = Some(State::Busy(tokio::task::spawn_blocking(move || spool.append(&batch).map(|()| spool))));
        Ok(())
    }

    /// The spool, once everything is written.
    pub(super) async fn into_spool(mut self) -> io::Result<Spool> {
        self.idle().await
    }

    async fn idle(&mut self) -> io::Result<Spool> {
        match self.state.take() {
            Some(State::Idle(spool)) => Ok(spool),
            Some(State::Busy(task)) => task.await.map_err(io::Error::other)?,
            None => Err(io::Error::other("an earlier write failed")),
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
