//! A disk made from a tree, what `e2fsck` says of it, and what the kernel shows of it when it is mounted.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsStr,
    fs::{self, File, Metadata},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{FileExt as _, FileTypeExt as _, MetadataExt as _},
    },
    path::{Path, PathBuf},
    process::Command,
};

use bencher_oci::{
    Limits,
    merge::{Content, Inode, InodeId, Kind, Mtime, Tree},
    sink::{
        TreeSink as _,
        ext4::{DiskSize, Ext4Error, Ext4Options, Ext4Sink, Ext4Written},
    },
};
use rustix::fs::{SeekFrom, lgetxattr, llistxattr, seek};
use tokio_util::sync::CancellationToken;

use crate::support::{Layer, have, have_root, merge_with, run};

const BLOCK: u64 = 4096;

/// A disk in a temporary folder.
pub(super) struct Disk {
    dir: tempfile::TempDir,
    pub(super) written: Ext4Written,
}

/// Bounds that do not get in the way of large sparse files.
pub(super) fn limits() -> Limits {
    Limits { image_bytes: 1 << 50, ..Limits::default() }
}

pub(super) fn tree(layers: Vec<Layer>) -> Tree {
    merge_with(layers, &limits()).unwrap()
}

pub(crate) fn sink(tree: &Tree, path: &Path, size: DiskSize) -> Result<Ext4Written, Ext4Error> {
    Ext4Sink::new(path, Ext4Options::of_size(size)).write(tree, &CancellationToken::new())
}

impl Disk {
    pub(super) fn new(tree: &Tree, size: DiskSize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let written = sink(tree, &dir.path().join("disk"), size).unwrap();
        Self { dir, written }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().join("disk")
    }

    /// Fails unless `e2fsck` finds nothing, not even something to improve.
    pub(super) fn check(&self) {
        let text = self.check_used();
        assert!(!text.contains('?'), "{text}");
    }

