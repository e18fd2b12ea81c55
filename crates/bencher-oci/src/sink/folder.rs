//! A tree written into an empty folder.
//!
//! Every operation names one path component below an open folder that was made here, creates exclusively, and follows no
//! link, so that nothing the tree contains can point the writer elsewhere. Folders are entered by `openat2` beneath their
//! parent, without links, magic links or mount points.
//!
//! With root's rights everything is written as the image says. Without them ([`Ownership::Caller`]) all files belong to the
//! caller, and devices and attributes that need rights are left out and counted.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, XattrFlags, chownat, fchmod, fchown,
        fsetxattr, futimens, linkat, lsetxattr, makedev, mkdirat, mknodat, openat2, symlinkat, utimensat,
    },
    io::Errno,
};
use tokio_util::sync::CancellationToken;

use super::TreeSink;
use crate::{
    error::is_disk_full,
    merge::{Inode, InodeId, Kind, Meta, Tree, printable},
};

mod content;

/// Whose the written files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// As the image says; needs root's rights.
    Exact,
    /// The caller's, whatever the image says.
    Caller,
}

impl Ownership {
    /// What this process can do: exact with the rights of root.
    #[must_use]
    pub fn possible() -> Self {
        if rustix::process::geteuid().is_root() { Self::Exact } else { Self::Caller }
    }
}

/// What was written, and what was left out for want of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FolderWritten {
    pub inodes: u64,
    /// Bytes of file content.
    pub bytes: u64,
    /// Devices that only root may make.
    pub skipped_devices: u64,
    /// Extended attributes the file system or the caller's rights do not allow.
    pub skipped_xattrs: u64,
}

/// Why a tree could not be written to a folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("could not open the target folder {}", path.display())]
    Target {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the target folder {} is not empty", path.display())]
    NotEmpty { path: PathBuf },
    #[error("could not {action} `{entry}` below {}{}", target.display(), hint(source))]
    Entry {
        action: &'static str,
        entry: String,
        target: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the work was canceled")]
    Canceled,
}

fn hint(error: &io::Error) -> &'static str {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::PERM | Errno::ACCESS) => "; run with root's rights, or have the files belong to the caller",
        Some(Errno::NOSYS) => "; Linux 5.6 or later is needed",
        _ => "",
    }
}

impl FolderError {
    /// Whether the disk is full.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Entry { source, .. } if is_disk_full(source))
    }
}

/// Writes a tree into an existing, empty folder.
#[derive(Clone, Debug)]
pub struct FolderSink {
    target: PathBuf,
    ownership: Ownership,
}

impl FolderSink {
    #[must_use]
    pub fn new(target: &Path, ownership: Ownership) -> Self {
        Self { target: target.to_owned(), ownership }
    }
}

impl TreeSink for FolderSink {
    type Written = FolderWritten;
    type Error = FolderError;

    fn write(self, tree: &Tree, cancel: &CancellationToken) -> Result<FolderWritten, FolderError> {
        let on_target = |source: Errno| FolderError::Target { path: self.target.clone(), source: source.into() };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = rustix::fs::open(&self.target, flags, Mode::empty()).map_err(on_target)?;
        let mut entries = rustix::fs::Dir::read_from(&root).map_err(on_target)?;
        if entries.any(|entry| entry.map_or(true, |entry| !matches!(entry.file_name().to_bytes(), b"." | b".."))) {
            return Err(FolderError::NotEmpty { path: self.target });
        }
        let mut writer = Writer {
            tree,
            cancel,
            target: self.target,
            ownership: self.ownership,
            first_names: HashMap::new(),
            path: Vec::new(),
            buffer: Vec::new(),
            written: FolderWritten::default(),
        };
        writer.run(root)?;
        Ok(writer.written)
    }
}

/// A folder that is being filled.
struct Open<'t> {
    fd: OwnedFd,
    id: InodeId,
    children: std::collections::btree_map::Iter<'t, Box<[u8]>, InodeId>,
    /// The length of the path before this folder's own name.
    path_len: usize,
}

/// A folder's path and a name in it.
type FirstName = (Box<[u8]>, Box<[u8]>);

struct Writer<'t> {
    tree: &'t Tree,
    cancel: &'t CancellationToken,
    target: PathBuf,
    ownership: Ownership,
    /// The folder and name under which an inode of several names was written first; `None` for one that was left out.
    first_names: HashMap<InodeId, Option<FirstName>>,
    /// Of the current entry, for errors and hard links.
    path: Vec<u8>,
    buffer: Vec<u8>,
    written: FolderWritten,
}

