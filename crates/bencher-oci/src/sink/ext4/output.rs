//! The file that becomes the disk: pieces that follow each other are gathered and written at once.

use std::{fs::File, io, os::unix::fs::FileExt as _};

use super::format::{BLOCK_BYTES, to_usize};
use crate::merge::{Content, Segment};

/// Bytes that are gathered before they are written.
pub(super) const GATHERED: usize = 1024 * 1024;

pub(super) struct Output<'f> {
    file: &'f File,
    buffer: Box<[u8]>,
    /// Bytes of the buffer that are gathered.
    filled: usize,
    /// Where on the disk they go.
    at: u64,
    /// Bytes written so far.
    pub(super) written: u64,
}

impl<'f> Output<'f> {
    pub(super) fn new(file: &'f File) -> Self {
        Self { file, buffer: vec![0; GATHERED].into(), filled: 0, at: 0, written: 0 }
    }

    /// Puts bytes at an offset.
    pub(super) fn put(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(GATHERED) {
            self.room(at, piece.len())?.copy_from_slice(piece);
        }
        Ok(())
    }

    /// Puts whole blocks.
    pub(super) fn blocks(&mut self, block: u64, bytes: &[u8]) -> io::Result<()> {
        self.put(block * BLOCK_BYTES, bytes)
    }

    /// Puts a piece of a file; it fits into what is gathered.
    pub(super) fn content(&mut self, at: u64, content: &Content, segment: &Segment, offset: u64, len: usize) -> io::Result<()> {
        let room = self.room(at, len)?;
        content.read_segment(segment, offset, room)
    }

    /// Room for the bytes at an offset, behind what is gathered if they are next to it.
    fn room(&mut self, at: u64, len: usize) -> io::Result<&mut [u8]> {
        let end = self.at + self.filled as u64;
        // What is missing of a block is zero; nobody else writes to it.
        let gap = (end..=end.next_multiple_of(BLOCK_BYTES)).contains(&at).then(|| to_usize(at - end));
        match gap {
            Some(gap) if self.filled + gap + len <= GATHERED => {
                self.buffer[self.filled..self.filled + gap].fill(0);
                self.filled += gap;
            }
            _ => {
                self.flush()?;
                self.at = at;
            }
        }
        let start = self.filled;
        self.filled += len;
        Ok(&mut self.buffer[start..self.filled])
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.buffer[..self.filled], self.at)?;
        self.written += self.filled as u64;
        self.filled = 0;
        Ok(())
    }
}