    /// Fails unless `e2fsck` finds nothing wrong. What the kernel leaves behind when files shrink may be improved.
    pub(super) fn check_used(&self) -> String {
        let output = Command::new("e2fsck").arg("-fn").arg(self.path()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    pub(super) fn mount(&self, options: &str) -> Mount {
        let point = self.dir.path().join("mounted");
        fs::create_dir_all(&point).unwrap();
        run(Command::new("mount").args(["-t", "ext4", "-o", &format!("loop,{options}")]).arg(self.path()).arg(&point));
        Mount { point }
    }

    /// Fails unless the kernel shows exactly the tree.
    pub(super) fn compare(&self, tree: &Tree) {
        let mount = self.mount("ro");
        Comparison { tree, inodes: HashMap::new() }.folder(tree.root(), &mount.point);
        mount.assert_quiet();
    }
}

/// Unmounts at its end; the loop device goes with the mount.
pub(super) struct Mount {
    pub(super) point: PathBuf,
}

impl Mount {
    /// Fails if the kernel found anything to complain about.
    pub(super) fn assert_quiet(&self) {
        let device = fs::metadata(&self.point).unwrap().dev();
        let link =
            fs::canonicalize(format!("/sys/dev/block/{}:{}", rustix::fs::major(device), rustix::fs::minor(device))).unwrap();
        let counters = Path::new("/sys/fs/ext4").join(link.file_name().unwrap());
        for counter in ["errors_count", "warning_count"] {
            assert_eq!(fs::read_to_string(counters.join(counter)).unwrap().trim(), "0", "{counter}");
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.point).status().is_ok_and(|status| status.success());
        assert!(unmounted || std::thread::panicking(), "{} stays mounted", self.point.display());
    }
}

pub(super) fn have_e2fsck() -> bool {
    have("e2fsck", Command::new("e2fsck").arg("-V").output().is_ok_and(|output| output.status.success()))
}

pub(super) fn can_mount() -> bool {
    have_root() && have_e2fsck() && have("loop devices", Path::new("/dev/loop-control").exists())
}

/// The whole proof for some layers, on a disk of the least size and on one with room.
pub(super) fn prove(layers: Vec<Layer>) -> Tree {
    let tree = tree(layers);
    prove_tree(&tree);
    tree
}

pub(crate) fn prove_tree(tree: &Tree) {
    if !can_mount() {
        return;
    }
    for size in [DiskSize::Fitted, DiskSize::Bytes(3 << 30)] {
        let disk = Disk::new(tree, size);
        disk.check();
        disk.compare(tree);
    }
}

struct Comparison<'t> {
    tree: &'t Tree,
    /// The number the kernel gave each inode.
    inodes: HashMap<InodeId, u64>,
}

impl Comparison<'_> {
    fn folder(&mut self, id: InodeId, path: &Path) {
        let metadata = self.inode(id, path);
        let Kind::Folder(children) = &self.tree.inode(id).kind else { panic!("{path:?} is no folder in the tree") };
        let is_root = id == self.tree.root();
        let mut names: Vec<Vec<u8>> =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().as_bytes().to_vec()).collect();
        names.sort();
        let mut expected: Vec<Vec<u8>> = children.keys().map(|name| name.to_vec()).collect();
        let mut folders = children.values().filter(|id| matches!(self.tree.inode(**id).kind, Kind::Folder(_))).count();
        if is_root && !children.contains_key(b"lost+found".as_slice()) {
            expected.push(b"lost+found".to_vec());
            expected.sort();
            folders += 1;
            let lost = fs::symlink_metadata(path.join("lost+found")).unwrap();
            assert_eq!((lost.mode(), lost.uid(), lost.gid(), lost.nlink(), lost.size()), (0o40700, 0, 0, 2, 16384));
        }
        assert!(names == expected, "{path:?}: {} names, expected {}", names.len(), expected.len());
        let links = if folders + 2 > 65000 { 1 } else { folders + 2 };
        assert_eq!(metadata.nlink(), links as u64, "{path:?}");
        for (name, child) in children {
            // Each is looked up by its name, which is found through the index.
            let path = path.join(OsStr::from_bytes(name));
            match &self.tree.inode(*child).kind {
                Kind::Folder(_) => self.folder(*child, &path),
                _ => {
                    self.leaf(*child, &path);
                }
            }
        }
    }

    fn leaf(&mut self, id: InodeId, path: &Path) {
        let inode = self.tree.inode(id);
        let known = self.inodes.contains_key(&id);
        let metadata = self.inode(id, path);
        assert_eq!(metadata.nlink(), u64::from(inode.links), "{path:?}");
        let device = |major: &u32, minor: &u32| {
            assert_eq!((rustix::fs::major(metadata.rdev()), rustix::fs::minor(metadata.rdev())), (*major, *minor), "{path:?}");
        };
        let kind = metadata.file_type();
        match &inode.kind {
            Kind::Folder(_) => panic!("{path:?} is a folder in the tree"),
            Kind::File(content) => {
                assert!(kind.is_file() && metadata.len() == content.size, "{path:?}");
                if !known {
                    compare_content(path, &metadata, content);
                }
            }
            Kind::Symlink(target) => {
                assert!(kind.is_symlink(), "{path:?}");
                assert_eq!(fs::read_link(path).unwrap().as_os_str().as_bytes(), &**target, "{path:?}");
            }
            Kind::CharDevice { major, minor } => {
                assert!(kind.is_char_device(), "{path:?}");
                device(major, minor);
            }
            Kind::BlockDevice { major, minor } => {
                assert!(kind.is_block_device(), "{path:?}");
                device(major, minor);
            }
            Kind::Fifo => assert!(kind.is_fifo(), "{path:?}"),
        }
    }

    /// What all kinds have, and that an inode of the tree is one on the disk.
    fn inode(&mut self, id: InodeId, path: &Path) -> Metadata {
        let inode = self.tree.inode(id);
        let metadata = fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let meta = &inode.meta;
        let (seconds, nanoseconds) = told(meta.mtime);
        assert_eq!(
            (metadata.mode() & 0o7777, metadata.uid(), metadata.gid(), metadata.mtime(), metadata.mtime_nsec()),
            (meta.mode, meta.uid, meta.gid, seconds, nanoseconds),
            "{path:?}"
        );
        assert_eq!((metadata.ctime(), metadata.atime()), (seconds, seconds), "{path:?}");
        assert_eq!(*self.inodes.entry(id).or_insert(metadata.ino()), metadata.ino(), "{path:?}");
        if inode.links == 1 || !inode.meta.xattrs.is_empty() {
            assert_eq!(xattrs(path), expected_xattrs(inode), "{path:?}");
        }
        metadata
    }
}

