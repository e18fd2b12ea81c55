//! What is to be stored: every inode of a tree with its number, its links and its folder's blocks, and a digest of it all.
//! Refuses what ext4 cannot hold, while it still knows the path.

use std::collections::btree_map;

use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::{
    Ext4Error, Unfit,
    entries::{Entry, Packed},
    format::{BLOCK, BLOCK_BYTES, FAST_SYMLINK, FIRST_INODE, MAX_FILE_BLOCKS, MAX_LINKS, ROOT_INODE, low32},
    xattr,
};
use crate::merge::{Inode, InodeId, Kind, Tree, printable};

/// Where a check of the file system puts what it finds without a name.
const LOST_FOUND: &[u8] = b"lost+found";
/// Its blocks, made beforehand because the check should not have to find room.
pub(super) const LOST_FOUND_BLOCKS: u32 = 4;
/// The largest numbers of a device that are stored.
const MAX_DEVICE: (u32, u32) = (0xfff, 0xf_ffff);

/// An inode to be written.
#[derive(Debug)]
pub(super) struct Node<'t> {
    pub(super) inode: &'t Inode,
    pub(super) number: u32,
    /// The number of the folder it is in; used by folders only.
    pub(super) parent: u32,
    /// Names as the inode has them written: of a folder, its own, `.`, and `..` of each folder in it; one if too many.
    pub(super) links: u32,
    /// Blocks of a folder.
    pub(super) folder_blocks: u32,
    pub(super) has_xattr_block: bool,
}

impl Node<'_> {
    /// Whether it is a folder with an index. Our own for lost files has none: it is empty.
    pub(super) fn is_indexed(&self) -> bool {
        self.folder_blocks > 1 && matches!(&self.inode.kind, Kind::Folder(children) if !children.is_empty())
    }
}

pub(super) struct Census<'t> {
    tree: &'t Tree,
    /// In the order of their numbers: the root, then from [`FIRST_INODE`] on.
    pub(super) nodes: Vec<Node<'t>>,
    /// Numbers by place in the tree's table.
    numbers: Vec<u32>,
    /// The number of our own folder for lost files, unless the tree has the name.
    pub(super) lost_found: Option<u32>,
    /// Over everything that is stored; contents by their checksum.
    pub(super) identity: [u8; 32],
    /// Orders the indexes of folders.
    pub(super) hash_seed: [u32; 4],
    pub(super) skipped_xattrs: u64,
}

/// What is in a folder of the tree.
type Children<'t> = btree_map::Iter<'t, Box<[u8]>, InodeId>;

/// A folder that is being walked.
struct Open<'t> {
    number: u32,
    children: Children<'t>,
    /// The length of the path before this folder's own name.
    path_len: usize,
}

