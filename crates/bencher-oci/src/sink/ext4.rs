//! A tree written into one file as an ext4 file system.
//!
//! First everything is counted and laid out: inodes get numbers, folders are packed into blocks, contents into extents. Then
//! the file is written, metadata from memory and contents from where the merge left them; nothing is mounted, no folder of
//! the host is made and no other program runs. What is never written stays a hole of the file, so a disk of 128 GiB costs
//! what its content does.
//!
//! The same tree and options give the same bytes: the file system's UUID and the seed of its indexes come from a digest over
//! both, and all times are the tree's. There is no journal. docs/decisions/0005 says why it is written here, and how.
//!
//! The format is the one that the kernel's Documentation/filesystems/ext4 describes.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use tokio_util::sync::CancellationToken;

use super::TreeSink;
use crate::{
    error::{Blame, is_disk_full},
    merge::{Inode, Kind, Meta, Tree, printable},
};

mod census;
mod entries;
mod extents;
mod format;
mod geometry;
mod hash;
mod inode;
mod layout;
mod output;
mod plan;
mod tables;
mod write;
mod xattr;

use census::Census;
use tables::Tables;
use write::{WriteError, Writer};

/// How large the disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DiskSize {
    /// As small as the content allows, without room for anything more: to be mounted read-only.
    Fitted,
    /// So many bytes; the part of a block at the end is not used. Has free inodes, one for each 16 KiB.
    Bytes(u64),
}

#[derive(Clone, Debug)]
pub struct Ext4Options {
    pub size: DiskSize,
    /// The file system's name, 16 bytes at most; what is longer is cut off.
    pub label: Option<String>,
}

impl Ext4Options {
    /// Without a name.
    #[must_use]
    pub fn of_size(size: DiskSize) -> Self {
        Self { size, label: None }
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ext4Written {
    /// Bytes of the file, holes included.
    pub bytes: u64,
    /// Bytes that were written into it. The rest is holes.
    pub bytes_stored: u64,
    /// Blocks of 4 KiB the file system has.
    pub blocks: u64,
    /// Those of them that are free.
    pub free_blocks: u64,
    /// Inodes that are used: those of the tree, and `lost+found`.
    pub inodes: u64,
    /// Inodes the file system has besides those that are used or reserved.
    pub free_inodes: u64,
    /// Extended attributes that ext4 has no place for, or that the kernel never shows on that kind of file.
    pub skipped_xattrs: u64,
    /// Names the file system; taken from its content.
    pub uuid: [u8; 16],
}

/// Why a tree did not become a disk.
#[derive(Debug, thiserror::Error)]
pub enum Ext4Error {
    #[error("the image needs a disk of {needed} bytes, it was given {given}; ask for a larger disk or make the image smaller")]
    DiskTooSmall { needed: u64, given: u64 },
    #[error("a disk of {given} bytes is more than the {most} that are supported")]
    DiskTooLarge { given: u64, most: u64 },
    #[error("`{entry}` cannot be stored")]
    Entry {
        /// The path in the image, bytes that are not text replaced.
        entry: String,
        #[source]
        problem: Unfit,
    },
    #[error("could not copy the content of `{entry}` to {}", path.display())]
    Content {
        entry: String,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("could not {action} the disk {}", path.display())]
    Disk {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the work was canceled")]
    Canceled,
}

/// What an entry has that ext4 has no room for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("its extended attributes need {bytes} bytes, {room} fit; `{largest}` is the largest")]
    Xattrs { bytes: usize, room: usize, largest: String },
    #[error("the name of an extended attribute is {bytes} bytes long, {most} are allowed")]
    XattrName { bytes: usize, most: usize },
    #[error("its access control list is malformed")]
    Acl,
    #[error("its name is {bytes} bytes long, 255 are allowed")]
    Name { bytes: usize },
    #[error("it has {found} names, a file can have {most}; store it more than once")]
    Links { found: u32, most: u32 },
    #[error("it has {bytes} bytes, a file can have {most}")]
    File { bytes: u64, most: u64 },
    #[error("its target has {bytes} bytes; a symbolic link's has 1 to 4095, and none of them is zero")]
    Symlink { bytes: usize },
    #[error("the device number {major}:{minor} is out of range")]
    Device { major: u32, minor: u32 },
    #[error("it has {names} names, more than an index has room for")]
    Folder { names: usize },
}

impl Ext4Error {
    /// Who can do something about it. A disk too small is the image's fault: the spec it runs on is its owner's choice.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::DiskTooSmall { .. } | Self::DiskTooLarge { .. } | Self::Entry { .. } => Blame::Image,
            Self::Content { .. } | Self::Disk { .. } => Blame::Host,
            Self::Canceled => Blame::Canceled,
        }
    }

