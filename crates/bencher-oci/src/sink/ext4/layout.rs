//! Where everything goes. One cursor moves over the disk, around what the geometry keeps for itself: first over folders,
//! long links and blocks of attributes, then over the contents of files in the order of their inodes.

use std::ops::Range;

use super::{
    census::{Census, Node, is_fast},
    extents::{Extent, tree_blocks},
    format::{BLOCK_BYTES, MAX_EXTENT, low32, to_usize},
    geometry::Geometry,
};
use crate::merge::{Content, Kind};

/// Where one inode's blocks are.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// The block of attributes; zero if there is none.
    pub(super) xattr_block: u32,
    extents: Range<u32>,
    tree: Range<u32>,
}

pub(super) struct Layout {
    pub(super) geometry: Geometry,
    /// One for each node of the census.
    pub(super) places: Vec<Place>,
    extents: Vec<Extent>,
    tree: Vec<u32>,
    /// Behind the last block of contents. Everything before it is used.
    pub(super) used: u64,
}

impl Layout {
    /// Lays a census out. The result may end beyond the disk; then it is only good for telling by how much.
    pub(super) fn new(geometry: Geometry, census: &Census<'_>) -> Self {
        let mut cursor = Cursor::new(&geometry);
        let mut places = vec![Place::default(); census.nodes.len()];
        let (mut extents, mut tree) = (Vec::new(), Vec::new());
        for (node, place) in census.nodes.iter().zip(&mut places) {
            if node.has_xattr_block {
                place.xattr_block = low32(cursor.one());
            }
            let blocks = u64::from(node.folder_blocks) + u64::from(is_slow_link(node));
            if blocks > 0 {
                place.fill(&mut cursor, [(0, blocks)], &mut extents, &mut tree);
            }
        }
        for (node, place) in census.nodes.iter().zip(&mut places) {
            if let Kind::File(content) = &node.inode.kind {
                place.fill(&mut cursor, stretches(content), &mut extents, &mut tree);
            }
        }
        let used = cursor.at;
        Self { geometry, places, extents, tree, used }
    }

    /// How many blocks are missing at the disk's end.
    pub(super) fn short(&self) -> u64 {
        self.used.saturating_sub(self.geometry.blocks)
    }

    pub(super) fn extents(&self, place: &Place) -> &[Extent] {
        &self.extents[to_usize(place.extents.start)..to_usize(place.extents.end)]
    }

    /// The blocks of an inode's tree of extents, as many as there are beside the inode.
    pub(super) fn tree(&self, place: &Place) -> &[u32] {
        &self.tree[to_usize(place.tree.start)..to_usize(place.tree.end)]
    }
}

impl Place {
    fn fill(
        &mut self,
        cursor: &mut Cursor,
        stretches: impl IntoIterator<Item = (u64, u64)>,
        extents: &mut Vec<Extent>,
        tree: &mut Vec<u32>,
    ) {
        let first = extents.len();
        for (logical, blocks) in stretches {
            let mut done = 0;
            while done < blocks {
                let piece = cursor.take((blocks - done).min(MAX_EXTENT));
                let length = piece.end - piece.start;
                extents.push(Extent { logical: low32(logical + done), physical: low32(piece.start), blocks: low32(length) });
                done += length;
            }
        }
        self.extents = index(first)..index(extents.len());
        let first = tree.len();
        tree.extend((0..tree_blocks(extents.len() - to_usize(self.extents.start))).map(|_| low32(cursor.one())));
        self.tree = index(first)..index(tree.len());
    }

    /// Blocks that count as the inode's.
    pub(super) fn blocks(&self, layout: &Layout) -> u64 {
        let contents: u64 = layout.extents(self).iter().map(|extent| u64::from(extent.blocks)).sum();
        contents + layout.tree(self).len() as u64 + u64::from(self.xattr_block != 0)
    }
}

/// A place in a list of extents. There are fewer of them than a disk has blocks.
fn index(length: usize) -> u32 {
    low32(length as u64)
}

fn is_slow_link(node: &Node<'_>) -> bool {
    matches!(&node.inode.kind, Kind::Symlink(target) if !is_fast(target))
}

/// The blocks of a file that are not holes: the first of each stretch, and how many.
pub(super) fn stretches(content: &Content) -> Vec<(u64, u64)> {
    let mut stretches: Vec<(u64, u64)> = Vec::new();
    for segment in content.segments.iter().filter(|segment| segment.len > 0) {
        let (start, end) = (segment.at / BLOCK_BYTES, (segment.at + segment.len).div_ceil(BLOCK_BYTES));
        match stretches.last_mut() {
            // Pieces may share a block.
            Some((first, blocks)) if *first + *blocks >= start => *blocks = (*blocks).max(end - *first),
            _ => stretches.push((start, end - start)),
        }
    }
    stretches
}

/// The next free block.
struct Cursor {
    at: u64,
    /// What is kept free of contents and lies ahead, last first.
    fixed: Vec<Range<u64>>,
}

impl Cursor {
    fn new(geometry: &Geometry) -> Self {
        let fixed = (0..geometry.groups).rev().map(|group| geometry.fixed(group)).filter(|fixed| !fixed.is_empty()).collect();
        let mut cursor = Self { at: 0, fixed };
        cursor.skip();
        cursor
    }

    fn skip(&mut self) {
        while let Some(fixed) = self.fixed.pop_if(|fixed| fixed.start == self.at) {
            self.at = fixed.end;
        }
    }

    /// The next blocks that follow each other, as many as possible up to `most`.
    fn take(&mut self, most: u64) -> Range<u64> {
        let start = self.at;
        let end = self.fixed.last().map_or(u64::MAX, |fixed| fixed.start);
        self.at = end.min(start + most);
        let taken = start..self.at;
        self.skip();
        taken
    }

    fn one(&mut self) -> u64 {
        self.take(1).start
    }
}
