//! How large the disk becomes. Where a disk's parts are depends on how many groups it has, and where contents go depends on
//! those parts, so a size is tried by laying everything out; what was short is added.

use tokio_util::sync::CancellationToken;

use super::{
    DiskSize, Ext4Error,
    census::Census,
    format::{BLOCK_BYTES, BLOCKS_PER_GROUP, MAX_BLOCKS, MAX_INODES_PER_GROUP},
    geometry::Geometry,
    layout::Layout,
    tables::LABEL,
};

/// Bytes of a disk for each inode it has, used or not.
const BYTES_PER_INODE: u64 = 16 * 1024;
/// Inodes that are free at least, on disks to be written to.
const FREE_INODES: u64 = 1024;

/// What makes two disks of one tree different.
pub(super) fn salt(size: DiskSize, label: &[u8; LABEL]) -> Vec<u8> {
    let size = match size {
        DiskSize::Fitted => 0,
        DiskSize::Bytes(bytes) => bytes,
    };
    [&size.to_le_bytes()[..], label].concat()
}

/// The size of the file.
pub(super) fn bytes(size: DiskSize, layout: &Layout) -> u64 {
    match size {
        DiskSize::Fitted => layout.geometry.blocks * BLOCK_BYTES,
        DiskSize::Bytes(bytes) => bytes,
    }
}

pub(super) fn lay_out(census: &Census<'_>, size: DiskSize, cancel: &CancellationToken) -> Result<Layout, Ext4Error> {
    match size {
        DiskSize::Fitted => {
            let inodes = |_| u64::from(census.last());
            let mut layout = grow(census, BLOCKS_PER_GROUP, inodes, cancel)?;
            layout.geometry = layout.geometry.fitted(layout.used);
            Ok(layout)
        }
        DiskSize::Bytes(given) => {
            let blocks = given / BLOCK_BYTES;
            if blocks > MAX_BLOCKS {
                return Err(Ext4Error::DiskTooLarge { given, most: MAX_BLOCKS * BLOCK_BYTES });
            }
            let inodes = |blocks| inodes_of(blocks, u64::from(census.last()));
            if let Ok(geometry) = Geometry::new(blocks, inodes(blocks)) {
                let layout = Layout::new(geometry, census);
                if layout.short() == 0 {
                    return Ok(layout);
                }
            }
            let enough = grow(census, blocks, inodes, cancel)?;
            Err(Ext4Error::DiskTooSmall { needed: enough.geometry.blocks * BLOCK_BYTES, given })
        }
    }
}

/// As many inodes as a disk of this size has by its ratio, but some more than are used, as long as there may be as many.
fn inodes_of(blocks: u64, used: u64) -> u64 {
    let wanted = (blocks * BLOCK_BYTES / BYTES_PER_INODE).max(used + used / 4 + FREE_INODES);
    let most = blocks.div_ceil(BLOCKS_PER_GROUP) * MAX_INODES_PER_GROUP;
    wanted.min(most).max(used)
}

/// Tries larger and larger disks until the tree fits.
fn grow(
    census: &Census<'_>,
    mut blocks: u64,
    inodes: impl Fn(u64) -> u64,
    cancel: &CancellationToken,
) -> Result<Layout, Ext4Error> {
    loop {
        if cancel.is_cancelled() {
            return Err(Ext4Error::Canceled);
        }
        if blocks > MAX_BLOCKS {
            return Err(Ext4Error::DiskTooLarge { given: blocks * BLOCK_BYTES, most: MAX_BLOCKS * BLOCK_BYTES });
        }
        let short = match Geometry::new(blocks, inodes(blocks)) {
            Ok(geometry) => {
                // An end too short to be a group is no room.
                let unused = blocks - geometry.blocks;
                let layout = Layout::new(geometry, census);
                match layout.short() {
                    0 => return Ok(layout),
                    short => short + unused,
                }
            }
            Err(short) => short.by,
        };
        blocks += short;
    }
}
