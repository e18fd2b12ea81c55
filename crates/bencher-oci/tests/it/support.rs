//! Layers from a few lines, trees as text, and what a machine may lack.

use std::{fs::File, io::Write as _, os::unix::fs::FileExt as _, path::Path, process::Command, sync::Arc};

use bencher_oci::{
    BlobRef, Limits,
    document::LayerRef,
    merge::{self, InodeId, Kind, LayerInput, MergeError, Tree},
};
use bencher_types::Digest;
use tokio_util::sync::CancellationToken;

pub(crate) mod mounted;
pub(crate) mod registry;

/// A tar archive that is being written, with any bytes as names.
#[derive(Default)]
pub(crate) struct Layer {
    bytes: Vec<u8>,
}

impl Layer {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1000);
        header
    }

    /// A member as it is, name and link in extended records, so that they can be anything.
    pub(crate) fn raw(mut self, mut header: tar::Header, name: &[u8], link: Option<&[u8]>, content: &[u8]) -> Self {
        let mut records = vec![("path", name)];
        records.extend(link.map(|link| ("linkpath", link)));
        self = self.pax(&records);
        header.set_cksum();
        self.block(&header, content)
    }

    pub(crate) fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut text = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut length = rest + 1;
            while length.to_string().len() + rest != length {
                length += 1;
            }
            text.extend([format!("{length} {key}=").as_bytes(), value, b"\n"].concat());
        }
        let mut header = Self::header(tar::EntryType::XHeader, 0, text.len() as u64);
        header.set_cksum();
        self.block(&header, &text)
    }

    fn block(mut self, header: &tar::Header, content: &[u8]) -> Self {
        self.bytes.extend(header.as_bytes());
        self.bytes.extend(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn file(self, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        let header = Self::header(tar::EntryType::Regular, 0o644, content.len() as u64);
        self.raw(header, name.as_ref(), None, content)
    }

    pub(crate) fn dir(self, name: impl AsRef<[u8]>, mode: u32) -> Self {
        self.raw(Self::header(tar::EntryType::Directory, mode, 0), name.as_ref(), None, b"")
    }

    pub(crate) fn symlink(self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        let header = Self::header(tar::EntryType::Symlink, 0o777, 0);
        self.raw(header, name.as_ref(), Some(target.as_ref()), b"")
    }

    pub(crate) fn hard_link(self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        let header = Self::header(tar::EntryType::Link, 0o644, 0);
        self.raw(header, name.as_ref(), Some(target.as_ref()), b"")
    }

    pub(crate) fn device(self, name: &str, major: u32, minor: u32) -> Self {
        let mut header = Self::header(tar::EntryType::Char, 0o666, 0);
        header.set_device_major(major).unwrap();
        header.set_device_minor(minor).unwrap();
        self.raw(header, name.as_bytes(), None, b"")
    }

    /// A file with holes, as the POSIX format 1.0 has it. Pieces are offsets and bytes, in order.
    pub(crate) fn sparse(self, name: &str, size: u64, pieces: &[(u64, &[u8])]) -> Self {
        let mut content = format!("{}\n", pieces.len()).into_bytes();
        content.extend(pieces.iter().flat_map(|(at, bytes)| format!("{at}\n{}\n", bytes.len()).into_bytes()));
        content.resize(content.len().next_multiple_of(512), 0);
        content.extend(pieces.iter().flat_map(|(_, bytes)| *bytes));
        let size = size.to_string();
        let mut header = Self::header(tar::EntryType::Regular, 0o644, content.len() as u64);
        header.set_cksum();
        let records = [
            ("GNU.sparse.major", b"1".as_slice()),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", name.as_bytes()),
            ("GNU.sparse.realsize", size.as_bytes()),
        ];
        self.pax(&records).block(&header, &content)
    }

    pub(crate) fn block_device(self, name: &str, major: u32, minor: u32) -> Self {
        let mut header = Self::header(tar::EntryType::Block, 0o660, 0);
        header.set_device_major(major).unwrap();
        header.set_device_minor(minor).unwrap();
        self.raw(header, name.as_bytes(), None, b"")
    }

    pub(crate) fn fifo(self, name: &str) -> Self {
        self.raw(Self::header(tar::EntryType::Fifo, 0o600, 0), name.as_bytes(), None, b"")
    }

    pub(crate) fn tar(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 1024, 0);
        self.bytes
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

/// A blob as a merge takes it, and the digest of the archive in it.
pub(crate) fn input(blob: &[u8], tar: &[u8]) -> LayerInput {
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(blob, 0).unwrap();
    let digest = Digest::sha256(blob);
    let blob = BlobRef { digest, size: blob.len() as u64, media_type: "application/vnd.oci.image.layer.v1.tar".to_owned() };
    LayerInput { layer: LayerRef { blob, diff_id: Digest::sha256(tar) }, file: Arc::new(file) }
}

pub(crate) fn merge_inputs(inputs: &[LayerInput], limits: &Limits) -> Result<Tree, MergeError> {
    merge::merge(inputs, limits, &std::env::temp_dir(), &CancellationToken::new())
}

pub(crate) fn merge_with(layers: Vec<Layer>, limits: &Limits) -> Result<Tree, MergeError> {
    let inputs: Vec<_> = layers
        .into_iter()
        .map(Layer::tar)
        .enumerate()
        // All three forms take part in every test of several layers.
        .map(|(n, tar)| match n % 3 {
            0 => input(&gzip(&tar), &tar),
            1 => input(&zstd(&tar), &tar),
            _ => input(&tar, &tar),
        })
        .collect();
    merge_inputs(&inputs, limits)
}

pub(crate) fn merge(layers: Vec<Layer>) -> Result<Tree, MergeError> {
    merge_with(layers, &Limits::default())
}

/// The whole message of an error, causes included.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

pub(crate) fn content_of(tree: &Tree, id: InodeId) -> Vec<u8> {
    let Kind::File(content) = &tree.inode(id).kind else { panic!("not a file") };
    let mut bytes = vec![0; usize::try_from(content.size).unwrap()];
    for segment in &content.segments {
        let at = usize::try_from(segment.at).unwrap();
        let len = usize::try_from(segment.len).unwrap();
        content.read_segment(segment, 0, &mut bytes[at..at + len]).unwrap();
    }
    bytes
}

/// One line per name: path, mode, and what it is. Names of one inode of several end in `#` and the same number.
pub(crate) fn render(tree: &Tree) -> Vec<String> {
    fn walk(tree: &Tree, id: InodeId, path: &str, shared: &mut Vec<InodeId>, lines: &mut Vec<String>) {
        let inode = tree.inode(id);
        let what = match &inode.kind {
            Kind::Folder(_) => "dir".to_owned(),
            Kind::File(_) => format!("file {:?}", String::from_utf8_lossy(&content_of(tree, id))),
            Kind::Symlink(target) => format!("-> {}", String::from_utf8_lossy(target)),
            Kind::CharDevice { major, minor } => format!("char {major}:{minor}"),
            Kind::BlockDevice { major, minor } => format!("block {major}:{minor}"),
            Kind::Fifo => "fifo".to_owned(),
        };
        let link = if inode.links > 1 {
            let number = shared.iter().position(|other| *other == id).unwrap_or_else(|| {
                shared.push(id);
                shared.len() - 1
            });
            format!(" #{number}")
        } else {
            String::new()
        };
        lines.push(format!("{path} {:o} {what}{link}", inode.meta.mode));
        if let Kind::Folder(children) = &inode.kind {
            for (name, child) in children {
                let name = String::from_utf8_lossy(name);
                let path = if path == "/" { format!("/{name}") } else { format!("{path}/{name}") };
                walk(tree, *child, &path, shared, lines);
            }
        }
    }
    let mut lines = Vec::new();
    walk(tree, tree.root(), "/", &mut Vec::new(), &mut lines);
    lines
}

/// Whether something a test needs is there. Where everything is required, its absence is a failure.
pub(crate) fn have(what: &str, there: bool) -> bool {
    if !there {
        let required = std::env::var_os("BENCHER_TEST_REQUIRE").is_some_and(|value| value == "1");
        assert!(!required, "this test needs {what}");
        eprintln_skip(what);
    }
    there
}

#[expect(clippy::print_stderr, reason = "a test that does not run says why")]
fn eprintln_skip(what: &str) {
    eprintln!("not run: this test needs {what}");
}

pub(crate) fn have_root() -> bool {
    have("root's rights", rustix::process::geteuid().is_root())
}

/// Whether it can be started: not all of them know `--version`.
pub(crate) fn have_tool(tool: &str) -> bool {
    have(tool, Command::new(tool).arg("--version").output().is_ok())
}

pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

pub(crate) fn read(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut File::open(path).unwrap(), &mut bytes).unwrap();
    bytes
}
