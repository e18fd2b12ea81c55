//! One output stream of a benchmark: all of it is counted, the beginning kept.

use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
};

use bencher_init::delivery::Sha256;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use sha2::Digest as _;

use crate::limits;

/// Bytes of one part of what is kept. Parts are never moved: growing costs the benchmark no more than writing did.
const PART: usize = 256 * 1024;

/// The pipe, and what came out of it so far.
#[derive(Debug)]
pub(super) struct Capture {
    /// `None` once nobody can write to it any more.
    pipe: Option<File>,
    max: u64,
    pub(super) captured: Captured,
}

/// What a stream left.
#[derive(Debug, Default)]
pub(crate) struct Captured {
    /// The first bytes, in parts.
    pub(crate) chunks: Vec<Vec<u8>>,
    pub(crate) total: u64,
}

impl Capture {
    /// Keeps at most `max` bytes.
    pub(super) fn new(pipe: OwnedFd, max: u64) -> io::Result<Self> {
        fcntl_setfl(&pipe, fcntl_getfl(&pipe)? | OFlags::NONBLOCK)?;
        // Only saves switches between the benchmark and this process.
        let _ = rustix::pipe::fcntl_setpipe_size(&pipe, limits::PIPE_SIZE);
        Ok(Self { pipe: Some(File::from(pipe)), max, captured: Captured::default() })
    }

    pub(super) fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(|pipe| pipe.as_fd())
    }

    /// Reads what is there, but not for ever where it never ends.
    pub(super) fn read_some(&mut self, scratch: &mut [u8]) {
        for _ in 0..limits::READS_AT_ONCE {
            if !self.read_once(scratch) {
                return;
            }
        }
    }

    /// Reads what is left after the last writer's death: no more than the pipe holds.
    pub(super) fn read_rest(&mut self, scratch: &mut [u8]) {
        // A read takes a byte at least.
        for _ in 0..=limits::PIPE_SIZE {
            if !self.read_once(scratch) {
                return;
            }
        }
    }

    /// Whether there may be more.
    fn read_once(&mut self, scratch: &mut [u8]) -> bool {
        let Some(pipe) = &mut self.pipe else { return false };
        match pipe.read(scratch) {
            Ok(0) => {
                self.pipe = None;
                false
            }
            Ok(read) => {
                self.captured.add(&scratch[..read], self.max);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            // A pipe has no other errors; were there one, it would be there for ever.
            Err(_) => {
                self.pipe = None;
                false
            }
        }
    }
}

impl Captured {
    pub(crate) fn add(&mut self, bytes: &[u8], max: u64) {
        let room = usize::try_from(max.saturating_sub(self.total)).unwrap_or(usize::MAX);
        let mut kept = &bytes[..bytes.len().min(room)];
        self.total += bytes.len() as u64;
        while !kept.is_empty() {
            let room = self.chunks.last().map_or(0, |part| PART - part.len());
            if room == 0 {
                // What is little stays little; from the second part on it is worth a whole one.
                let capacity = if self.chunks.is_empty() { 0 } else { PART };
                self.chunks.push(Vec::with_capacity(capacity));
            }
            let Some(part) = self.chunks.last_mut() else { return };
            let (now, later) = kept.split_at(kept.len().min(PART - part.len()));
            part.extend_from_slice(now);
            kept = later;
        }
    }

    pub(crate) fn kept(&self) -> u64 {
        self.chunks.iter().map(|part| part.len() as u64).sum()
    }

    /// What is kept from a byte on, at most so much.
    pub(crate) fn part(&self, from: u64, most: usize) -> Vec<u8> {
        let Ok(from) = usize::try_from(from) else { return Vec::new() };
        let mut part = Vec::new();
        let mut skipped = from % PART;
        for chunk in self.chunks.iter().skip(from / PART) {
            let bytes = chunk.get(skipped..).unwrap_or_default();
            part.extend_from_slice(&bytes[..bytes.len().min(most - part.len())]);
            skipped = 0;
            if part.len() == most {
                break;
            }
        }
        part
    }

    pub(crate) fn sha256(&self) -> Sha256 {
        let mut hasher = sha2::Sha256::new();
        for part in &self.chunks {
            hasher.update(part);
        }
        Sha256(hasher.finalize().into())
    }
}

#[cfg(test)]
mod tests;
