//! Extents, and the tree of them: up to four in the inode, beyond that in blocks of 340, those in blocks of 340 again.

use super::format::{BLOCK, low16, low32, put16, put32};

const MAGIC: u16 = 0xf30a;
const HEADER: usize = 12;
const ENTRY: usize = 12;
/// Entries an inode has room for.
const IN_INODE: usize = 4;
/// Entries a block has room for.
const IN_BLOCK: usize = (BLOCK - HEADER) / ENTRY;
/// Bytes of an inode's own node.
pub(super) const NODE: usize = HEADER + IN_INODE * ENTRY;

/// Blocks of a file that follow each other on disk, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// The first block, counted in the file.
    pub(super) logical: u32,
    /// The first block, counted on the disk.
    pub(super) physical: u32,
    pub(super) blocks: u32,
}

/// How many blocks the tree of so many extents takes beside the inode.
pub(super) fn tree_blocks(extents: usize) -> usize {
    let mut total = 0;
    let mut level = extents;
    while level > IN_INODE {
        level = level.div_ceil(IN_BLOCK);
        total += level;
    }
    total
}

/// Builds the tree, its leaves in the first of `blocks`. Returns the inode's node, and the content of each block in order.
pub(super) fn build(extents: &[Extent], blocks: &[u32]) -> ([u8; NODE], Vec<Vec<u8>>) {
    let mut level: Vec<Entry> = extents.iter().copied().map(Entry::Extent).collect();
    let mut depth = 0;
    let mut written = Vec::new();
    while level.len() > IN_INODE {
        let mut above = Vec::new();
        for children in level.chunks(IN_BLOCK) {
            let mut block = vec![0; BLOCK];
            node(&mut block, children, IN_BLOCK, depth);
            // As many as `tree_blocks` counted.
            let at = blocks.get(written.len()).copied().unwrap_or_default();
            above.push(Entry::Index { logical: children[0].logical(), block: at });
            written.push(block);
        }
        level = above;
        depth += 1;
    }
    let mut root = [0; NODE];
    node(&mut root, &level, IN_INODE, depth);
    (root, written)
}

#[derive(Clone, Copy)]
enum Entry {
    Extent(Extent),
    Index { logical: u32, block: u32 },
}

impl Entry {
    fn logical(self) -> u32 {
        match self {
            Self::Extent(extent) => extent.logical,
            Self::Index { logical, .. } => logical,
        }
    }
}

fn node(target: &mut [u8], entries: &[Entry], capacity: usize, depth: u16) {
    let short = |count: usize| low16(low32(count as u64));
    put16(target, 0, MAGIC);
    put16(target, 2, short(entries.len()));
    put16(target, 4, short(capacity));
    put16(target, 6, depth);
    for (n, entry) in entries.iter().enumerate() {
        let at = HEADER + n * ENTRY;
        put32(target, at, entry.logical());
        match entry {
            Entry::Extent(extent) => {
                put16(target, at + 4, low16(extent.blocks));
                put32(target, at + 8, extent.physical);
            }
            Entry::Index { block, .. } => put32(target, at + 4, *block),
        }
    }
}