impl<'t> Writer<'t> {
    /// Depth first, without recursion: the depth is the image's choice.
    fn run(&mut self, root: OwnedFd) -> Result<(), FolderError> {
        let mut open = vec![self.enter(root.try_clone().map_err(|error| self.failed("open", error))?, self.tree.root(), 0)?];
        while let Some(folder) = open.last_mut() {
            if self.cancel.is_cancelled() {
                return Err(FolderError::Canceled);
            }
            let Some((name, id)) = folder.children.next() else {
                let done = open.pop();
                if let Some(done) = done {
                    // Last, for filling a folder changes its time, and its mode may forbid that.
                    self.folder_meta(&done.fd, done.id)?;
                    self.path.truncate(done.path_len);
                    self.written.inodes += 1;
                }
                continue;
            };
            let before = self.path.len();
            self.path.push(b'/');
            self.path.extend_from_slice(name);
            let inode = self.tree.inode(*id);
            if let Kind::Folder(_) = inode.kind {
                let fd = self.make_folder(folder.fd.as_fd(), name)?;
                let folder = self.enter(fd, *id, before)?;
                open.push(folder);
                continue;
            }
            self.leaf(&root, folder.fd.as_fd(), name, *id, inode, before)?;
            self.path.truncate(before);
        }
        Ok(())
    }

