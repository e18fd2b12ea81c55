//! One inode in its stored form.

use super::{
    census::{Node, is_fast},
    extents::{self, NODE},
    format::{BLOCK_BYTES, EXTRA, INODE, high16, high32, inode_flags, low16, low32, put, put16, put32},
    layout::{Layout, Place},
    xattr,
};
use crate::merge::{Kind, Mtime};

/// Where an inode's pointers to its content are.
const CONTENT: usize = 40;
/// Units in which an inode counts what it takes, in bytes.
const SECTOR: u64 = 512;
/// The first and the last second that can be told: 32 bits with a sign, and two more of whole rounds.
const SECONDS: (i64, i64) = (i32::MIN as i64, i32::MAX as i64 + 3 * (1 << 32));

pub(super) fn encode(node: &Node<'_>, place: &Place, layout: &Layout) -> [u8; INODE] {
    let mut target = [0; INODE];
    let meta = &node.inode.meta;
    let (kind, size) = kind_and_size(node);
    put16(&mut target, 0, kind | low16(meta.mode & 0o7777));
    put16(&mut target, 2, low16(meta.uid));
    put32(&mut target, 4, low32(size));
    put16(&mut target, 24, low16(meta.gid));
    put16(&mut target, 26, low16(node.links));
    let sectors = place.blocks(layout) * (BLOCK_BYTES / SECTOR);
    put32(&mut target, 28, low32(sectors));
    let (content, flags) = content(node, place, layout);
    put32(&mut target, 32, flags);
    put(&mut target, CONTENT, &content);
    put32(&mut target, 104, place.xattr_block);
    put32(&mut target, 108, high32(size));
    put16(&mut target, 116, low16(high32(sectors)));
    put16(&mut target, 120, high16(meta.uid));
    put16(&mut target, 122, high16(meta.gid));
    put16(&mut target, 128, low16(low32(EXTRA as u64)));
    let (seconds, extra) = time(meta.mtime);
    // Access, change and modification, then their upper halves, then creation with its own.
    for at in [8, 12, 16, 144] {
        put32(&mut target, at, seconds);
    }
    for at in [132, 136, 140, 148] {
        put32(&mut target, at, extra);
    }
    // Encoded once before, when it was found to fit.
    if let Some(inline) = xattr::encode(node.inode).ok().and_then(|encoded| encoded.inline) {
        put(&mut target, 128 + EXTRA, &inline);
    }
    target
}

fn kind_and_size(node: &Node<'_>) -> (u16, u64) {
    match &node.inode.kind {
        Kind::Folder(_) => (0x4000, u64::from(node.folder_blocks) * BLOCK_BYTES),
        Kind::File(content) => (0x8000, content.size),
        Kind::Symlink(target) => (0xa000, target.len() as u64),
        Kind::CharDevice { .. } => (0x2000, 0),
        Kind::BlockDevice { .. } => (0x6000, 0),
        Kind::Fifo => (0x1000, 0),
    }
}

fn content(node: &Node<'_>, place: &Place, layout: &Layout) -> ([u8; NODE], u32) {
    let mut target = [0; NODE];
    match &node.inode.kind {
        Kind::Symlink(link) if is_fast(link) => put(&mut target, 0, link),
        Kind::CharDevice { major, minor } | Kind::BlockDevice { major, minor } => {
            // Small numbers as they always were; the others in the second word.
            if *major < 256 && *minor < 256 {
                put32(&mut target, 0, major << 8 | minor);
            } else {
                put32(&mut target, 4, minor & 0xff | major << 8 | (minor & !0xff) << 12);
            }
        }
        Kind::Fifo => {}
        Kind::Folder(_) | Kind::File(_) | Kind::Symlink(_) => {
            let (root, _) = extents::build(layout.extents(place), layout.tree(place));
            let index = if node.is_indexed() { inode_flags::INDEX } else { 0 };
            return (root, inode_flags::EXTENTS | index);
        }
    }
    (target, 0)
}

/// The lower 32 bits of the seconds, and above two further bits of them the nanoseconds. What cannot be told is brought to
/// the nearest second that can, as the kernel does.
fn time(time: Mtime) -> (u32, u32) {
    let seconds = time.seconds.clamp(SECONDS.0, SECONDS.1);
    let nanoseconds = if seconds == time.seconds { time.nanoseconds } else { 0 };
    let low = low32(seconds.cast_unsigned());
    let rounds = (seconds - i64::from(low.cast_signed())) >> 32;
    (low, nanoseconds << 2 | low32(rounds.cast_unsigned()) & 3)
}
