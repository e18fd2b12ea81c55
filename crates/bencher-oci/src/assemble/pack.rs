//! A plan written as one layer, the same bytes for the same plan and content.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read, Write},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use bencher_types::{Digest, oci::digest::Algorithm};
use tar::{Builder, EntryType, Header};

use super::{
    AssembleError,
    plan::{Entry, Plan, What},
};
use crate::{
    compress::{Compression, Encoder},
    document::BlobRef,
    error::IoError,
    hash::Hasher,
    layout::Layout,
};

/// A layer that was written.
pub(super) struct Packed {
    pub(super) layer: BlobRef,
    pub(super) diff_id: Digest,
    pub(super) unpacked_bytes: u64,
}

pub(super) fn pack(plan: &Plan, layout: &Layout, timestamp: i64, compression: Compression) -> Result<Packed, AssembleError> {
    let encoder = Encoder::new(layout.begin_blob()?, compression).map_err(IoError::on("write to", layout.dir()))?;
    let counter = Counter { inner: encoder, hasher: Hasher::new(Algorithm::Sha256), bytes: 0 };
    let mut archive = Builder::new(counter);
    // The format has no negative numbers in its plain form; a layer needs none.
    let mtime = u64::try_from(timestamp).unwrap_or(0);
    for (key, entry) in plan.entries() {
        append(&mut archive, key, entry, mtime).map_err(|error| match (&entry.what, error) {
            (What::File { source, .. }, error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                AssembleError::Changed(source.clone())
            }
            (What::File { source, .. }, error) => IoError::on("add", source)(error).into(),
            (_, error) => IoError::on("write to", layout.dir())(error).into(),
        })?;
    }
    let counter = archive.into_inner().map_err(IoError::on("write to", layout.dir()))?;
    let writer = counter.inner.finish().map_err(IoError::on("write to", layout.dir()))?;
    let layer = writer.finish(compression.media_type())?;
    Ok(Packed { layer, diff_id: counter.hasher.finish(), unpacked_bytes: counter.bytes })
}

fn append<W: Write>(archive: &mut Builder<W>, key: &[u8], entry: &Entry, mtime: u64) -> io::Result<()> {
    let xattrs: Vec<_> = entry.xattrs.iter().map(|(name, value)| (format!("SCHILY.xattr.{name}"), value)).collect();
    archive.append_pax_extensions(xattrs.iter().map(|(key, value)| (key.as_str(), value.as_slice())))?;
    let mut header = Header::new_gnu();
    header.set_mode(entry.mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(mtime);
    header.set_size(0);
    let path = Path::new(OsStr::from_bytes(key));
    let mut simple = |kind| {
        header.set_entry_type(kind);
        archive.append_data(&mut header.clone(), path, io::empty())
    };
    match &entry.what {
        What::Folder => simple(EntryType::Directory),
        What::Fifo => simple(EntryType::Fifo),
        What::Device { block, major, minor } => {
            header.set_device_major(*major)?;
            header.set_device_minor(*minor)?;
            header.set_entry_type(if *block { EntryType::Block } else { EntryType::Char });
            archive.append_data(&mut header, path, io::empty())
        }
        What::Text(text) => {
            header.set_entry_type(EntryType::Regular);
            header.set_size(text.len() as u64);
            archive.append_data(&mut header, path, text.as_bytes())
        }
        What::File { source, size } => {
            header.set_entry_type(EntryType::Regular);
            header.set_size(*size);
            let file = File::open(source)?;
            archive.append_data(&mut header, path, Exactly { inner: file, left: *size })
        }
        What::Symlink(target) => {
            header.set_entry_type(EntryType::Symlink);
            archive.append_link(&mut header, path, OsStr::from_bytes(target))
        }
        What::HardLink(target) => {
            header.set_entry_type(EntryType::Link);
            archive.append_link(&mut header, path, OsStr::from_bytes(target))
        }
    }
}

/// So many bytes and no more; fewer are an error, since the archive has promised them already.
struct Exactly {
    inner: File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.inner.read(&mut buffer[..len])?;
        if read == 0 && len > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// Hashes and counts the archive on its way to the compressor.
struct Counter<W> {
    inner: W,
    hasher: Hasher,
    bytes: u64,
}

impl<W: Write> Write for Counter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
