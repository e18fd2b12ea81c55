//! What a written root file system should look like, as one digest: of a tree before it is written, and of a folder after.
//!
//! Covered are names, kinds, modes, owners, link targets, device numbers, which names are one inode, and sizes and checksums
//! of contents. Not covered are times (file systems round them) and extended attributes (hosts add their own). The checksum
//! finds decay and accidents; it is no protection against somebody who may write to the folder.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read as _},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use bencher_types::{Digest, oci::digest::Algorithm};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, openat, readlinkat, statat};

use crate::{
    error::IoError,
    hash::Hasher,
    limits::CHUNK,
    merge::{InodeId, Kind, Tree},
    sink::folder::Ownership,
};

/// One name of a root file system.
struct Record<'a> {
    path: &'a [u8],
    kind: u8,
    mode: u32,
    owner: (u32, u32),
    /// The number of an inode with several names, in the order in which they are met.
    shared: u64,
    /// What the kind needs: target, device, or size and checksum.
    detail: &'a [u8],
}

struct Sum {
    hasher: Hasher,
    ownership: Ownership,
}

impl Sum {
    fn new(ownership: Ownership) -> Self {
        Self { hasher: Hasher::new(Algorithm::Sha256), ownership }
    }

    fn add(&mut self, record: &Record<'_>) {
        let (uid, gid) = match self.ownership {
            Ownership::Exact => record.owner,
            Ownership::Caller => (0, 0),
        };
        self.bytes(record.path);
        self.hasher.update(&[record.kind]);
        for number in [record.mode, uid, gid] {
            self.hasher.update(&number.to_le_bytes());
        }
        self.hasher.update(&record.shared.to_le_bytes());
        self.bytes(record.detail);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.hasher.update(&(bytes.len() as u64).to_le_bytes());
        self.hasher.update(bytes);
    }

    /// Devices are left out where they could not be made.
    fn leaves_out(&self, kind: u8) -> bool {
        self.ownership == Ownership::Caller && matches!(kind, b'c' | b'b')
    }
}

/// Numbers inodes of several names as they are met, from 1; 0 for those of one name.
fn shared_number<K: std::hash::Hash + Eq>(numbers: &mut HashMap<K, u64>, key: K, links: u64) -> u64 {
    if links < 2 {
        return 0;
    }
    let next = numbers.len() as u64 + 1;
    *numbers.entry(key).or_insert(next)
}

fn file_detail(size: u64, crc: u32) -> Vec<u8> {
    [size.to_le_bytes().as_slice(), &crc.to_le_bytes()].concat()
}

fn device_detail(major: u32, minor: u32) -> Vec<u8> {
    [major.to_le_bytes(), minor.to_le_bytes()].concat()
}

/// Of a tree that is written with such ownership.
pub(crate) fn of_tree(tree: &Tree, ownership: Ownership) -> Digest {
    let mut sum = Sum::new(ownership);
    let mut numbers = HashMap::new();
    tree_level(tree, tree.root(), &mut Vec::new(), &mut numbers, &mut sum);
    sum.hasher.finish()
}

/// Recursion is as deep as the tree, whose depth is bounded.
fn tree_level(tree: &Tree, id: InodeId, path: &mut Vec<u8>, numbers: &mut HashMap<InodeId, u64>, sum: &mut Sum) {
    let inode = tree.inode(id);
    let (kind, mode, detail) = match &inode.kind {
        Kind::Folder(_) => (b'd', inode.meta.mode, Vec::new()),
        Kind::File(content) => (b'f', inode.meta.mode, file_detail(content.size, content.crc)),
        // A link's own mode is the file system's choice.
        Kind::Symlink(target) => (b'l', 0, target.to_vec()),
        Kind::CharDevice { major, minor } => (b'c', inode.meta.mode, device_detail(*major, *minor)),
        Kind::BlockDevice { major, minor } => (b'b', inode.meta.mode, device_detail(*major, *minor)),
        Kind::Fifo => (b'p', inode.meta.mode, Vec::new()),
    };
    if sum.leaves_out(kind) {
        return;
    }
    let folder = matches!(inode.kind, Kind::Folder(_));
    let shared = shared_number(numbers, id, if folder { 1 } else { u64::from(inode.links) });
    let owner = (inode.meta.uid, inode.meta.gid);
    sum.add(&Record { path, kind, mode, owner, shared, detail: &detail });
    if let Kind::Folder(children) = &inode.kind {
        for (name, child) in children {
            let before = path.len();
            path.push(b'/');
            path.extend_from_slice(name);
            tree_level(tree, *child, path, numbers, sum);
            path.truncate(before);
        }
    }
}

