//! Layers whose compression is broken, odd, or not what it seems. Their blobs are what their digests say.

use std::io::Write as _;

use super::{
    Case, Verdict,
    draft::{Draft, Packed},
};
use crate::support::{Layer, gzip, zstd};

fn tar() -> Vec<u8> {
    Layer::new().file("a", "1").tar()
}

fn blob(bytes: Vec<u8>) -> Draft {
    Draft::packed(vec![Packed::new(bytes, &tar())])
}

fn changed(mut bytes: Vec<u8>, change: impl FnOnce(&mut Vec<u8>)) -> Draft {
    change(&mut bytes);
    blob(bytes)
}

fn fine(name: &'static str, bytes: Vec<u8>) -> Case {
    Case::new(name, || blob(bytes), Verdict::Tree(vec!["/ 755 dir", "/a 644 file \"1\""]))
}

/// A frame that carries a checksum of its content.
fn checked_zstd() -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(&tar()).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn cases() -> Vec<Case> {
    [of_gzip(), of_zstd(), of_neither()].into_iter().flatten().collect()
}

fn of_gzip() -> Vec<Case> {
    let unreadable = "is damaged: it ";
    let packed = || gzip(&tar());
    let last = packed().len();
    vec![
        Case::draft("gzip, the header only", changed(packed(), |b| b.truncate(10)), unreadable),
        Case::draft("gzip, half the header", changed(packed(), |b| b.truncate(5)), unreadable),
        Case::draft("gzip, cut in the middle", changed(packed(), |b| b.truncate(last / 2)), unreadable),
        Case::draft("gzip, cut before its sums", changed(packed(), |b| b.truncate(last - 8)), unreadable),
        Case::draft("gzip, a wrong checksum", changed(packed(), |b| b[last - 8] ^= 1), unreadable),
        Case::draft("gzip, a wrong length", changed(packed(), |b| b[last - 4] ^= 1), unreadable),
        Case::draft("gzip, an unknown method", changed(packed(), |b| b[2] = 9), unreadable),
        Case::draft("gzip, a broken block", changed(packed(), |b| b[10] = 0xff), unreadable),
        Case::draft("gzip, nonsense behind", changed(packed(), |b| b.extend(*b"nonsense that is no member")), unreadable),
        Case::draft("gzip, a second member that is broken", changed(packed(), |b| b.extend([0x1f, 0x8b, 8, 0])), unreadable),
        Case::draft("gzip in gzip", blob(gzip(&packed())), "it is not a valid tar archive"),
        fine("gzip, an empty member first", [gzip(b""), packed()].concat()),
        fine("gzip, a member in pieces", {
            let tar = tar();
            tar.chunks(300).flat_map(gzip).collect()
        }),
    ]
}

fn of_zstd() -> Vec<Case> {
    let unreadable = "is damaged: it ";
    let packed = || zstd(&tar());
    let last = checked_zstd().len();
    vec![
        Case::draft("zstd, the magic only", changed(packed(), |b| b.truncate(4)), unreadable),
        Case::draft("zstd, cut in the middle", changed(packed(), |b| b.truncate(b.len() / 2)), unreadable),
        Case::draft("zstd, a wrong checksum", changed(checked_zstd(), |b| b[last - 1] ^= 1), unreadable),
        Case::draft("zstd, nonsense behind", changed(packed(), |b| b.extend(*b"nonsense that is no frame")), unreadable),
        // A window of 2 GiB, and an empty last block.
        Case::draft("zstd, a window beyond the bound", blob(vec![0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3, 1, 0, 0]), unreadable),
        // A dictionary that nobody has.
        Case::draft("zstd, a dictionary", blob(vec![0x28, 0xb5, 0x2f, 0xfd, 0x21, 7, 5, 1, 0, 0]), unreadable),
        Case::draft("zstd, a reserved kind of block", blob(vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0, 7, 0, 0]), unreadable),
        Case::draft("zstd in gzip", blob(gzip(&packed())), "it is not a valid tar archive"),
        fine("zstd, a frame to skip first", [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &packed()].concat()),
        fine("zstd, a frame in pieces", {
            let tar = tar();
            tar.chunks(300).flat_map(zstd).collect()
        }),
    ]
}

fn of_neither() -> Vec<Case> {
    let no_archive = "the checksum of a header is wrong";
    let middle = "it ends in the middle of a member";
    vec![
        Case::draft("bzip2", blob([b"BZh91AY&SY".as_slice(), &[7; 600]].concat()), no_archive),
        Case::draft("xz", blob([b"\xfd7zXZ\0".as_slice(), &[7; 600]].concat()), no_archive),
        Case::draft("a program", blob([b"\x7fELF".as_slice(), &[7; 600]].concat()), no_archive),
        Case::draft("a page of HTML", blob(b"<!doctype html><title>502 Bad Gateway</title>".to_vec()), middle),
        Case::draft(
            "noise",
            blob((0..2000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0] | 1).collect()),
            no_archive,
        ),
        Case::new("no bytes at all", || Draft::packed(vec![Packed::new(Vec::new(), b"")]), Verdict::Tree(vec!["/ 755 dir"])),
        Case::new(
            "nothing, compressed",
            || Draft::packed(vec![Packed::new(gzip(b""), b""), Packed::new(zstd(b""), b"")]),
            Verdict::Tree(vec!["/ 755 dir"]),
        ),
    ]
}