/// The nearest time that can be told.
fn told(time: Mtime) -> (i64, i64) {
    match time.seconds.clamp(-2_147_483_648, 15_032_385_535) {
        seconds if seconds == time.seconds => (seconds, time.nanoseconds.into()),
        seconds => (seconds, 0),
    }
}

fn xattrs(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut names = vec![0; 65536];
    let length = llistxattr(path, &mut names[..]).unwrap();
    names.truncate(length);
    let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names
        .map(|name| {
            let mut value = vec![0; 65536];
            let length = lgetxattr(path, name, &mut value[..]).unwrap();
            value.truncate(length);
            (name.to_vec(), value)
        })
        .collect()
}

/// What the kernel can show on this kind of file.
fn expected_xattrs(inode: &Inode) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let folder = matches!(inode.kind, Kind::Folder(_));
    let file = matches!(inode.kind, Kind::File(_));
    let symlink = matches!(inode.kind, Kind::Symlink(_));
    let shown = |name: &[u8]| match name {
        b"system.posix_acl_access" => !symlink,
        b"system.posix_acl_default" => folder,
        _ if name.starts_with(b"user.") => file || folder,
        _ => name.starts_with(b"trusted.") || name.starts_with(b"security."),
    };
    inode.meta.xattrs.iter().filter(|(name, _)| shown(name)).map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

fn compare_content(path: &Path, metadata: &Metadata, content: &Content) {
    let file = File::open(path).unwrap();
    let (mut ours, mut theirs) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut blocks = 0;
    let mut last = None;
    for segment in &content.segments {
        let mut done = 0;
        while done < segment.len {
            let length = usize::try_from((segment.len - done).min(1 << 20)).unwrap();
            content.read_segment(segment, done, &mut ours[..length]).unwrap();
            file.read_exact_at(&mut theirs[..length], segment.at + done).unwrap();
            assert!(ours[..length] == theirs[..length], "{path:?} differs near {}", segment.at + done);
            done += length as u64;
        }
        let end = (segment.at + segment.len - 1) / BLOCK;
        let start = (segment.at / BLOCK).max(last.map_or(0, |last| last + 1));
        blocks += (end + 1).saturating_sub(start);
        last = Some(end);
    }
    compare_holes(&file, path, content);
    // In units of 512 bytes: what is stored, and a tree of extents in 340ths.
    let least = blocks * 8;
    let most = least + (blocks / 170 + 3) * 8 + 8;
    assert!((least..=most).contains(&metadata.blocks()), "{path:?}: {} for {blocks} blocks", metadata.blocks());
}

/// Holes are holes, and read as zeros: there is data only in blocks that hold a piece, and zeros around the pieces.
fn compare_holes(file: &File, path: &Path, content: &Content) {
    let mut at = 0;
    let mut segments = content.segments.iter().peekable();
    while let Ok(start) = seek(file, SeekFrom::Data(at)) {
        let end = seek(file, SeekFrom::Hole(start)).unwrap();
        let mut expected = start;
        while let Some(segment) = segments.next_if(|segment| segment.at < end) {
            assert!(
                segment.at < expected.next_multiple_of(BLOCK) + BLOCK,
                "{path:?}: blocks of a hole are stored from {expected} on"
            );
            zeros(file, path, expected, segment.at);
            expected = segment.at + segment.len;
        }
        assert!(end <= expected.next_multiple_of(BLOCK), "{path:?}: blocks of a hole are stored from {expected} on");
        zeros(file, path, expected, end);
        at = end;
    }
    assert!(segments.next().is_none(), "{path:?}: a piece is a hole");
}

fn zeros(file: &File, path: &Path, from: u64, to: u64) {
    let mut bytes = vec![1; usize::try_from(to.saturating_sub(from)).unwrap()];
    file.read_exact_at(&mut bytes, from).unwrap();
    assert!(bytes.iter().all(|byte| *byte == 0), "{path:?}: not zero from {from} on");
}