impl<'t> Census<'t> {
    /// Walks the tree. `lost_found` is the folder to be added; `salt` is what else makes a disk another one.
    pub(super) fn take(
        tree: &'t Tree,
        lost_found: &'t Inode,
        salt: &[u8],
        cancel: &CancellationToken,
    ) -> Result<Self, Ext4Error> {
        let mut census = Self {
            tree,
            nodes: Vec::new(),
            numbers: vec![0; tree.slots()],
            lost_found: None,
            identity: [0; 32],
            hash_seed: [0; 4],
            skipped_xattrs: 0,
        };
        let mut digest = Sha256::new();
        digest.update(salt);
        census.number(lost_found, &mut digest, cancel)?;
        census.identity = digest.finalize().into();
        // The first half names the file system.
        for (word, bytes) in census.hash_seed.iter_mut().zip(census.identity[16..].as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        census.size_folders(cancel)?;
        Ok(census)
    }

    /// Numbers all inodes, a folder before what is in it.
    fn number(&mut self, lost_found: &'t Inode, digest: &mut Sha256, cancel: &CancellationToken) -> Result<(), Ext4Error> {
        let mut path = Vec::new();
        let root = self.add(self.tree.root(), ROOT_INODE, ROOT_INODE, b"", digest)?;
        if let Kind::Folder(children) = &self.tree.inode(self.tree.root()).kind
            && !children.contains_key(LOST_FOUND)
        {
            self.push(lost_found, FIRST_INODE, ROOT_INODE, b"")?;
            self.lost_found = Some(FIRST_INODE);
            self.nodes[0].links = one_more(self.nodes[0].links);
        }
        let mut open: Vec<Open<'t>> =
            root.map(|children| Open { number: ROOT_INODE, children, path_len: 0 }).into_iter().collect();
        while let Some(folder) = open.last_mut() {
            if cancel.is_cancelled() {
                return Err(Ext4Error::Canceled);
            }
            let Some((name, id)) = folder.children.next() else {
                path.truncate(folder.path_len);
                open.pop();
                digest.update([0]);
                continue;
            };
            let path_len = path.len();
            path.push(b'/');
            path.extend_from_slice(name);
            if name.len() > 255 {
                return Err(Unfit::Name { bytes: name.len() }.at(&path));
            }
            digest.update([1, name.len().to_le_bytes()[0]]);
            digest.update(name);
            let parent = folder.number;
            if let Some(number) = self.numbers.get(id.index()).copied().filter(|number| *number != 0) {
                digest.update(number.to_le_bytes());
                path.truncate(path_len);
                continue;
            }
            let number = FIRST_INODE + low32(self.nodes.len() as u64) - 1;
            match self.add(*id, number, parent, &path, digest)? {
                Some(children) => open.push(Open { number, children, path_len }),
                None => path.truncate(path_len),
            }
        }
        Ok(())
    }

    /// Takes an inode up. Returns what is in it if it is a folder.
    fn add(
        &mut self,
        id: InodeId,
        number: u32,
        parent: u32,
        path: &[u8],
        digest: &mut Sha256,
    ) -> Result<Option<Children<'t>>, Ext4Error> {
        let inode = self.tree.inode(id);
        if let Some(slot) = self.numbers.get_mut(id.index()) {
            *slot = number;
        }
        check(inode).map_err(|unfit| unfit.at(path))?;
        identify(inode, digest);
        self.push(inode, number, parent, path)?;
        Ok(match &inode.kind {
            Kind::Folder(children) => Some(children.iter()),
            _ => None,
        })
    }

    fn push(&mut self, inode: &'t Inode, number: u32, parent: u32, path: &[u8]) -> Result<(), Ext4Error> {
        let xattrs = xattr::encode(inode).map_err(|unfit| unfit.at(path))?;
        self.skipped_xattrs += xattrs.skipped;
        let links = match &inode.kind {
            Kind::Folder(children) => {
                let folders = children.values().filter(|id| matches!(self.tree.inode(**id).kind, Kind::Folder(_))).count();
                let links = 2 + low32(folders as u64);
                if links > MAX_LINKS { 1 } else { links }
            }
            _ => inode.links,
        };
        self.nodes.push(Node { inode, number, parent, links, folder_blocks: 0, has_xattr_block: xattrs.block.is_some() });
        Ok(())
    }

    fn size_folders(&mut self, cancel: &CancellationToken) -> Result<(), Ext4Error> {
        for at in 0..self.nodes.len() {
            if cancel.is_cancelled() {
                return Err(Ext4Error::Canceled);
            }
            let node = &self.nodes[at];
            let blocks = if self.lost_found == Some(node.number) {
                LOST_FOUND_BLOCKS
            } else if let Kind::Folder(_) = node.inode.kind {
                let packed = self.pack(node).map_err(|unfit| unfit.at(&self.path_of(node.number)))?;
                low32(packed.blocks() as u64)
            } else {
                0
            };
            self.nodes[at].folder_blocks = blocks;
        }
        Ok(())
    }

    /// How a folder's names are spread over its blocks.
    pub(super) fn pack(&self, node: &Node<'t>) -> Result<Packed, Unfit> {
        Packed::new(self.entries(node).map(|entry| entry.name), &self.hash_seed)
    }

