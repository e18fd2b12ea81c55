//! Target `layers`: any bytes as one layer, and as several plain ones whose header checksums were made right, since no fuzzer
//! guesses those. What becomes a tree must keep every promise of one, and must not depend on how its layers are compressed.

use std::{
    collections::BTreeMap,
    io::{Read, Write as _},
    os::unix::fs::FileExt as _,
    sync::Arc,
};

use bencher_oci::{
    BlobRef, Limits,
    document::LayerRef,
    merge::{self, Content, InodeId, Kind, LayerInput, MergeError, Tree},
    sink::{
        TreeSink as _,
        ext4::{DiskSize, Ext4Error, Ext4Options, Ext4Sink},
    },
};
use bencher_types::Digest;
use tokio_util::sync::CancellationToken;

const BLOCK: usize = 512;
/// How many layers are cut out of one input.
const MAX_LAYERS: usize = 4;

/// Small, so that small inputs reach every bound. Only the ratio of compression, which would make a difference between plain
/// and compressed layers, is out of reach.
fn limits() -> Limits {
    Limits {
        image_bytes: 1024 * 1024,
        entries: 1000,
        metadata_bytes: 64 * 1024,
        path_bytes: 1024,
        depth: 16,
        extension_bytes: 16 * 1024,
        ..Limits::default()
    }
}

pub(crate) fn run(bytes: &[u8]) {
    if let Ok(tree) = merge(vec![input(bytes, &unpacked(bytes))]) {
        check(&tree);
        write_disk(&tree);
    }
    let layers = archives(bytes);
    if layers.iter().any(|layer| compression(layer) != Compression::None) {
        return;
    }
    let plain = merge(layers.iter().map(|layer| input(layer, layer)).collect());
    let packed = merge(layers.iter().enumerate().map(|(n, layer)| input(&packed(layer, n), layer)).collect());
    match (&plain, &packed) {
        (Ok(plain), Ok(packed)) => assert_eq!(check(plain), check(packed), "the compression makes a difference"),
        (Err(_), Err(_)) => {}
        (Ok(_), Err(error)) | (Err(error), Ok(_)) => panic!("refused only plain or only compressed: {error:?}"),
    }
}

fn merge(inputs: Vec<LayerInput>) -> Result<Tree, MergeError> {
    merge::merge(&inputs, &limits(), &std::env::temp_dir(), &CancellationToken::new())
}

