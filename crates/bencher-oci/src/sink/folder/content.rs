//! A file's pieces copied into place, within the kernel where it can.

use std::{io, os::fd::OwnedFd};

use rustix::{
    fs::{copy_file_range, ftruncate},
    io::{Errno, pwrite},
};
use tokio_util::sync::CancellationToken;

use crate::{
    limits::CHUNK,
    merge::{Content, Segment},
};

/// Below this a read and a write cost less than asking the kernel to copy.
const IN_KERNEL_FROM: u64 = 64 * 1024;
/// How much the kernel copies between two looks at the cancellation.
const IN_KERNEL_STEP: u64 = 16 * 1024 * 1024;

pub(super) enum CopyError {
    Io(io::Error),
    Canceled,
}

impl<E: Into<io::Error>> From<E> for CopyError {
    fn from(error: E) -> Self {
        Self::Io(error.into())
    }
}

pub(super) fn write(
    target: &OwnedFd,
    content: &Content,
    buffer: &mut Vec<u8>,
    cancel: &CancellationToken,
) -> Result<(), CopyError> {
    for segment in &content.segments {
        let copied = if segment.len >= IN_KERNEL_FROM { in_kernel(target, content, segment, cancel)? } else { 0 };
        by_buffer(target, content, segment, copied, buffer, cancel)?;
    }
    let end = content.segments.last().map_or(0, |segment| segment.at + segment.len);
    if end < content.size {
        // A hole at the end.
        ftruncate(target, content.size)?;
    }
    Ok(())
}

/// Copies as much as the kernel is willing to, and says how much that was.
fn in_kernel(target: &OwnedFd, content: &Content, segment: &Segment, cancel: &CancellationToken) -> Result<u64, CopyError> {
    let (mut from, mut to) = (segment.from, segment.at);
    while to < segment.at + segment.len {
        if cancel.is_cancelled() {
            return Err(CopyError::Canceled);
        }
        let want = (segment.at + segment.len - to).min(IN_KERNEL_STEP);
        let want = usize::try_from(want).unwrap_or(CHUNK);
        match copy_file_range(content.source(), Some(&mut from), target, Some(&mut to), want) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            // Other file systems, or ones that cannot.
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(to - segment.at)
}

fn by_buffer(
    target: &OwnedFd,
    content: &Content,
    segment: &Segment,
    mut done: u64,
    buffer: &mut Vec<u8>,
    cancel: &CancellationToken,
) -> Result<(), CopyError> {
    buffer.resize(CHUNK, 0);
    while done < segment.len {
        if cancel.is_cancelled() {
            return Err(CopyError::Canceled);
        }
        let len = usize::try_from(segment.len - done).unwrap_or(CHUNK).min(CHUNK);
        content.read_segment(segment, done, &mut buffer[..len])?;
        write_all_at(target, &buffer[..len], segment.at + done)?;
        done += len as u64;
    }
    Ok(())
}

fn write_all_at(target: &OwnedFd, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match pwrite(target, bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = &bytes[written..];
                offset += written as u64;
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