    fn enter(&self, fd: OwnedFd, id: InodeId, path_len: usize) -> Result<Open<'t>, FolderError> {
        match &self.tree.inode(id).kind {
            Kind::Folder(children) => Ok(Open { fd, id, children: children.iter(), path_len }),
            _ => Err(self.failed("enter", io::Error::from(io::ErrorKind::NotADirectory))),
        }
    }

    fn make_folder(&self, parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, FolderError> {
        mkdirat(parent, name, Mode::RWXU).map_err(|error| self.failed("create the folder", error))?;
        open_folder(parent, name, OFlags::RDONLY).map_err(|error| self.failed("open the folder", error))
    }

    /// Anything but a folder: written once, linked for every further name.
    fn leaf(
        &mut self,
        root: &OwnedFd,
        parent: BorrowedFd<'_>,
        name: &[u8],
        id: InodeId,
        inode: &Inode,
        parent_len: usize,
    ) -> Result<(), FolderError> {
        let is_device = matches!(inode.kind, Kind::CharDevice { .. } | Kind::BlockDevice { .. });
        let left_out = is_device && self.ownership == Ownership::Caller;
        if inode.links > 1 {
            match self.first_names.get(&id) {
                Some(Some((folder, first))) => return self.hard_link(root, folder, first, parent, name),
                Some(None) => return Ok(()),
                None => {}
            }
            let first = (!left_out).then(|| (self.path[..parent_len].into(), name.into()));
            self.first_names.insert(id, first);
        }
        if left_out {
            self.written.skipped_devices += 1;
            return Ok(());
        }
        match &inode.kind {
            Kind::File(content) => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file = openat2(parent, name, flags, Mode::RUSR | Mode::WUSR, BENEATH)
                    .map_err(|error| self.failed("create", error))?;
                content::write(&file, content, &mut self.buffer, self.cancel).map_err(|error| match error {
                    content::CopyError::Canceled => FolderError::Canceled,
                    content::CopyError::Io(error) => self.failed("write", error),
                })?;
                self.written.bytes += content.stored_bytes();
                self.fd_meta(&file, &inode.meta)?;
            }
            Kind::Symlink(target) => {
                symlinkat(&**target, parent, name).map_err(|error| self.failed("create the link", error))?;
                self.named_meta(parent, name, inode)?;
            }
            Kind::CharDevice { major, minor } => self.node(parent, name, inode, FileType::CharacterDevice, *major, *minor)?,
            Kind::BlockDevice { major, minor } => self.node(parent, name, inode, FileType::BlockDevice, *major, *minor)?,
            Kind::Fifo => self.node(parent, name, inode, FileType::Fifo, 0, 0)?,
            Kind::Folder(_) => {}
        }
        self.written.inodes += 1;
        Ok(())
    }

    fn hard_link(
        &self,
        root: &OwnedFd,
        folder: &[u8],
        first: &[u8],
        parent: BorrowedFd<'_>,
        name: &[u8],
    ) -> Result<(), FolderError> {
        let relative = folder.strip_prefix(b"/").unwrap_or(b".");
        let from = open_folder(root.as_fd(), relative, OFlags::PATH).map_err(|error| self.failed("link", error))?;
        // Without AT_SYMLINK_FOLLOW: a link to a symbolic link is one to the link itself.
        linkat(&from, first, parent, name, AtFlags::empty()).map_err(|error| self.failed("link", error))
    }

    fn node(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &[u8],
        inode: &Inode,
        kind: FileType,
        major: u32,
        minor: u32,
    ) -> Result<(), FolderError> {
        mknodat(parent, name, kind, Mode::RUSR | Mode::WUSR, makedev(major, minor))
            .map_err(|error| self.failed("create the device or fifo", error))?;
        self.named_meta(parent, name, inode)
    }

    fn folder_meta(&mut self, fd: &OwnedFd, id: InodeId) -> Result<(), FolderError> {
        self.fd_meta(fd, &self.tree.inode(id).meta)
    }

    /// Owner first, since changing it clears set-uid bits and capabilities; times last, since the rest changes them.
    fn fd_meta(&mut self, fd: &OwnedFd, meta: &Meta) -> Result<(), FolderError> {
        if self.ownership == Ownership::Exact {
            let (uid, gid) = owner(meta);
            fchown(fd, Some(uid), Some(gid)).map_err(|error| self.failed("set the owner of", error))?;
        }
        fchmod(fd, Mode::from_raw_mode(meta.mode)).map_err(|error| self.failed("set the mode of", error))?;
        for (name, value) in &meta.xattrs {
            let set = fsetxattr(fd, &**name, value, XattrFlags::empty());
            self.check_xattr(set)?;
        }
        futimens(fd, &times(meta)).map_err(|error| self.failed("set the time of", error))
    }

    /// For what must not be opened: links, devices, fifos.
    fn named_meta(&mut self, parent: BorrowedFd<'_>, name: &[u8], inode: &Inode) -> Result<(), FolderError> {
        let meta = &inode.meta;
        if self.ownership == Ownership::Exact {
            let (uid, gid) = owner(meta);
            chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|error| self.failed("set the owner of", error))?;
        }
        if !matches!(inode.kind, Kind::Symlink(_)) {
            // There is no way to say "not through a link" here, but this name was made above and is none.
            rustix::fs::chmodat(parent, name, Mode::from_raw_mode(meta.mode), AtFlags::empty())
                .map_err(|error| self.failed("set the mode of", error))?;
        }
        if !meta.xattrs.is_empty() {
            // By way of the open folder; the last component is not followed.
            let prefix = format!("/proc/self/fd/{}/", std::os::fd::AsRawFd::as_raw_fd(&parent));
            let path = [prefix.as_bytes(), name].concat();
            for (name, value) in &meta.xattrs {
                let set = lsetxattr(path.as_slice(), &**name, value, XattrFlags::empty());
                self.check_xattr(set)?;
            }
        }
        utimensat(parent, name, &times(meta), AtFlags::SYMLINK_NOFOLLOW).map_err(|error| self.failed("set the time of", error))
    }

    /// File systems without attributes, and attributes beyond our rights, are left out as the documentation says.
    fn check_xattr(&mut self, set: Result<(), Errno>) -> Result<(), FolderError> {
        match set {
            Ok(()) => Ok(()),
            Err(Errno::NOTSUP) => {
                self.written.skipped_xattrs += 1;
                Ok(())
            }
            Err(Errno::PERM | Errno::ACCESS) if self.ownership == Ownership::Caller => {
                self.written.skipped_xattrs += 1;
                Ok(())
            }
            Err(error) => Err(self.failed("set an attribute of", error)),
        }
    }

    fn failed(&self, action: &'static str, source: impl Into<io::Error>) -> FolderError {
        let entry = printable(&self.path);
        FolderError::Entry { action, entry, target: self.target.clone(), source: source.into() }
    }
}

const BENEATH: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS).union(ResolveFlags::NO_XDEV);

fn open_folder(parent: BorrowedFd<'_>, path: &[u8], access: OFlags) -> Result<OwnedFd, Errno> {
    let flags = access | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // A rename elsewhere on the machine may make the kernel unsure for a moment.
    for _ in 0..64 {
        match openat2(parent, path, flags, Mode::empty(), BENEATH) {
            Err(Errno::AGAIN) => {}
            opened => return opened,
        }
    }
    Err(Errno::AGAIN)
}

fn owner(meta: &Meta) -> (Uid, Gid) {
    (Uid::from_raw(meta.uid), Gid::from_raw(meta.gid))
}

fn times(meta: &Meta) -> Timestamps {
    let time = Timespec { tv_sec: meta.mtime.seconds, tv_nsec: meta.mtime.nanoseconds.into() };
    Timestamps { last_access: time, last_modification: time }
}
