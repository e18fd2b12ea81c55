//! The superblock, the descriptions of groups, and the bitmaps. Every number in them is counted from the layout.

use super::{
    census::Census,
    format::{
        BLOCK, BLOCK_BYTES, BLOCKS_PER_GROUP, COMPAT, DESCRIPTOR, EXTRA, FIRST_INODE, INCOMPAT, INODE, RO_COMPAT, crc16,
        group_flags, low16, low32, put, put16, put32, to_usize,
    },
    layout::Layout,
};
use crate::merge::Kind;

/// Where the superblock is in the first block; copies are at the start of theirs.
const SUPERBLOCK_AT: usize = 1024;
const SUPERBLOCK: usize = 1024;
/// Bytes of a file system's name.
pub(super) const LABEL: usize = 16;

/// What the tables say of one group.
struct Group {
    free_blocks: u64,
    used_inodes: u64,
    folders: u64,
    flags: u16,
}

pub(super) struct Tables<'l> {
    layout: &'l Layout,
    groups: Vec<Group>,
    pub(super) uuid: [u8; 16],
    hash_seed: [u32; 4],
    label: [u8; LABEL],
}

impl<'l> Tables<'l> {
    pub(super) fn new(layout: &'l Layout, census: &Census<'_>, label: [u8; LABEL]) -> Self {
        let geometry = &layout.geometry;
        let last_inode = u64::from(census.last());
        let mut groups: Vec<_> = (0..geometry.groups)
            .map(|group| {
                let first = group * geometry.inodes_per_group;
                let used_inodes = last_inode.saturating_sub(first).min(geometry.inodes_per_group);
                Group {
                    free_blocks: free_blocks(layout, group),
                    used_inodes,
                    folders: 0,
                    flags: flags(layout, group, used_inodes),
                }
            })
            .collect();
        for node in census.nodes.iter().filter(|node| matches!(node.inode.kind, Kind::Folder(_))) {
            let group = u64::from(node.number - 1) / geometry.inodes_per_group;
            if let Some(group) = groups.get_mut(to_usize(group)) {
                group.folders += 1;
            }
        }
        let mut uuid = [0; 16];
        put(&mut uuid, 0, &census.identity[..16]);
        // A UUID of a form of our own, which is version 8.
        uuid[6] = uuid[6] & 0x0f | 0x80;
        uuid[8] = uuid[8] & 0x3f | 0x80;
        Self { layout, groups, uuid, hash_seed: census.hash_seed, label }
    }

    pub(super) fn free_blocks(&self) -> u64 {
        self.groups.iter().map(|group| group.free_blocks).sum()
    }

    /// The superblock and all descriptions, as they are at the start of a group.
    pub(super) fn head(&self, group: u64) -> Vec<u8> {
        let superblock = self.superblock(group);
        let mut head = vec![0; BLOCK];
        put(&mut head, if group == 0 { SUPERBLOCK_AT } else { 0 }, &superblock);
        for number in 0..self.layout.geometry.groups {
            head.extend(self.description(number));
        }
        head.resize(head.len().next_multiple_of(BLOCK), 0);
        head
    }

    fn superblock(&self, group: u64) -> [u8; SUPERBLOCK] {
        let geometry = &self.layout.geometry;
        let used_inodes: u64 = self.groups.iter().map(|group| group.used_inodes).sum();
        let mut target = [0; SUPERBLOCK];
        put32(&mut target, 0, low32(geometry.inodes()));
        put32(&mut target, 4, low32(geometry.blocks));
        put32(&mut target, 12, low32(self.free_blocks()));
        put32(&mut target, 16, low32(geometry.inodes() - used_inodes));
        // Block and cluster size: 1024 shifted by two.
        put32(&mut target, 24, 2);
        put32(&mut target, 28, 2);
        put32(&mut target, 32, low32(BLOCKS_PER_GROUP));
        put32(&mut target, 36, low32(BLOCKS_PER_GROUP));
        put32(&mut target, 40, low32(geometry.inodes_per_group));
        // To be checked after no number of mounts; magic; clean; errors are passed over.
        put16(&mut target, 54, u16::MAX);
        put16(&mut target, 56, 0xef53);
        put16(&mut target, 58, 1);
        put16(&mut target, 60, 1);
        // The revision with sizes and features of choice.
        put32(&mut target, 76, 1);
        put32(&mut target, 84, FIRST_INODE);
        put16(&mut target, 88, low16(low32(INODE as u64)));
        put16(&mut target, 90, low16(low32(group)));
        put32(&mut target, 92, COMPAT);
        put32(&mut target, 96, INCOMPAT);
        put32(&mut target, 100, RO_COMPAT);
        put(&mut target, 104, &self.uuid);
        put(&mut target, 120, &self.label);
        for (n, word) in self.hash_seed.iter().enumerate() {
            put32(&mut target, 236 + 4 * n, *word);
        }
        // Half MD4; user attributes and access control lists without being asked for.
        target[252] = 1;
        put32(&mut target, 256, 0x4 | 0x8);
        put16(&mut target, 348, low16(low32(EXTRA as u64)));
        put16(&mut target, 350, low16(low32(EXTRA as u64)));
        // Names are hashed as unsigned bytes.
        put32(&mut target, 352, 2);
        target[372] = geometry.log_flex.to_le_bytes()[0];
        put32(&mut target, 584, low32(geometry.overhead()));
        target
    }

