//! A writable copy of a disk image that is never written itself: shared blocks where the file system can, else a copy that
//! keeps the holes.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{SeekFrom, copy_file_range, ioctl_ficlone, seek},
    io::{Errno, pread, pwrite},
};
use tokio_util::sync::CancellationToken;

use crate::{
    error::{IoError, is_disk_full},
    limits::COPY_STEP,
};

/// How a clone came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloneKind {
    /// The file system shares the blocks until one side writes them: milliseconds, whatever the size.
    Reflink,
    /// Every stored byte was copied.
    SparseCopy,
}

/// Why a disk was not cloned. Nothing of the clone is left.
#[derive(Debug, thiserror::Error)]
pub enum CloneError {
    #[error("a copy of the disk {} needs {needed} bytes, for which {} has no room; make some", base.display(), target.display())]
    DiskFull {
        needed: u64,
        base: PathBuf,
        target: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Io(#[from] IoError),
    #[error("the work was canceled")]
    Canceled,
}

/// Clones the disk image `base` to `target`, which must not exist and gets the mode 0600. The base is only read. The clone
/// is not synced: it is not to survive a power cut. Blocks.
///
/// # Errors
/// Either file cannot be opened, read or written, the target's disk is full, or `cancel` fired.
pub fn clone_disk(base: &Path, target: &Path, cancel: &CancellationToken) -> Result<CloneKind, CloneError> {
    let source = File::open(base).map_err(IoError::on("open", base))?;
    let metadata = source.metadata().map_err(IoError::on("look at", base))?;
    let mut options = OpenOptions::new();
    let clone = options.write(true).create_new(true).mode(0o600).open(target).map_err(IoError::on("create", target))?;
    let made = reflink(&source, &clone).and_then(|shared| {
        if shared {
            return Ok(CloneKind::Reflink);
        }
        clone.set_len(metadata.len())?;
        sparse_copy(&source, &clone, metadata.len(), cancel)?;
        Ok(CloneKind::SparseCopy)
    });
    made.map_err(|stopped| {
        if let Err(error) = fs::remove_file(target) {
            tracing::warn!(%error, path = %target.display(), "could not remove half a clone");
        }
        match stopped {
            Stopped::Canceled => CloneError::Canceled,
            Stopped::Io(source) if is_disk_full(&source) => {
                let needed = metadata.blocks().saturating_mul(512);
                CloneError::DiskFull { needed, base: base.to_owned(), target: target.to_owned(), source }
            }
            Stopped::Io(source) => IoError::on("write a copy of the disk to", target)(source).into(),
        }
    })
}

enum Stopped {
    Io(io::Error),
    Canceled,
}

impl<E: Into<io::Error>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Io(error.into())
    }
}

/// Whether the file system shared the blocks.
fn reflink(source: &File, clone: &File) -> Result<bool, Stopped> {
    match ioctl_ficlone(clone, source) {
        Ok(()) => Ok(true),
        // Another file system, or one that cannot; each says so in its own way.
        Err(Errno::OPNOTSUPP | Errno::XDEV | Errno::INVAL | Errno::NOTTY | Errno::NOSYS | Errno::PERM) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn sparse_copy(source: &File, clone: &File, size: u64, cancel: &CancellationToken) -> Result<(), Stopped> {
    let mut copier = Copier { source, clone, in_kernel: true, buffer: Vec::new() };
    let mut at = 0;
    while let Some((start, end)) = next_data(source, at, size)? {
        copier.range(start, end, cancel)?;
        at = end;
    }
    Ok(())
}

/// The next range of a file, from `at` on, that is not a hole. Where the file system does not tell, all of it is.
pub(crate) fn next_data(file: &File, at: u64, size: u64) -> io::Result<Option<(u64, u64)>> {
    if at >= size {
        return Ok(None);
    }
    match seek(file, SeekFrom::Data(at)) {
        Ok(start) => Ok(Some((start, seek(file, SeekFrom::Hole(start))?.min(size)))),
        Err(Errno::NXIO) => Ok(None),
        Err(Errno::INVAL) => Ok(Some((at, size))),
        Err(error) => Err(error.into()),
    }
}

struct Copier<'f> {
    source: &'f File,
    clone: &'f File,
    /// Whether the kernel has copied everything it was asked to, so far.
    in_kernel: bool,
    buffer: Vec<u8>,
}

impl Copier<'_> {
    fn range(&mut self, mut at: u64, end: u64, cancel: &CancellationToken) -> Result<(), Stopped> {
        while at < end {
            if cancel.is_cancelled() {
                return Err(Stopped::Canceled);
            }
            let step = usize::try_from(end - at).unwrap_or(COPY_STEP).min(COPY_STEP);
            let copied = if self.in_kernel { self.by_kernel(at, step)? } else { self.by_buffer(at, step)? };
            at += copied;
            if copied == 0 {
                if !self.in_kernel {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
                self.in_kernel = false;
            }
        }
        Ok(())
    }

    fn by_kernel(&mut self, at: u64, step: usize) -> Result<u64, Stopped> {
        let (mut from, mut to) = (at, at);
        match copy_file_range(self.source, Some(&mut from), self.clone, Some(&mut to), step) {
            Ok(copied) => Ok(copied as u64),
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => Ok(0),
            Err(Errno::INTR) => self.by_buffer(at, step),
            Err(error) => Err(error.into()),
        }
    }

    fn by_buffer(&mut self, at: u64, step: usize) -> Result<u64, Stopped> {
        self.buffer.resize(COPY_STEP, 0);
        let read = loop {
            match pread(self.source, &mut self.buffer[..step], at) {
                Err(Errno::INTR) => {}
                read => break read?,
            }
        };
        let mut done = 0;
        while done < read {
            match pwrite(self.clone, &self.buffer[done..read], at + done as u64) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(written) => done += written,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(read as u64)
    }
}
