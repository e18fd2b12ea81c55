//! Folders: one block of names, or several behind an index by the hash of the name.
//!
//! An index has one level while its 508 leaves suffice, then two. The leaves are full: an image is read more than written.

use super::{
    Unfit,
    format::{BLOCK, low16, low32, put, put16, put32, to_usize},
    hash::{NameHash, hash},
};

/// Bytes of an entry before its name.
const ENTRY: usize = 8;
/// Bytes of the entries `.` and `..`.
const DOTS: usize = 24;
/// Where the root of an index begins its list, and how many entries it has room for.
const ROOT_LIST: usize = DOTS + 8;
const ROOT_ROOM: usize = (BLOCK - ROOT_LIST) / 8;
/// The same of a node below the root.
const NODE_LIST: usize = 8;
const NODE_ROOM: usize = (BLOCK - NODE_LIST) / 8;
/// The hash by which the index is ordered: half MD4.
const HALF_MD4: u8 = 1;
const FOLDER: u8 = 2;

/// A name in a folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'t> {
    pub(super) name: &'t [u8],
    pub(super) inode: u32,
    /// What it is a name of, as the format counts kinds.
    pub(super) kind: u8,
}

impl Entry<'_> {
    fn size(&self) -> usize {
        size(self.name)
    }
}

fn size(name: &[u8]) -> usize {
    (ENTRY + name.len()).next_multiple_of(4)
}

/// How the names of a folder are spread over blocks.
#[derive(Debug)]
pub(super) enum Packed {
    /// In the order of the tree.
    Single,
    Indexed {
        /// Names by their hash, as places in the list of names.
        order: Vec<(NameHash, u32)>,
        /// Where each leaf begins in `order`.
        leaves: Vec<usize>,
        /// Nodes between root and leaves; none if the root has room for the leaves.
        nodes: usize,
    },
}

impl Packed {
    pub(super) fn new<'t>(names: impl Iterator<Item = &'t [u8]> + Clone, seed: &[u32; 4]) -> Result<Self, Unfit> {
        let total: usize = names.clone().map(size).sum();
        if DOTS + total <= BLOCK {
            return Ok(Self::Single);
        }
        let order = names.clone().zip(0_u32..).map(|(name, n)| (hash(name, seed), n)).collect();
        let sizes: Vec<usize> = names.map(size).collect();
        Self::indexed(order, &sizes)
    }

    /// Spreads names over leaves by their hashes. An image has fewer names than a 32-bit number counts.
    fn indexed(mut order: Vec<(NameHash, u32)>, sizes: &[usize]) -> Result<Self, Unfit> {
        order.sort_unstable();
        let mut leaves = Vec::new();
        let mut free = 0;
        for (place, (_, n)) in order.iter().enumerate() {
            let size = sizes.get(to_usize(*n)).copied().unwrap_or(BLOCK);
            if size > free {
                leaves.push(place);
                free = BLOCK;
            }
            free -= size;
        }
        let nodes = if leaves.len() <= ROOT_ROOM { 0 } else { leaves.len().div_ceil(NODE_ROOM) };
        if nodes > ROOT_ROOM {
            return Err(Unfit::Folder { names: order.len() });
        }
        Ok(Self::Indexed { order, leaves, nodes })
    }

    /// Blocks of the folder.
    pub(super) fn blocks(&self) -> usize {
        match self {
            Self::Single => 1,
            Self::Indexed { leaves, nodes, .. } => 1 + nodes + leaves.len(),
        }
    }
}

/// Writes a folder's blocks, one after the other: the root of the index, its nodes, the leaves.
pub(super) fn write<E>(
    packed: &Packed,
    entries: &[Entry<'_>],
    own: u32,
    parent: u32,
    mut emit: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut block = vec![0; BLOCK];
    let dots = [Entry { name: b".", inode: own, kind: FOLDER }, Entry { name: b"..", inode: parent, kind: FOLDER }];
    let Packed::Indexed { order, leaves, nodes } = packed else {
        fill(&mut block, dots.iter().chain(entries));
        return emit(&block);
    };
    let first_leaf = 1 + nodes;
    let index: Vec<_> = leaves
        .iter()
        .enumerate()
        .map(|(n, place)| {
            let first = order[*place].0.major;
            // A hash that the leaf before has, too, is marked, so that a search goes on from there.
            let continued = n > 0 && order[place - 1].0.major == first;
            Pointer { hash: first | u32::from(continued), block: first_leaf + n }
        })
        .collect();
    fill(&mut block, dots.iter());
    block[DOTS + 4] = HALF_MD4;
    block[DOTS + 5] = 8;
    if *nodes == 0 {
        list(&mut block, ROOT_LIST, ROOT_ROOM, &index);
        emit(&block)?;
    } else {
        block[DOTS + 6] = 1;
        let below = index.chunks(NODE_ROOM).zip(1..).map(|(leaves, block)| Pointer { hash: leaves[0].hash, block });
        list(&mut block, ROOT_LIST, ROOT_ROOM, &below.collect::<Vec<_>>());
        emit(&block)?;
        for leaves in index.chunks(NODE_ROOM) {
            block.fill(0);
            // To those who know no index, an empty block.
            put16(&mut block, 4, low16(low32(BLOCK as u64)));
            list(&mut block, NODE_LIST, NODE_ROOM, leaves);
            emit(&block)?;
        }
    }
    for (n, start) in leaves.iter().enumerate() {
        let end = leaves.get(n + 1).copied().unwrap_or(order.len());
        block.fill(0);
        fill(&mut block, order[*start..end].iter().map(|(_, n)| &entries[to_usize(*n)]));
        emit(&block)?;
    }
    Ok(())
}

/// Writes a block without names.
pub(super) fn empty_block() -> Vec<u8> {
    let mut block = vec![0; BLOCK];
    put16(&mut block, 4, low16(low32(BLOCK as u64)));
    block
}

/// Writes entries; the last one takes the rest of the block.
fn fill<'e, 't: 'e>(block: &mut [u8], entries: impl Iterator<Item = &'e Entry<'t>>) {
    let mut at = 0;
    let mut last = 0;
    for entry in entries {
        put32(block, at, entry.inode);
        put16(block, at + 4, low16(low32(entry.size() as u64)));
        block[at + 6] = entry.name.len().to_le_bytes()[0];
        block[at + 7] = entry.kind;
        put(block, at + ENTRY, entry.name);
        last = at;
        at += entry.size();
    }
    put16(block, last + 4, low16(low32((BLOCK - last) as u64)));
}

/// Where names from a hash on are.
struct Pointer {
    hash: u32,
    /// Counted in the folder.
    block: usize,
}

/// Writes a list of pointers. The first has no hash: how many there may be and are is in its place.
fn list(block: &mut [u8], at: usize, room: usize, pointers: &[Pointer]) {
    for (n, pointer) in pointers.iter().enumerate() {
        put32(block, at + 8 * n, pointer.hash);
        put32(block, at + 8 * n + 4, low32(pointer.block as u64));
    }
    put16(block, at, low16(low32(room as u64)));
    put16(block, at + 2, low16(low32(pointers.len() as u64)));
}

#[cfg(test)]
mod tests;
