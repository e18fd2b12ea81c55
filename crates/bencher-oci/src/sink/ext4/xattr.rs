//! Extended attributes as they are stored: in what an inode leaves free, then in one block of the inode's own.
//!
//! Names are stored without their well-known first part, access control lists in a form of their own. Attributes that ext4
//! has no place for, or that the kernel would never show, are left out and counted, as when writing to a folder.

use std::cmp::Ordering;

use super::{
    Unfit,
    format::{BLOCK, EXTRA, INODE, low16, low32, put, put16, put32},
};
use crate::merge::{Inode, Kind, printable};

const MAGIC: u32 = 0xea02_0000;
/// Bytes of an entry before its name.
const ENTRY: usize = 16;
/// Bytes of a block before its entries.
const HEADER: usize = 32;
/// Bytes an inode leaves for entries and values, and the zeros behind the entries.
pub(super) const IN_INODE: usize = INODE - 128 - EXTRA;
const MAGIC_BYTES: usize = 4;
/// Zeros that end a list of entries.
const END: usize = 4;
/// Bytes of a name, its first part included, that the kernel reads.
const MAX_NAME: usize = 255;

/// All attributes of one inode.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    /// For the inode's end, if there are any.
    pub(super) inline: Option<[u8; IN_INODE]>,
    pub(super) block: Option<Vec<u8>>,
    /// Attributes that were left out.
    pub(super) skipped: u64,
}