/// A blob as a merge takes it, and the archive in it.
fn input(blob: &[u8], archive: &[u8]) -> LayerInput {
    let file = tempfile::tempfile().unwrap_or_else(|error| panic!("a temporary file: {error}"));
    file.write_all_at(blob, 0).unwrap_or_else(|error| panic!("a temporary file: {error}"));
    let media_type = "application/vnd.oci.image.layer.v1.tar".to_owned();
    let blob = BlobRef { digest: Digest::sha256(blob), size: blob.len() as u64, media_type };
    LayerInput { layer: LayerRef { blob, diff_id: Digest::sha256(archive) }, file: Arc::new(file) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

fn compression(bytes: &[u8]) -> Compression {
    match bytes {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
        _ => Compression::None,
    }
}

/// What a blob unpacks to, so that its promised digest is right; up to somewhat more than is accepted.
fn unpacked(blob: &[u8]) -> Vec<u8> {
    let mut archive = Vec::new();
    let bound = 2 * limits().image_bytes;
    // What is not valid to its end is refused anyway.
    let _ = match compression(blob) {
        Compression::None => return blob.to_vec(),
        Compression::Gzip => flate2::read::MultiGzDecoder::new(blob).take(bound).read_to_end(&mut archive),
        Compression::Zstd => zstd::Decoder::new(blob).and_then(|decoder| decoder.take(bound).read_to_end(&mut archive)),
    };
    archive
}

/// A layer compressed, by gzip or by zstd.
fn packed(layer: &[u8], n: usize) -> Vec<u8> {
    let packed = if n.is_multiple_of(2) {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(layer).and_then(|()| encoder.finish())
    } else {
        zstd::encode_all(layer, 1)
    };
    packed.unwrap_or_else(|error| panic!("in memory: {error}"))
}

/// The bytes as archives with right checksums: cut where one ends, each ended as it should be.
fn archives(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = bytes.to_vec();
    rest.resize(bytes.len().next_multiple_of(BLOCK), 0);
    let mut archives = vec![Vec::new()];
    let mut at = 0;
    while at < rest.len() {
        let header = &mut rest[at..at + BLOCK];
        if header.iter().all(|byte| *byte == 0) {
            if archives.last().is_some_and(|archive| !archive.is_empty()) {
                archives.push(Vec::new());
            }
            at += BLOCK;
            continue;
        }
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let end = (at + BLOCK + following(&rest[at..])).min(rest.len());
        if let Some(archive) = archives.last_mut() {
            archive.extend_from_slice(&rest[at..end]);
        }
        at = end;
    }
    archives.retain(|archive| !archive.is_empty());
    archives.truncate(MAX_LAYERS);
    for archive in &mut archives {
        archive.resize(archive.len() + 2 * BLOCK, 0);
    }
    archives
}

/// Bytes that follow a header, in whole blocks.
fn following(blocks: &[u8]) -> usize {
    let header = &blocks[..BLOCK];
    if matches!(header[156], b'1'..=b'6') {
        return 0;
    }
    let octal: String = header[124..136].iter().map(|byte| char::from(*byte)).filter(char::is_ascii_digit).collect();
    let content = usize::from_str_radix(&octal, 8).unwrap_or(0).min(blocks.len()).next_multiple_of(BLOCK);
    let mut map = 0;
    let mut more = header[156] == b'S' && header[482] == 1;
    while more {
        map += BLOCK;
        more = blocks.get(map + 504) == Some(&1);
    }
    map + content
}

/// Writes a tree to a disk. What became a tree becomes one, too, or is refused for what one of its entries is.
fn write_disk(tree: &Tree) {
    let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("a temporary folder: {error}"));
    let sink = Ext4Sink::new(&dir.path().join("disk"), Ext4Options::of_size(DiskSize::Fitted));
    match sink.write(tree, &CancellationToken::new()) {
        Ok(written) => assert!(written.inodes >= tree.summary().inodes() && written.bytes_stored <= written.bytes, "{written:?}"),
        Err(Ext4Error::Entry { .. }) => {}
        Err(error) => panic!("{error:?}"),
    }
}

/// Holds a tree against what its types promise, and writes it down.
fn check(tree: &Tree) -> Vec<String> {
    let mut walk = Walk { tree, lines: Vec::new(), names: BTreeMap::new() };
    walk.visit(tree.root(), "", 0);
    let summary = tree.summary();
    assert_eq!(summary.names, walk.names.values().map(|names| u64::from(*names)).sum::<u64>());
    assert_eq!(summary.inodes(), walk.names.len() as u64);
    assert!(summary.inodes() <= limits().entries + 1 && summary.apparent_bytes <= limits().image_bytes, "{summary:?}");
    for (id, names) in &walk.names {
        assert_eq!(tree.inode(*id).links, *names);
    }
    walk.lines.push(format!("{summary:?}"));
    walk.lines
}

struct Walk<'a> {
    tree: &'a Tree,
    lines: Vec<String>,
    /// How many names each inode has.
    names: BTreeMap<InodeId, u32>,
}

impl Walk<'_> {
    fn visit(&mut self, id: InodeId, path: &str, depth: usize) {
        let inode = self.tree.inode(id);
        *self.names.entry(id).or_default() += 1;
        assert!(inode.meta.mode <= 0o7777 && inode.meta.mtime.nanoseconds < 1_000_000_000, "{:?}", inode.meta);
        assert!(inode.meta.uid != u32::MAX && inode.meta.gid != u32::MAX, "{:?}", inode.meta);
        let what = match &inode.kind {
            Kind::Folder(_) => "folder".to_owned(),
            Kind::File(content) => check_content(content),
            other => format!("{other:?}"),
        };
        self.lines.push(format!("{path:?} {:?} {} {what}", inode.meta, inode.links));
        let Kind::Folder(children) = &inode.kind else { return };
        assert!(depth <= limits().depth, "{path:?} is too deep");
        for (name, child) in children {
            assert!(!name.is_empty() && name.len() <= limits().name_bytes && !matches!(&**name, b"." | b".."), "{name:?}");
            assert!(!name.contains(&b'/') && !name.contains(&0), "{name:?}");
            self.visit(*child, &format!("{path}/{}", name.escape_ascii()), depth + 1);
        }
    }
}

/// Reads a file's pieces: in order, within the file, all there, and with the checksum they were noted with.
fn check_content(content: &Content) -> String {
    let mut bytes = vec![0; usize::try_from(content.size).unwrap_or_else(|_| panic!("{} bytes", content.size))];
    let mut end = 0;
    for segment in &content.segments {
        assert!(segment.at >= end && segment.len > 0, "{:?}", content.segments);
        end = segment.at + segment.len;
        let range = usize::try_from(segment.at).unwrap_or(usize::MAX)..usize::try_from(end).unwrap_or(usize::MAX);
        let piece = bytes.get_mut(range).unwrap_or_else(|| panic!("a piece behind the end: {segment:?}"));
        content.read_segment(segment, 0, piece).unwrap_or_else(|error| panic!("{segment:?}: {error}"));
    }
    let mut crc = flate2::Crc::new();
    crc.update(&bytes);
    assert_eq!(crc.sum(), content.crc);
    format!("file of {} bytes, checksum {}", content.size, content.crc)
}