    /// Whether the host's disk is full.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Content { source, .. } | Self::Disk { source, .. } if is_disk_full(source))
    }
}

/// Writes a tree into a new file.
#[derive(Clone, Debug)]
pub struct Ext4Sink {
    path: PathBuf,
    options: Ext4Options,
}

impl Ext4Sink {
    /// `path` must not exist. The file gets the mode 0600.
    #[must_use]
    pub fn new(path: &Path, options: Ext4Options) -> Self {
        Self { path: path.to_owned(), options }
    }

    fn label(&self) -> [u8; tables::LABEL] {
        let mut label = [0; tables::LABEL];
        let text = self.options.label.as_deref().unwrap_or_default().as_bytes();
        for (place, byte) in label.iter_mut().zip(text) {
            *place = *byte;
        }
        label
    }

    fn failed(&self, action: &'static str) -> impl Fn(io::Error) -> Ext4Error {
        let path = self.path.clone();
        move |source| Ext4Error::Disk { action, path: path.clone(), source }
    }

    fn create(&self, bytes: u64) -> Result<File, Ext4Error> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&self.path).map_err(self.failed("create"))?;
        file.set_len(bytes).map_err(self.failed("size"))?;
        Ok(file)
    }
}

impl TreeSink for Ext4Sink {
    type Written = Ext4Written;
    type Error = Ext4Error;

    fn write(self, tree: &Tree, cancel: &CancellationToken) -> Result<Ext4Written, Ext4Error> {
        let lost_found = lost_found(tree);
        let label = self.label();
        let census = Census::take(tree, &lost_found, &plan::salt(self.options.size, &label), cancel)?;
        let layout = plan::lay_out(&census, self.options.size, cancel)?;
        let bytes = plan::bytes(self.options.size, &layout);
        let tables = Tables::new(&layout, &census, label);
        let file = self.create(bytes)?;
        let bytes_stored =
            Writer { census: &census, layout: &layout, cancel }.write(&file, &tables).map_err(|error| match error {
                WriteError::Canceled => Ext4Error::Canceled,
                WriteError::Disk(source) => self.failed("write")(source),
                WriteError::Content(number, source) => {
                    let entry = printable(&census.path_of(number));
                    Ext4Error::Content { entry, path: self.path.clone(), source }
                }
            })?;
        Ok(Ext4Written {
            bytes,
            bytes_stored,
            blocks: layout.geometry.blocks,
            free_blocks: tables.free_blocks(),
            inodes: census.nodes.len() as u64,
            free_inodes: layout.geometry.inodes() - u64::from(census.last()),
            skipped_xattrs: census.skipped_xattrs,
            uuid: tables.uuid,
        })
    }
}

/// The folder for lost files, as old as the root.
fn lost_found(tree: &Tree) -> Inode {
    let mtime = tree.inode(tree.root()).meta.mtime;
    let meta = Meta { mode: 0o700, uid: 0, gid: 0, mtime, xattrs: std::collections::BTreeMap::new() };
    Inode { meta, kind: Kind::Folder(std::collections::BTreeMap::new()), links: 1 }
}