struct Attribute {
    index: u8,
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Attribute {
    fn size(&self) -> usize {
        self.entry_size() + self.value_size()
    }

    fn entry_size(&self) -> usize {
        (ENTRY + self.name.len()).next_multiple_of(4)
    }

    fn value_size(&self) -> usize {
        self.value.len().next_multiple_of(4)
    }

    /// The order in which a block has them.
    fn order(&self, other: &Self) -> Ordering {
        let key = |attribute: &Self| (attribute.index, attribute.name.len());
        key(self).cmp(&key(other)).then_with(|| self.name.cmp(&other.name))
    }

    /// Over name and value; only attributes in blocks carry it.
    fn hash(&self) -> u32 {
        let hash = self.name.iter().fold(0_u32, |hash, byte| hash.rotate_left(5) ^ u32::from(*byte));
        self.value.chunks(4).fold(hash, |hash, bytes| {
            let mut word = [0; 4];
            put(&mut word, 0, bytes);
            hash.rotate_left(16) ^ u32::from_le_bytes(word)
        })
    }
}

/// Encodes the attributes of one inode.
pub(super) fn encode(inode: &Inode) -> Result<Encoded, Unfit> {
    let mut encoded = Encoded::default();
    if inode.meta.xattrs.is_empty() {
        return Ok(encoded);
    }
    let mut attributes = Vec::new();
    for (name, value) in &inode.meta.xattrs {
        match attribute(&inode.kind, name, value)? {
            Some(attribute) => attributes.push(attribute),
            None => encoded.skipped += 1,
        }
    }
    attributes.sort_by(Attribute::order);
    let mut room = IN_INODE - MAGIC_BYTES - END;
    let (inline, outside): (Vec<_>, Vec<_>) = attributes.into_iter().partition(|attribute| {
        let fits = attribute.size() <= room;
        if fits {
            room -= attribute.size();
        }
        fits
    });
    let needed: usize = outside.iter().map(Attribute::size).sum();
    let room = BLOCK - HEADER - END;
    if needed > room {
        let largest = outside.iter().max_by_key(|attribute| attribute.size());
        let name = largest.map(|attribute| printable(&attribute.name)).unwrap_or_default();
        return Err(Unfit::Xattrs { bytes: needed, room, largest: name });
    }
    if !inline.is_empty() {
        let mut target = [0; IN_INODE];
        put32(&mut target, 0, MAGIC);
        // Within an inode, values are found from the first entry on.
        fill(&mut target[MAGIC_BYTES..], 0, &inline, |_| 0);
        encoded.inline = Some(target);
    }
    if !outside.is_empty() {
        let mut target = vec![0; BLOCK];
        put32(&mut target, 0, MAGIC);
        put32(&mut target, 4, 1);
        put32(&mut target, 8, 1);
        let hash = outside.iter().fold(0_u32, |hash, attribute| hash.rotate_left(16) ^ attribute.hash());
        put32(&mut target, 12, hash);
        fill(&mut target, HEADER, &outside, Attribute::hash);
        encoded.block = Some(target);
    }
    Ok(encoded)
}

/// Writes entries from `at` on, and their values from the end backwards.
fn fill(target: &mut [u8], mut at: usize, attributes: &[Attribute], hash: impl Fn(&Attribute) -> u32) {
    let mut end = target.len();
    for attribute in attributes {
        end -= attribute.value_size();
        let offset = if attribute.value.is_empty() { 0 } else { end };
        target[at] = attribute.name.len().to_le_bytes()[0];
        target[at + 1] = attribute.index;
        put16(target, at + 2, low16(low32(offset as u64)));
        put32(target, at + 8, low32(attribute.value.len() as u64));
        put32(target, at + 12, hash(attribute));
        put(target, at + ENTRY, &attribute.name);
        put(target, end, &attribute.value);
        at += attribute.entry_size();
    }
}

/// What is stored of an attribute; `None` if ext4 has no place for it or the kernel would never show it.
fn attribute(kind: &Kind, name: &[u8], value: &[u8]) -> Result<Option<Attribute>, Unfit> {
    if name.len() > MAX_NAME {
        return Err(Unfit::XattrName { bytes: name.len(), most: MAX_NAME });
    }
    let stored = |index, rest: &[u8], value: &[u8]| Some(Attribute { index, name: rest.to_vec(), value: value.to_vec() });
    let is_folder = matches!(kind, Kind::Folder(_));
    Ok(match name {
        b"system.posix_acl_access" if !matches!(kind, Kind::Symlink(_)) => stored(2, b"", &acl(value)?),
        b"system.posix_acl_default" if is_folder => stored(3, b"", &acl(value)?),
        _ => match split(name) {
            Some((1, rest)) if is_folder || matches!(kind, Kind::File(_)) => stored(1, rest, value),
            Some((index, rest)) if index != 1 => stored(index, rest, value),
            _ => None,
        },
    })
}

fn split(name: &[u8]) -> Option<(u8, &[u8])> {
    [(1, b"user.".as_slice()), (4, b"trusted."), (6, b"security.")]
        .into_iter()
        .find_map(|(index, first)| Some((index, name.strip_prefix(first).filter(|rest| !rest.is_empty())?)))
}

/// An access control list, from the form programs see to the stored one, in which only named users and groups have an id.
fn acl(value: &[u8]) -> Result<Vec<u8>, Unfit> {
    const SEEN: [u8; 4] = 2_u32.to_le_bytes();
    const STORED: [u8; 4] = 1_u32.to_le_bytes();
    /// Named users and named groups.
    const WITH_ID: [u16; 2] = [0x02, 0x08];
    const WITHOUT_ID: [u16; 4] = [0x01, 0x04, 0x10, 0x20];

    let entries = value.strip_prefix(&SEEN).ok_or(Unfit::Acl)?;
    let mut stored = STORED.to_vec();
    let (entries, rest) = entries.as_chunks::<8>();
    for entry in entries {
        let tag = u16::from_le_bytes([entry[0], entry[1]]);
        stored.extend_from_slice(if WITH_ID.contains(&tag) {
            entry
        } else if WITHOUT_ID.contains(&tag) {
            &entry[..4]
        } else {
            return Err(Unfit::Acl);
        });
    }
    if rest.is_empty() { Ok(stored) } else { Err(Unfit::Acl) }
}
