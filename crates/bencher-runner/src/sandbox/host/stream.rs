//! One output stream of a benchmark: the first bytes are kept, all of them are read.

use std::{
    io::PipeReader,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use tokio::{io::AsyncReadExt, net::unix::pipe, task::JoinHandle};

use crate::{
    limits,
    sandbox::{CapturedStream, InfrastructureError},
};

/// Size of one read: a pipe's whole capacity, so that a writer seldom waits for us.
const CHUNK: usize = 64 * 1024;

/// A stream being read in the background.
#[derive(Debug)]
#[must_use = "dropping it stops reading, and the benchmark gets SIGPIPE"]
pub(super) struct Capture {
    task: JoinHandle<()>,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    total: u64,
}

impl Capture {
    /// Starts reading; at most `max` bytes are kept.
    pub(super) fn start(reader: PipeReader, max: u64) -> Result<Self, InfrastructureError> {
        let opened = pipe::Receiver::from_owned_fd(OwnedFd::from(reader));
        let reader = opened.map_err(InfrastructureError::kernel("read a benchmark's output"))?;
        let kept = Arc::<Mutex<Kept>>::default();
        let task = tokio::spawn(read_all(reader, Arc::clone(&kept), max));
        Ok(Self { task, kept })
    }

    /// What of the stream is kept from a byte on, at most so much.
    pub(super) fn part(&self, from: u64, most: usize) -> Vec<u8> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(kept.bytes.len());
        let new = &kept.bytes[from..];
        new[..new.len().min(most)].to_vec()
    }

    /// What was written. To be called when no writer is left; waits at most [`limits::DRAIN_TIMEOUT`] for the end.
    pub(super) async fn finish(mut self) -> CapturedStream {
        if tokio::time::timeout(limits::DRAIN_TIMEOUT, &mut self.task).await.is_err() {
            tracing::warn!("a benchmark's output did not end with the benchmark");
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        CapturedStream { bytes: Bytes::from(std::mem::take(&mut kept.bytes)), total: kept.total }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read_all(mut reader: pipe::Receiver, kept: Arc<Mutex<Kept>>, max: u64) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = match reader.read(&mut chunk).await {
            Ok(0) => return,
            Ok(count) => count,
            Err(error) => {
                tracing::warn!(%error, "reading a benchmark's output failed");
                return;
            }
        };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let room = usize::try_from(max.saturating_sub(kept.bytes.len() as u64)).unwrap_or(usize::MAX);
        kept.bytes.extend_from_slice(&chunk[..count.min(room)]);
        kept.total += count as u64;
    }
}