    fn description(&self, number: u64) -> [u8; DESCRIPTOR] {
        let geometry = &self.layout.geometry;
        let mut target = [0; DESCRIPTOR];
        let Some(group) = self.groups.get(to_usize(number)) else { return target };
        let free_inodes = geometry.inodes_per_group - group.used_inodes;
        put32(&mut target, 0, low32(geometry.block_bitmap(number)));
        put32(&mut target, 4, low32(geometry.inode_bitmap(number)));
        put32(&mut target, 8, low32(geometry.inode_table(number)));
        put16(&mut target, 12, low16(low32(group.free_blocks)));
        put16(&mut target, 14, low16(low32(free_inodes)));
        put16(&mut target, 16, low16(low32(group.folders)));
        put16(&mut target, 18, group.flags);
        // Inodes are used from the first on, so the unused ones are at the end of the table.
        put16(&mut target, 28, low16(low32(free_inodes)));
        let crc = crc16(u16::MAX, &self.uuid);
        let crc = crc16(crc, &low32(number).to_le_bytes());
        let crc = crc16(crc, &target[..30]);
        put16(&mut target, 30, crc);
        target
    }

    /// Which blocks of a group are used; `None` if that need not be on disk.
    pub(super) fn block_bitmap(&self, number: u64) -> Option<Vec<u8>> {
        let group = self.groups.get(to_usize(number))?;
        if group.flags & group_flags::BLOCK_UNINIT != 0 {
            return None;
        }
        let geometry = &self.layout.geometry;
        let (start, end) = (geometry.start(number), geometry.end(number));
        let fixed = geometry.fixed(number).end - start;
        let contents = self.layout.used.clamp(start, end) - start;
        let mut bitmap = vec![0; BLOCK];
        set(&mut bitmap, 0, fixed.max(contents));
        // Blocks behind the disk's end count as used.
        set(&mut bitmap, end - start, BLOCKS_PER_GROUP);
        Some(bitmap)
    }

    /// Which inodes of a group are used; `None` if that need not be on disk.
    pub(super) fn inode_bitmap(&self, number: u64) -> Option<Vec<u8>> {
        let group = self.groups.get(to_usize(number))?;
        if group.flags & group_flags::INODE_UNINIT != 0 {
            return None;
        }
        let mut bitmap = vec![0; BLOCK];
        set(&mut bitmap, 0, group.used_inodes);
        set(&mut bitmap, self.layout.geometry.inodes_per_group, 8 * BLOCK_BYTES);
        Some(bitmap)
    }
}

/// Blocks of a group that hold nothing. Contents begin behind what is fixed, so the larger end counts.
fn free_blocks(layout: &Layout, group: u64) -> u64 {
    let geometry = &layout.geometry;
    let (start, end) = (geometry.start(group), geometry.end(group));
    end - geometry.fixed(group).end.max(layout.used.clamp(start, end))
}

fn flags(layout: &Layout, group: u64, used_inodes: u64) -> u16 {
    let geometry = &layout.geometry;
    let mut flags = group_flags::INODE_ZEROED;
    if used_inodes == 0 {
        flags |= group_flags::INODE_UNINIT;
    }
    // The bitmap of the last group has an end of its own, that of a leader tells of other groups' tables.
    if !geometry.leads(group) && group + 1 < geometry.groups && layout.used <= geometry.start(group) {
        flags |= group_flags::BLOCK_UNINIT;
    }
    flags
}

fn set(bitmap: &mut [u8], from: u64, to: u64) {
    let (mut from, to) = (to_usize(from), to_usize(to));
    while from < to {
        if from.is_multiple_of(8) && to - from >= 8 {
            bitmap[from / 8] = 0xff;
            from += 8;
        } else {
            bitmap[from / 8] |= 1 << (from % 8);
            from += 1;
        }
    }
}
