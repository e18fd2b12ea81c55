//! The merged tree: inodes in a table, folders as sorted maps from names to inodes. Names are bytes without a slash or NUL,
//! and never `.` or `..`, so that a writer can use each as one path component.

use std::{collections::BTreeMap, fs::File, io, os::unix::fs::FileExt as _, sync::Arc};

/// An inode of one tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InodeId(pub(super) u32);

impl InodeId {
    /// Its place in a table of [`Tree::slots`] entries.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A sealed tree. Nothing changes it any more; it is complete and within its bounds.
#[derive(Debug)]
pub struct Tree {
    pub(super) inodes: Vec<Inode>,
    pub(super) summary: Summary,
}

impl Tree {
    pub(super) const ROOT: InodeId = InodeId(0);

    /// The root folder.
    #[must_use]
    pub fn root(&self) -> InodeId {
        Self::ROOT
    }

    /// # Panics
    /// The id is of another tree.
    #[must_use]
    pub fn inode(&self, id: InodeId) -> &Inode {
        &self.inodes[id.0 as usize]
    }

    /// How many ids there are, used or not; tables by [`InodeId::index`] have this length.
    pub(crate) fn slots(&self) -> usize {
        self.inodes.len()
    }

    /// What the whole tree takes, known before anything is written.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }
}

/// Counts over a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub folders: u64,
    pub files: u64,
    pub symlinks: u64,
    /// Devices and fifos.
    pub special: u64,
    /// Names, which exceed inodes by further hard links.
    pub names: u64,
    /// Bytes of file content that must be stored.
    pub stored_bytes: u64,
    /// Bytes of file content as a reader sees them, holes included.
    pub apparent_bytes: u64,
}

impl Summary {
    /// Inodes of any kind.
    #[must_use]
    pub fn inodes(&self) -> u64 {
        self.folders + self.files + self.symlinks + self.special
    }
}

/// Attributes and kind of one inode.
#[derive(Clone, Debug)]
pub struct Inode {
    pub meta: Meta,
    pub kind: Kind,
    /// How many names it has. Folders have one.
    pub links: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Permission bits with set-uid, set-gid and sticky: `0o7777` at most.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Mtime,
    /// By name, each once.
    pub xattrs: BTreeMap<Box<[u8]>, Box<[u8]>>,
}

impl Meta {
    /// Of folders no layer describes.
    pub(super) fn implied_folder() -> Self {
        Self { mode: 0o755, uid: 0, gid: 0, mtime: Mtime::default(), xattrs: BTreeMap::new() }
    }
}

/// Time of the last change: seconds since 1970, possibly negative, and nanoseconds after that second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mtime {
    pub seconds: i64,
    pub nanoseconds: u32,
}

#[derive(Clone, Debug)]
pub enum Kind {
    Folder(BTreeMap<Box<[u8]>, InodeId>),
    File(Content),
    Symlink(Box<[u8]>),
    CharDevice { major: u32, minor: u32 },
    BlockDevice { major: u32, minor: u32 },
    Fifo,
}

/// A file's content: where its pieces are. What no piece covers is a hole and reads as zeros.
#[derive(Clone, Debug)]
pub struct Content {
    pub size: u64,
    /// CRC-32 of the whole content, to find decay on disk. It protects against nothing else.
    pub crc: u32,
    /// In the order of `at`, without overlap.
    pub segments: Box<[Segment]>,
    pub(super) source: Arc<File>,
}

/// A piece of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Offset in the file.
    pub at: u64,
    /// Offset in the source.
    pub from: u64,
    /// Bytes.
    pub len: u64,
}

impl Content {
    /// The file the segments are pieces of, for writers that copy within the kernel.
    #[must_use]
    pub fn source(&self) -> &File {
        &self.source
    }

    /// Bytes that are stored.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.len).sum()
    }

    /// Reads bytes of one segment, `offset` counted from the segment's start.
    ///
    /// # Errors
    /// The source cannot be read, or ends before the segment does.
    pub fn read_segment(&self, segment: &Segment, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.source.read_exact_at(buffer, segment.from + offset)
    }
}