    /// The names in a folder.
    pub(super) fn entries(&self, node: &Node<'t>) -> impl Iterator<Item = Entry<'t>> + Clone {
        let children = match &node.inode.kind {
            Kind::Folder(children) => Some(children.iter()),
            _ => None,
        };
        let own = self.lost_found.filter(|_| node.number == ROOT_INODE);
        let own = own.map(|inode| Entry { name: LOST_FOUND, inode, kind: 2 });
        let children = children.into_iter().flatten().map(|(name, id)| Entry {
            name,
            inode: self.numbers.get(id.index()).copied().unwrap_or_default(),
            kind: kind_in_folder(&self.tree.inode(*id).kind),
        });
        own.into_iter().chain(children)
    }

    /// The number of the last inode.
    pub(super) fn last(&self) -> u32 {
        FIRST_INODE - 1 + low32(self.nodes.len() as u64) - 1
    }

    /// A path to an inode, for errors only: it searches.
    pub(super) fn path_of(&self, number: u32) -> Vec<u8> {
        let mut open = vec![(Vec::new(), self.tree.root())];
        while let Some((path, id)) = open.pop() {
            if self.numbers.get(id.index()) == Some(&number) {
                return path;
            }
            if let Kind::Folder(children) = &self.tree.inode(id).kind {
                open.extend(children.iter().map(|(name, child)| ([&path, b"/".as_slice(), name].concat(), *child)));
            }
        }
        LOST_FOUND.to_vec()
    }
}

/// A folder's links with one folder more in it.
fn one_more(links: u32) -> u32 {
    if links == 1 || links == MAX_LINKS { 1 } else { links + 1 }
}

/// Refuses what has no form in this format.
fn check(inode: &Inode) -> Result<(), Unfit> {
    match &inode.kind {
        Kind::Folder(_) => return Ok(()),
        Kind::File(content) => {
            let most = MAX_FILE_BLOCKS * BLOCK_BYTES;
            if content.size > most {
                return Err(Unfit::File { bytes: content.size, most });
            }
        }
        Kind::Symlink(target) => {
            if target.is_empty() || target.len() >= BLOCK || target.contains(&0) {
                return Err(Unfit::Symlink { bytes: target.len() });
            }
        }
        Kind::CharDevice { major, minor } | Kind::BlockDevice { major, minor } => {
            if *major > MAX_DEVICE.0 || *minor > MAX_DEVICE.1 {
                return Err(Unfit::Device { major: *major, minor: *minor });
            }
        }
        Kind::Fifo => {}
    }
    if inode.links > MAX_LINKS { Err(Unfit::Links { found: inode.links, most: MAX_LINKS }) } else { Ok(()) }
}

fn kind_in_folder(kind: &Kind) -> u8 {
    match kind {
        Kind::File(_) => 1,
        Kind::Folder(_) => 2,
        Kind::CharDevice { .. } => 3,
        Kind::BlockDevice { .. } => 4,
        Kind::Fifo => 5,
        Kind::Symlink(_) => 7,
    }
}

/// Takes an inode into the digest, every part by its length or of a fixed one.
fn identify(inode: &Inode, digest: &mut Sha256) {
    let meta = &inode.meta;
    digest.update([kind_in_folder(&inode.kind)]);
    for number in [meta.mode, meta.uid, meta.gid, meta.mtime.nanoseconds, inode.links] {
        digest.update(number.to_le_bytes());
    }
    digest.update(meta.mtime.seconds.to_le_bytes());
    digest.update((meta.xattrs.len() as u64).to_le_bytes());
    for part in meta.xattrs.iter().flat_map(|(name, value)| [name, value]) {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    match &inode.kind {
        Kind::File(content) => {
            digest.update(content.size.to_le_bytes());
            digest.update(content.crc.to_le_bytes());
            for segment in &content.segments {
                digest.update(segment.at.to_le_bytes());
                digest.update(segment.len.to_le_bytes());
            }
            // No segment begins here.
            digest.update(u64::MAX.to_le_bytes());
        }
        Kind::Symlink(target) => {
            digest.update((target.len() as u64).to_le_bytes());
            digest.update(target);
        }
        Kind::CharDevice { major, minor } | Kind::BlockDevice { major, minor } => {
            digest.update(major.to_le_bytes());
            digest.update(minor.to_le_bytes());
        }
        Kind::Folder(_) | Kind::Fifo => {}
    }
}

/// Whether a symbolic link is kept in its inode.
pub(super) fn is_fast(target: &[u8]) -> bool {
    target.len() <= FAST_SYMLINK
}

impl Unfit {
    fn at(self, path: &[u8]) -> Ext4Error {
        let entry = if path.is_empty() { "/".to_owned() } else { printable(path) };
        Ext4Error::Entry { entry, problem: self }
    }
}