/// Of a folder as it is on disk.
///
/// # Errors
/// Something in it cannot be read.
pub(crate) fn of_folder(root: &Path, ownership: Ownership) -> Result<Digest, IoError> {
    let on_read = IoError::on("read", root);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::open(root, flags, Mode::empty()).map_err(&on_read)?;
    let stat = rustix::fs::fstat(&fd).map_err(&on_read)?;
    let mut walk = Walk { sum: Sum::new(ownership), numbers: HashMap::new(), buffer: vec![0; CHUNK] };
    walk.folder(&fd, &stat, &mut Vec::new()).map_err(IoError::on("read", root))?;
    Ok(walk.sum.hasher.finish())
}

struct Walk {
    sum: Sum,
    numbers: HashMap<(u64, u64), u64>,
    buffer: Vec<u8>,
}

impl Walk {
    fn folder(&mut self, fd: &OwnedFd, stat: &Stat, path: &mut Vec<u8>) -> io::Result<()> {
        self.add(stat, path, b'd', 0, &[]);
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(fd)? {
            let name = entry?.file_name().to_owned();
            if !matches!(name.to_bytes(), b"." | b"..") {
                names.push(name);
            }
        }
        names.sort();
        for name in names {
            let before = path.len();
            path.push(b'/');
            path.extend_from_slice(name.to_bytes());
            self.entry(fd.as_fd(), &name, path)?;
            path.truncate(before);
        }
        Ok(())
    }

    fn entry(&mut self, parent: BorrowedFd<'_>, name: &std::ffi::CStr, path: &mut Vec<u8>) -> io::Result<()> {
        let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let device = device_detail(rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
        let (kind, detail) = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let fd = openat(parent, name, flags | OFlags::DIRECTORY, Mode::empty())?;
                return self.folder(&fd, &stat, path);
            }
            FileType::RegularFile => {
                let file = File::from(openat(parent, name, flags, Mode::empty())?);
                (b'f', self.file(file)?)
            }
            FileType::Symlink => (b'l', readlinkat(parent, name, Vec::new())?.into_bytes()),
            FileType::CharacterDevice => (b'c', device),
            FileType::BlockDevice => (b'b', device),
            FileType::Fifo => (b'p', Vec::new()),
            _ => (b'?', Vec::new()),
        };
        let shared = shared_number(&mut self.numbers, (stat.st_dev, stat.st_ino), stat.st_nlink);
        self.add(&stat, path, kind, shared, &detail);
        Ok(())
    }

    fn file(&mut self, mut file: File) -> io::Result<Vec<u8>> {
        let mut crc = flate2::Crc::new();
        let mut size = 0;
        loop {
            let read = file.read(&mut self.buffer)?;
            if read == 0 {
                return Ok(file_detail(size, crc.sum()));
            }
            crc.update(&self.buffer[..read]);
            size += read as u64;
        }
    }

    fn add(&mut self, stat: &Stat, path: &[u8], kind: u8, shared: u64, detail: &[u8]) {
        if self.sum.leaves_out(kind) {
            return;
        }
        let mode = if kind == b'l' { 0 } else { stat.st_mode & 0o7777 };
        let owner = (stat.st_uid, stat.st_gid);
        self.sum.add(&Record { path, kind, mode, owner, shared, detail });
    }
}
