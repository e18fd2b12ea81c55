//! Writes what was laid out: tables, inodes, folders, contents. Every byte has its place already; only reading and writing
//! can fail here.

use std::{fs::File, io};

use tokio_util::sync::CancellationToken;

use super::{
    census::{Census, Node, is_fast},
    entries::{self, Entry},
    extents,
    format::{BLOCK, BLOCK_BYTES, INODE, put, to_usize},
    geometry::Geometry,
    inode,
    layout::{Layout, Place},
    output::{GATHERED, Output},
    tables::Tables,
    xattr,
};
use crate::merge::{Content, Kind, Segment};

/// What went wrong.
#[derive(Debug)]
pub(super) enum WriteError {
    /// The disk's file cannot be written.
    Disk(io::Error),
    /// The content of the inode with this number cannot be read or written.
    Content(u32, io::Error),
    Canceled,
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

pub(super) struct Writer<'w, 't> {
    pub(super) census: &'w Census<'t>,
    pub(super) layout: &'w Layout,
    pub(super) cancel: &'w CancellationToken,
}

impl<'t> Writer<'_, 't> {
    /// Writes everything; returns how many bytes that were.
    pub(super) fn write(&self, file: &File, tables: &Tables<'_>) -> Result<u64, WriteError> {
        let mut output = Output::new(file);
        self.tables(&mut output, tables)?;
        self.inodes(&mut output)?;
        for (node, place) in self.census.nodes.iter().zip(&self.layout.places) {
            self.look_up()?;
            self.metadata(&mut output, node, place)?;
        }
        for (node, place) in self.census.nodes.iter().zip(&self.layout.places) {
            if let Kind::File(content) = &node.inode.kind {
                self.look_up()?;
                self.content(&mut output, node, place, content)?;
            }
        }
        output.flush()?;
        Ok(output.written)
    }

    fn look_up(&self) -> Result<(), WriteError> {
        if self.cancel.is_cancelled() { Err(WriteError::Canceled) } else { Ok(()) }
    }

    fn tables(&self, output: &mut Output<'_>, tables: &Tables<'_>) -> Result<(), WriteError> {
        let geometry = &self.layout.geometry;
        for group in 0..geometry.groups {
            self.look_up()?;
            if Geometry::has_superblock(group) {
                output.blocks(geometry.start(group), &tables.head(group))?;
            }
            if let Some(bitmap) = tables.block_bitmap(group) {
                output.blocks(geometry.block_bitmap(group), &bitmap)?;
            }
            if let Some(bitmap) = tables.inode_bitmap(group) {
                output.blocks(geometry.inode_bitmap(group), &bitmap)?;
            }
        }
        Ok(())
    }

    fn inodes(&self, output: &mut Output<'_>) -> Result<(), WriteError> {
        let geometry = &self.layout.geometry;
        for (node, place) in self.census.nodes.iter().zip(&self.layout.places) {
            let index = u64::from(node.number - 1);
            let table = geometry.inode_table(index / geometry.inodes_per_group) * BLOCK_BYTES;
            let at = table + index % geometry.inodes_per_group * INODE as u64;
            output.put(at, &inode::encode(node, place, self.layout))?;
        }
        self.look_up()
    }

    /// Everything of an inode that is not a file's content.
    fn metadata(&self, output: &mut Output<'_>, node: &Node<'t>, place: &Place) -> Result<(), WriteError> {
        if place.xattr_block != 0
            && let Some(block) = xattr::encode(node.inode).ok().and_then(|encoded| encoded.block)
        {
            output.blocks(place.xattr_block.into(), &block)?;
        }
        match &node.inode.kind {
            Kind::Folder(_) => self.folder(output, node, place),
            Kind::Symlink(target) if !is_fast(target) => {
                let mut block = vec![0; BLOCK];
                put(&mut block, 0, target);
                let mut blocks = Blocks::new(self.layout, place);
                Ok(output.blocks(blocks.next(), &block)?)
            }
            _ => Ok(()),
        }
    }

    fn folder(&self, output: &mut Output<'_>, node: &Node<'t>, place: &Place) -> Result<(), WriteError> {
        let mut blocks = Blocks::new(self.layout, place);
        // It was packed the same way when it was counted.
        let packed = self.census.pack(node).unwrap_or(entries::Packed::Single);
        let entries: Vec<Entry<'_>> = self.census.entries(node).collect();
        entries::write(&packed, &entries, node.number, node.parent, |block| output.blocks(blocks.next(), block))?;
        for _ in packed.blocks()..to_usize(node.folder_blocks) {
            output.blocks(blocks.next(), &entries::empty_block())?;
        }
        self.extent_tree(output, place)
    }

    fn extent_tree(&self, output: &mut Output<'_>, place: &Place) -> Result<(), WriteError> {
        let at = self.layout.tree(place);
        if !at.is_empty() {
            let (_, blocks) = extents::build(self.layout.extents(place), at);
            for (at, block) in at.iter().zip(blocks) {
                output.blocks((*at).into(), &block)?;
            }
        }
        Ok(())
    }

    fn content(&self, output: &mut Output<'_>, node: &Node<'t>, place: &Place, content: &Content) -> Result<(), WriteError> {
        let mut extents = self.layout.extents(place).iter();
        let Some(mut extent) = extents.next() else { return Ok(()) };
        for segment in &content.segments {
            let mut done = 0;
            while done < segment.len {
                let at = segment.at + done;
                let mut room = end(extent).saturating_sub(at);
                while room == 0 {
                    // The layout has an extent for every block of every segment.
                    let Some(next) = extents.next() else { return Ok(()) };
                    extent = next;
                    room = end(extent).saturating_sub(at);
                }
                let disk = u64::from(extent.physical) * BLOCK_BYTES + at - u64::from(extent.logical) * BLOCK_BYTES;
                let len = room.min(segment.len - done);
                self.piece(output, content, segment, done, disk, len).map_err(|error| match error {
                    WriteError::Disk(error) => WriteError::Content(node.number, error),
                    other => other,
                })?;
                done += len;
            }
        }
        self.extent_tree(output, place)
    }

    /// Copies a piece that is in one stretch in the source and on the disk.
    fn piece(
        &self,
        output: &mut Output<'_>,
        content: &Content,
        segment: &Segment,
        offset: u64,
        disk: u64,
        len: u64,
    ) -> Result<(), WriteError> {
        let mut done = 0;
        while done < len {
            let step = (len - done).min(GATHERED as u64);
            output.content(disk + done, content, segment, offset + done, to_usize(step))?;
            done += step;
            if done < len {
                self.look_up()?;
            }
        }
        Ok(())
    }
}

/// Where an extent ends in its file, in bytes.
fn end(extent: &extents::Extent) -> u64 {
    (u64::from(extent.logical) + u64::from(extent.blocks)) * BLOCK_BYTES
}

/// An inode's blocks on the disk, one after the other.
struct Blocks<'l> {
    extents: &'l [extents::Extent],
    at: u32,
}

impl<'l> Blocks<'l> {
    fn new(layout: &'l Layout, place: &Place) -> Self {
        Self { extents: layout.extents(place), at: 0 }
    }

    /// The next block. There are as many as were counted.
    fn next(&mut self) -> u64 {
        while let [extent, rest @ ..] = self.extents
            && self.at == extent.blocks
        {
            (self.extents, self.at) = (rest, 0);
        }
        let block = self.extents.first().map_or(0, |extent| u64::from(extent.physical) + u64::from(self.at));
        self.at += 1;
        block
    }
}
