//! Where the parts of a disk are that do not depend on what is stored: copies of the superblock, bitmaps, inode tables.
//!
//! Groups are gathered by up to sixteen; the first of them holds the bitmaps and inode tables of all, one behind the other,
//! so that contents get long stretches without interruption.

use std::ops::Range;

use super::format::{BLOCK_BYTES, BLOCKS_PER_GROUP, DESCRIPTOR, INODES_PER_BLOCK, MAX_INODES_PER_GROUP};

/// Groups gathered at most, as a power of two.
const MAX_LOG_FLEX: u32 = 4;

/// The disk has too few blocks for its own tables; with this many more it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Short {
    pub(super) by: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    /// Blocks of the file system. Less than the disk has where its end is too short to be a group.
    pub(super) blocks: u64,
    pub(super) groups: u64,
    pub(super) inodes_per_group: u64,
    /// Binary logarithm of the number of groups that are gathered.
    pub(super) log_flex: u32,
    /// Blocks of all group descriptions.
    pub(super) descriptors: u64,
}

impl Geometry {
    /// For a disk of so many blocks with at least so many inodes.
    pub(super) fn new(mut blocks: u64, inodes: u64) -> Result<Self, Short> {
        loop {
            let groups = blocks.div_ceil(BLOCKS_PER_GROUP).max(1);
            // Whole blocks of inodes.
            let inodes_per_group = inodes.div_ceil(groups).next_multiple_of(INODES_PER_BLOCK);
            if inodes_per_group > MAX_INODES_PER_GROUP {
                let enough = (inodes.div_ceil(MAX_INODES_PER_GROUP) - 1) * BLOCKS_PER_GROUP + 1;
                return Err(Short { by: enough.saturating_sub(blocks).max(1) });
            }
            let descriptors = (groups * DESCRIPTOR as u64).div_ceil(BLOCK_BYTES);
            let mut geometry = Self { blocks, groups, inodes_per_group, log_flex: MAX_LOG_FLEX, descriptors };
            while geometry.log_flex > 0 && geometry.tables_of(1 << geometry.log_flex) + 1 + descriptors > BLOCKS_PER_GROUP {
                geometry.log_flex -= 1;
            }
            let last = groups - 1;
            let length = blocks - geometry.start(last);
            let needed = geometry.fixed(last).end - geometry.start(last);
            // One block at least must be left, or the group is of no use.
            if length > needed {
                return Ok(geometry);
            }
            if last == 0 {
                return Err(Short { by: needed + 1 - length });
            }
            blocks = geometry.start(last);
        }
    }

    pub(super) fn inodes(&self) -> u64 {
        self.groups * self.inodes_per_group
    }

    pub(super) fn start(&self, group: u64) -> u64 {
        group * BLOCKS_PER_GROUP
    }

    pub(super) fn end(&self, group: u64) -> u64 {
        (self.start(group) + BLOCKS_PER_GROUP).min(self.blocks)
    }

    /// Whether a group begins with a copy of the superblock and of the group descriptions: the first two, and powers of
    /// three, five and seven.
    pub(super) fn has_superblock(group: u64) -> bool {
        let power_of = |base: u64| {
            let mut power = base;
            while power < group {
                power *= base;
            }
            power == group
        };
        group <= 1 || [3, 5, 7].into_iter().any(power_of)
    }

    /// Whether a group holds the bitmaps and tables of those that follow it.
    pub(super) fn leads(&self, group: u64) -> bool {
        group.is_multiple_of(1 << self.log_flex)
    }

    /// The blocks at a group's start that are not for contents.
    pub(super) fn fixed(&self, group: u64) -> Range<u64> {
        let start = self.start(group);
        let members = if self.leads(group) { self.members(group) } else { 0 };
        start..self.after_superblock(group) + self.tables_of(members)
    }

    fn after_superblock(&self, group: u64) -> u64 {
        self.start(group) + if Self::has_superblock(group) { 1 + self.descriptors } else { 0 }
    }

    /// How many groups a leader stands for.
    fn members(&self, leader: u64) -> u64 {
        (self.groups - leader).min(1 << self.log_flex)
    }

    pub(super) fn table_blocks(&self) -> u64 {
        self.inodes_per_group / INODES_PER_BLOCK
    }

    /// Blocks of both bitmaps and the inode table of so many groups.
    fn tables_of(&self, groups: u64) -> u64 {
        groups * (2 + self.table_blocks())
    }

    /// The group's leader, and the group's place behind it.
    fn leader(&self, group: u64) -> (u64, u64) {
        let leader = group >> self.log_flex << self.log_flex;
        (leader, group - leader)
    }

    pub(super) fn block_bitmap(&self, group: u64) -> u64 {
        let (leader, place) = self.leader(group);
        self.after_superblock(leader) + place
    }

    pub(super) fn inode_bitmap(&self, group: u64) -> u64 {
        let (leader, place) = self.leader(group);
        self.after_superblock(leader) + self.members(leader) + place
    }

    pub(super) fn inode_table(&self, group: u64) -> u64 {
        let (leader, place) = self.leader(group);
        self.after_superblock(leader) + 2 * self.members(leader) + place * self.table_blocks()
    }

    /// All blocks that are not for contents.
    pub(super) fn overhead(&self) -> u64 {
        (0..self.groups).map(|group| self.fixed(group)).map(|fixed| fixed.end - fixed.start).sum()
    }

    /// The same disk, cut behind the last block that is needed. `used` is the end of the contents.
    pub(super) fn fitted(&self, used: u64) -> Self {
        let last = self.groups - 1;
        let least = self.fixed(last).end.max(self.start(last) + 1);
        Self { blocks: used.max(least), ..self.clone() }
    }
}
