//! Little that becomes much.

use bencher_oci::Limits;

use super::{
    Case, Verdict,
    draft::{Draft, Packed},
};
use crate::support::{Layer, gzip, zstd};

const MIB: usize = 1 << 20;

/// Bounds that are passed quickly.
fn tight() -> Limits {
    Limits {
        image_bytes: 4 * MIB as u64,
        entries: 1000,
        metadata_bytes: 64 * 1024,
        ratio: 100,
        ratio_floor_bytes: MIB as u64,
        ..Limits::default()
    }
}

fn zeros(pack: fn(&[u8]) -> Vec<u8>, bytes: usize) -> Draft {
    let tar = Layer::new().file("a", vec![0; bytes]).tar();
    Draft::packed(vec![Packed::new(pack(&tar), &tar)])
}

fn plain(tar: &[u8]) -> Vec<u8> {
    tar.to_vec()
}

fn hole(size: &'static str) -> Draft {
    let records: [(&str, &[u8]); 2] = [("GNU.sparse.map", b""), ("GNU.sparse.size", size.as_bytes())];
    Draft::layers(vec![Layer::new().pax(&records).file("a", "")])
}

pub(super) fn cases() -> Vec<Case> {
    let (ratio, bytes) = ("one compressed byte becomes more than 100 bytes", "the image unpacks to more than 4194304 bytes");
    vec![
        Case::draft("zeros by gzip beyond the ratio", zeros(gzip, 3 * MIB), ratio).within(tight()),
        Case::draft("zeros by zstd beyond the ratio", zeros(zstd, 3 * MIB), ratio).within(tight()),
        Case::draft("zeros by nothing beyond the size", zeros(plain, 5 * MIB), "but at most 4194304 are accepted")
            .within(tight()),
        Case::new("zeros within all bounds", || zeros(gzip, 32 * MIB), Verdict::Names(2)),
        Case::draft("noise beyond the size", incompressible(5), "but at most 4194304 are accepted").within(tight()),
        Case::draft(
            "layers that are beyond the size together only",
            Draft::layers((0..5).map(|_| Layer::new().file("a", vec![0; MIB])).collect()),
            bytes,
        )
        .within(Limits { ratio: 2000, ratio_floor_bytes: 64 * MIB as u64, layers: 5, ..tight() }),
        Case::draft("zeros behind the archive's end", behind(3 * MIB), ratio).within(tight()),
        Case::draft("archives behind the archive's end", behind(5 * MIB), "").within(tight()),
        Case::draft("a hole of a petabyte", hole("1125899906842624"), "the image unpacks to more than"),
        Case::draft("a hole beyond the size", hole("5000000"), bytes).within(tight()),
        Case::new("a hole within the size", || hole("4000000"), Verdict::Names(2)).within(tight()),
        Case::draft("a name of two megabytes", long_name(), "its extended header is longer than 1048576 bytes"),
        Case::draft(
            "an attribute of two megabytes",
            Draft::layers(vec![Layer::new().pax(&[("SCHILY.xattr.user.a", &vec![b'x'; 2 * MIB])]).file("a", "")]),
            "its extended header is longer than 1048576 bytes",
        ),
        Case::draft(
            "attributes beyond what is held in memory",
            Draft::layers(vec![
                (0..20).fold(Layer::new(), |layer, n| {
                    layer.pax(&[("SCHILY.xattr.user.a", &[b'x'; 4000])]).file(format!("f{n}"), "")
                }),
            ]),
            "the names and attributes of the image take more than 65536 bytes",
        )
        .within(tight()),
        Case::draft(
            "more members than are accepted",
            Draft::layers(vec![(0..1001).fold(Layer::new(), |layer, n| layer.file(format!("{n}"), ""))]),
            "the image has more than 1000 entries",
        )
        .within(tight()),
        Case::draft(
            "folders that nobody described",
            Draft::layers(vec![(0..20).fold(Layer::new(), |layer, n| layer.file(format!("{n}/{}", ["d"; 60].join("/")), ""))]),
            "the image has more than 1000 entries",
        )
        .within(tight()),
        Case::draft("comments without an end", comments(), "its extended header is longer than"),
    ]
}

/// Layers of a megabyte that stay as large however they are compressed.
fn incompressible(layers: usize) -> Draft {
    Draft::layers((0..layers).map(|_| Layer::new().file("a", noise(MIB))).collect())
}

/// Bytes that cannot be compressed.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(bytes).collect()
}

fn behind(bytes: usize) -> Draft {
    let mut tar = Layer::new().file("a", "1").tar();
    tar.resize(tar.len() + bytes, 0);
    Draft::packed(vec![Packed::new(gzip(&tar), &tar)])
}

fn long_name() -> Draft {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_size(2 * MIB as u64);
    header.set_cksum();
    let mut tar = header.as_bytes().to_vec();
    tar.resize(tar.len() + 2 * MIB, b'n');
    tar.extend(Layer::new().file("a", "1").tar());
    Draft::packed(vec![Packed::new(gzip(&tar), &tar)])
}

/// Headers for all members, one behind the other, and never a member.
fn comments() -> Draft {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::XGlobalHeader);
    header.set_size(100_000);
    header.set_cksum();
    let mut one = header.as_bytes().to_vec();
    one.extend(b"100000 comment=");
    one.resize(512 + 99_999, b'x');
    one.push(b'\n');
    one.resize(one.len().next_multiple_of(512), 0);
    let tar = one.repeat(12);
    Draft::packed(vec![Packed::new(gzip(&tar), &tar)])
}
