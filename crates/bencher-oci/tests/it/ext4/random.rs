//! Random trees, compared through the kernel.

use bencher_oci::sink::ext4::DiskSize;
use proptest::prelude::*;

use super::disk::{Disk, can_mount, tree};
use crate::support::Layer;

#[derive(Clone, Debug)]
enum Entry {
    File(Vec<u8>),
    Sparse(Vec<(u16, u8)>),
    Folder,
    Crowd(u16, u8),
    Symlink(Vec<u8>),
    HardLink,
    Device(u32, u32),
    Fifo,
}

#[derive(Clone, Debug)]
struct Member {
    folder: u8,
    name: Vec<u8>,
    mode: u32,
    owner: u32,
    seconds: i64,
    nanoseconds: u32,
    xattr: Option<(String, Vec<u8>)>,
    entry: Entry,
}

fn entry() -> impl Strategy<Value = Entry> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..20_000).prop_map(Entry::File),
        2 => prop::collection::vec((1..60_u16, 1..40_u8), 0..400).prop_map(Entry::Sparse),
        3 => Just(Entry::Folder),
        1 => (1..700_u16, 1..200_u8).prop_map(|(count, length)| Entry::Crowd(count, length)),
        2 => prop::collection::vec(1..=255_u8, 1..200).prop_map(Entry::Symlink),
        2 => Just(Entry::HardLink),
        1 => (0..4096_u32, 0..0x10_0000_u32).prop_map(|(major, minor)| Entry::Device(major, minor)),
        1 => Just(Entry::Fifo),
    ]
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_filter("not in a name", |byte| !matches!(byte, 0 | b'/'));
    // Not `.`, `..` or a whiteout's.
    prop::collection::vec(byte, 1..120).prop_filter("reserved", |name| name[0] != b'.')
}

fn member() -> impl Strategy<Value = Member> {
    let xattr = prop::option::of(("(user|trusted|security)\\.[a-z]{1,40}", prop::collection::vec(any::<u8>(), 0..1000)));
    // But for the years that the tool takes for others.
    let seconds = prop_oneof![-2_147_483_648..10_737_418_240_i64, 12_884_901_888..15_032_385_535_i64];
    ((0..6_u8, name(), 0..0o10000_u32, 0..u32::MAX - 1), (seconds, 0..1_000_000_000_u32), xattr, entry()).prop_map(
        |((folder, name, mode, owner), (seconds, nanoseconds), xattr, entry)| Member {
            folder,
            name,
            mode,
            owner,
            seconds,
            nanoseconds,
            xattr,
            entry,
        },
    )
}

/// Adds a member below one of a few folders, the deeper ones in one another.
fn add(layer: Layer, member: &Member, number: usize) -> Layer {
    let mut path = b"d/".repeat(member.folder.into());
    path.extend(format!("{number}-").bytes());
    path.extend(&member.name);
    // Before 1970, the fraction counts back.
    let (seconds, fraction, sign) = match member.seconds {
        seconds if seconds < 0 && member.nanoseconds > 0 => (-(seconds + 1), 1_000_000_000 - member.nanoseconds, "-"),
        seconds => (seconds.abs(), member.nanoseconds, if seconds < 0 { "-" } else { "" }),
    };
    let (mtime, owner) = (format!("{sign}{seconds}.{fraction:09}"), member.owner.to_string());
    let xattr = member.xattr.as_ref().map(|(name, value)| (format!("SCHILY.xattr.{name}"), value));
    let mut records = vec![("mtime", mtime.as_bytes()), ("uid", owner.as_bytes()), ("gid", owner.as_bytes())];
    records.extend(xattr.as_ref().map(|(name, value)| (name.as_str(), value.as_slice())));
    let name = String::from_utf8_lossy(&path).replace('\u{fffd}', "_");
    let layer = if matches!(member.entry, Entry::HardLink | Entry::Crowd(..)) { layer } else { layer.pax(&records) };
    match &member.entry {
        Entry::File(content) => layer.file(path, content),
        Entry::Sparse(pieces) => {
            let mut at = 0;
            let content: Vec<_> = pieces.iter().map(|(_, length)| vec![*length; usize::from(*length) * 100]).collect();
            let placed: Vec<(u64, &[u8])> = pieces
                .iter()
                .zip(&content)
                .map(|((gap, _), bytes)| {
                    let start = at + u64::from(*gap) * 300;
                    at = start + bytes.len() as u64;
                    (start, bytes.as_slice())
                })
                .collect();
            layer.sparse(&name, at + 5000, &placed)
        }
        Entry::Folder => layer.dir(path, member.mode),
        Entry::Crowd(count, length) => (0..*count).fold(layer, |layer, n| {
            let name = [&path[..], format!("/{n}").as_bytes(), &vec![b'x'; usize::from(*length)]].concat();
            layer.file(name, "")
        }),
        Entry::Symlink(target) => layer.symlink(path, target),
        Entry::HardLink => layer.hard_link(path, "target"),
        Entry::Device(major, minor) => layer.device(&name, *major, *minor),
        Entry::Fifo => layer.fifo(&name),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn random_trees_arrive(members in prop::collection::vec(member(), 0..40), size in prop::option::of(64..5000_u64)) {
        if can_mount() {
            let layer = members.iter().enumerate().fold(Layer::new().file("target", "t"), |layer, (n, member)| add(layer, member, n));
            let tree = tree(vec![layer]);
            let disk = Disk::new(&tree, size.map_or(DiskSize::Fitted, |mebibytes| DiskSize::Bytes(mebibytes << 20)));
            disk.check();
            disk.compare(&tree);
        }
    }
}
