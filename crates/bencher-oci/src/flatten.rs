//! An image as one plain archive: its layers merged, whiteouts done, for a program that unpacks it somewhere.
//!
//! What only a privileged process could make of it is left out: devices, owners, set-user-id bits and attributes. Folders can always be
//! entered and emptied by their owner.

use std::{
    collections::HashMap,
    ffi::OsStr,
    io::{self, Read, Write},
    os::unix::ffi::OsStrExt as _,
    path::Path,
    sync::Arc,
};

use tar::{Builder, EntryType, Header};
use tokio_util::sync::CancellationToken;

use crate::{
    document::ResolvedImage,
    layout::{Layout, LayoutError},
    limits::Limits,
    merge::{self, Content, InodeId, Kind, LayerInput, MergeError, Segment, Tree},
};

/// Why an image did not become an archive.
#[derive(Debug, thiserror::Error)]
pub enum FlattenError {
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error(transparent)]
    Merge(#[from] MergeError),
    #[error("could not write the image's files out")]
    Write(#[source] io::Error),
}

/// Writes the files of an image whose blobs are in a layout as one archive. Blocks; `spool_dir` takes unnamed temporary files.
///
/// # Errors
/// A layer is missing, damaged, hostile or beyond a bound, `cancel` fired, or `out` refuses.
pub fn flatten(
    (layout, image): (&Layout, &ResolvedImage),
    limits: &Limits,
    spool_dir: &Path,
    out: impl Write,
    cancel: &CancellationToken,
) -> Result<(), FlattenError> {
    let layers = image.layers.iter().map(|layer| {
        let file = Arc::new(layout.open_blob(&layer.blob.digest)?);
        Ok(LayerInput { layer: layer.clone(), file })
    });
    let layers = layers.collect::<Result<Vec<_>, LayoutError>>()?;
    let tree = merge::merge(&layers, limits, spool_dir, cancel)?;
    write(&tree, out, cancel)
}

fn write(tree: &Tree, out: impl Write, cancel: &CancellationToken) -> Result<(), FlattenError> {
    let mut archive = Builder::new(out);
    // Where an inode with several names was written first.
    let mut first_names: HashMap<InodeId, Vec<u8>> = HashMap::new();
    let mut open = vec![(Vec::new(), tree.root())];
    while let Some((path, id)) = open.pop() {
        if cancel.is_cancelled() {
            return Err(MergeError::Canceled.into());
        }
        if let Kind::Folder(entries) = &tree.inode(id).kind {
            for (name, id) in entries {
                let separator: &[u8] = if path.is_empty() { b"" } else { b"/" };
                open.push(([path.as_slice(), separator, name].concat(), *id));
            }
        }
        if !path.is_empty() {
            append(&mut archive, tree, (&path, id), &mut first_names).map_err(FlattenError::Write)?;
        }
    }
    archive.finish().and_then(|()| archive.get_mut().flush()).map_err(FlattenError::Write)
}

fn append<W: Write>(
    archive: &mut Builder<W>,
    tree: &Tree,
    (path, id): (&[u8], InodeId),
    first_names: &mut HashMap<InodeId, Vec<u8>>,
) -> io::Result<()> {
    let inode = tree.inode(id);
    let name = Path::new(OsStr::from_bytes(path));
    let mut header = Header::new_gnu();
    // A time before 1970 has no plain form here, and means nothing to who builds something.
    header.set_mtime(u64::try_from(inode.meta.mtime.seconds).unwrap_or(0));
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header.set_mode(inode.meta.mode & 0o1777);
    if inode.links > 1 {
        if let Some(first) = first_names.get(&id) {
            header.set_entry_type(EntryType::Link);
            return archive.append_link(&mut header, name, OsStr::from_bytes(first));
        }
        first_names.insert(id, path.to_vec());
    }
    match &inode.kind {
        Kind::Folder(_) => {
            header.set_entry_type(EntryType::Directory);
            header.set_mode(inode.meta.mode & 0o1777 | 0o700);
            archive.append_data(&mut header, name, io::empty())
        }
        Kind::Symlink(target) => {
            header.set_entry_type(EntryType::Symlink);
            archive.append_link(&mut header, name, OsStr::from_bytes(target))
        }
        Kind::File(content) => {
            header.set_entry_type(EntryType::Regular);
            header.set_size(content.size);
            archive.append_data(&mut header, name, Reader { content, at: 0 })
        }
        Kind::CharDevice { .. } | Kind::BlockDevice { .. } | Kind::Fifo => Ok(()),
    }
}

/// A file's content from its start to its end, zeros where nothing is stored.
struct Reader<'a> {
    content: &'a Content,
    at: u64,
}

impl Reader<'_> {
    /// The piece that covers a place, or else where the next one begins.
    fn piece(&self) -> Result<&Segment, u64> {
        let segments = &self.content.segments;
        let next = segments.partition_point(|segment| segment.at + segment.len <= self.at);
        match segments.get(next) {
            Some(segment) if segment.at <= self.at => Ok(segment),
            Some(segment) => Err(segment.at),
            None => Err(self.content.size),
        }
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let until = |end: u64| usize::try_from(end - self.at).unwrap_or(usize::MAX).min(buffer.len());
        let length = match self.piece() {
            Ok(segment) => {
                let length = until((segment.at + segment.len).min(self.content.size));
                self.content.read_segment(segment, self.at - segment.at, &mut buffer[..length])?;
                length
            }
            Err(end) => {
                let length = until(end.min(self.content.size).max(self.at));
                buffer[..length].fill(0);
                length
            }
        };
        self.at += length as u64;
        Ok(length)
    }
}
