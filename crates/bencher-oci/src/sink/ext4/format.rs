//! Numbers of the published format (the kernel's Documentation/filesystems/ext4), and how they are put into bytes. All are
//! little-endian. Knows no tree and no file.

/// Bytes of a block. The only size written here: it is the page size of the machines that mount it.
pub(super) const BLOCK: usize = 4096;
/// The same, for sums over whole disks.
pub(super) const BLOCK_BYTES: u64 = 4096;
/// Blocks of a group: as many as one block of bitmap has bits.
pub(super) const BLOCKS_PER_GROUP: u64 = 8 * BLOCK_BYTES;
/// Inodes of a group at most, for the same reason.
pub(super) const MAX_INODES_PER_GROUP: u64 = 8 * BLOCK_BYTES;
/// Bytes of an inode: the old 128, the fields added since, and room for small attributes.
pub(super) const INODE: usize = 256;
pub(super) const INODES_PER_BLOCK: u64 = (BLOCK / INODE) as u64;
/// Bytes of an inode's fields beyond the old 128.
pub(super) const EXTRA: usize = 32;
/// Bytes of a group's description without the 64-bit feature.
pub(super) const DESCRIPTOR: usize = 32;
/// Blocks of a disk at most without the 64-bit feature: 16 TiB less one block.
pub(super) const MAX_BLOCKS: u64 = u32::MAX as u64;
/// Blocks of one extent at most; larger lengths mean something else.
pub(super) const MAX_EXTENT: u64 = 32768;
/// Blocks a file may span, holes included.
pub(super) const MAX_FILE_BLOCKS: u64 = u32::MAX as u64;
/// Names a file may have.
pub(super) const MAX_LINKS: u32 = 65000;
/// Bytes of a symbolic link that is kept in its inode.
pub(super) const FAST_SYMLINK: usize = 59;

pub(super) const ROOT_INODE: u32 = 2;
/// The first inode that is not reserved.
pub(super) const FIRST_INODE: u32 = 11;

/// Extended attributes, indexed folders.
pub(super) const COMPAT: u32 = 0x8 | 0x20;
/// Types in folders, extents, bitmaps and tables of several groups side by side.
pub(super) const INCOMPAT: u32 = 0x2 | 0x40 | 0x200;
/// Few copies of the superblock, large files, huge files, checksums of group descriptions, uncounted links of folders, large
/// inodes.
pub(super) const RO_COMPAT: u32 = 0x1 | 0x2 | 0x8 | 0x10 | 0x20 | 0x40;

pub(super) mod group_flags {
    /// No inode of the group is in use, and its inode bitmap is not on disk.
    pub(in super::super) const INODE_UNINIT: u16 = 1;
    /// No block of the group is in use but its copy of the superblock, and its block bitmap is not on disk.
    pub(in super::super) const BLOCK_UNINIT: u16 = 2;
    /// The inode table is zero where it is unused, so that no mount has to make it so.
    pub(in super::super) const INODE_ZEROED: u16 = 4;
}

pub(super) mod inode_flags {
    /// The folder has an index.
    pub(in super::super) const INDEX: u32 = 0x1000;
    /// The content is found by extents.
    pub(in super::super) const EXTENTS: u32 = 0x8_0000;
}

pub(super) fn put(target: &mut [u8], at: usize, bytes: &[u8]) {
    target[at..at + bytes.len()].copy_from_slice(bytes);
}

pub(super) fn put16(target: &mut [u8], at: usize, value: u16) {
    put(target, at, &value.to_le_bytes());
}

pub(super) fn put32(target: &mut [u8], at: usize, value: u32) {
    put(target, at, &value.to_le_bytes());
}

/// The lower 32 bits. Where the upper ones have a place of their own, [`high32`] is put there.
pub(super) fn low32(value: u64) -> u32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

pub(super) fn high32(value: u64) -> u32 {
    low32(value >> 32)
}

/// The lower 16 bits.
pub(super) fn low16(value: u32) -> u16 {
    let [a, b, ..] = value.to_le_bytes();
    u16::from_le_bytes([a, b])
}

pub(super) fn high16(value: u32) -> u16 {
    low16(value >> 16)
}

/// A number of blocks in memory as an index or a length.
pub(super) fn to_usize(value: impl TryInto<usize>) -> usize {
    value.try_into().unwrap_or(usize::MAX)
}

/// The running CRC-16 (polynomial 0x8005, reflected) of group descriptions.
pub(super) fn crc16(crc: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(crc, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xA001 } else { crc >> 1 })
    })
}
