//! One layer, read once: what it removes, what it adds, and where its contents are. Knows nothing of other layers.

use std::{
    fs::File,
    io::{self, BufWriter, Read, Write as _},
    path::Path,
    sync::Arc,
};

use flate2::Crc;
use tar::EntryType;
use tokio_util::sync::CancellationToken;

use super::{
    LayerInput, Problem, Refused,
    archive::{Archive, ArchiveError, Member},
    budget::{Budget, Exceeded},
    decode::{Stream, compression_of, digest_of},
    tree::{Content, Meta, Segment},
};
use crate::{compress::Compression, limits::CHUNK};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Names of the file system that invented whiteouts, for its own use.
const RESERVED: &[u8] = b".wh..wh.";

/// What a layer says.
pub(super) struct Scan {
    /// Paths that vanish from the layers below.
    pub(super) whiteouts: Vec<Box<[u8]>>,
    /// Folders whose content in the layers below vanishes.
    pub(super) opaques: Vec<Box<[u8]>>,
    /// In the archive's order.
    pub(super) additions: Vec<Addition>,
}

pub(super) struct Addition {
    /// As the archive has it.
    pub(super) path: Box<[u8]>,
    pub(super) what: What,
}

pub(super) enum What {
    Folder(Meta),
    File(Meta, Content),
    Symlink(Meta, Box<[u8]>),
    /// Another name of what has this path.
    HardLink(Box<[u8]>),
    CharDevice(Meta, u32, u32),
    BlockDevice(Meta, u32, u32),
    Fifo(Meta),
}

/// Reads a layer to its end and checks both of its digests.
pub(super) fn scan(
    input: &LayerInput,
    budget: &Budget<'_>,
    spool_dir: &Path,
    cancel: &CancellationToken,
) -> Result<Scan, Refused> {
    let compression = compression_of(&input.file).map_err(|error| Refused::Layer(Problem::Read(error)))?;
    let scanned = std::thread::scope(|scope| {
        let stream = Stream::start(scope, input, compression, cancel);
        let store = match compression {
            // The contents lie in the blob as they are; it stays open as long as the tree.
            Compression::None => Store::InPlace(Arc::clone(&input.file)),
            _ => Store::spool(spool_dir).map_err(|error| Refused::Layer(Problem::Spool(error)))?,
        };
        Scanner::new(stream, store, budget, cancel).run(input)
    });
    if cancel.is_cancelled() {
        return Err(Refused::Canceled);
    }
    scanned.map_err(|refused| {
        let makes_no_sense = match &refused {
            Refused::Layer(problem) | Refused::Entry(_, problem) => {
                matches!(problem, Problem::Read(_) | Problem::Archive(_))
            }
            Refused::Canceled => false,
        };
        match digest_of(input) {
            // Damage on the way explains the nonsense, and calls for another remedy.
            Ok(found) if makes_no_sense && found != input.layer.blob.digest => Refused::Layer(Problem::Digest { found }),
            _ => refused,
        }
    })
}

/// Where contents are kept.
enum Store {
    InPlace(Arc<File>),
    Spool { writer: BufWriter<File>, source: Arc<File>, end: u64 },
}

impl Store {
    fn spool(dir: &Path) -> io::Result<Self> {
        let file = tempfile::tempfile_in(dir)?;
        let source = Arc::new(file.try_clone()?);
        Ok(Self::Spool { writer: BufWriter::with_capacity(CHUNK, file), source, end: 0 })
    }

    fn source(&self) -> Arc<File> {
        match self {
            Self::InPlace(source) | Self::Spool { source, .. } => Arc::clone(source),
        }
    }
}

struct Scanner<'a> {
    archive: Archive<Stream>,
    store: Store,
    budget: &'a Budget<'a>,
    cancel: &'a CancellationToken,
    buffer: Vec<u8>,
    found: Scan,
}

impl<'a> Scanner<'a> {
    fn new(stream: Stream, store: Store, budget: &'a Budget<'a>, cancel: &'a CancellationToken) -> Self {
        Self {
            archive: Archive::new(stream, budget.limits.extension_bytes),
            store,
            budget,
            cancel,
            buffer: vec![0; CHUNK],
            found: Scan { whiteouts: Vec::new(), opaques: Vec::new(), additions: Vec::new() },
        }
    }

    fn run(mut self, input: &LayerInput) -> Result<Scan, Refused> {
        while let Some(member) = self.next()? {
            if self.cancel.is_cancelled() {
                return Err(Refused::Canceled);
            }
            self.member(member)?;
            // What nobody wants is decompressed all the same.
            let skipped = self.budget.take_bytes(self.archive.remaining());
            skipped.map_err(|exceeded| Refused::Layer(exceeded.into()))?;
        }
        if let Store::Spool { writer, .. } = &mut self.store {
            writer.flush().map_err(|error| Refused::Layer(Problem::Spool(error)))?;
        }
        let mut stream = self.archive.into_inner();
        drain(&mut stream, self.budget, &mut self.buffer)?;
        stream.verify(input).map_err(Refused::Layer)?;
        Ok(self.found)
    }

    /// The next member. What its headers take counts like content, for they are decompressed and read as well.
    fn next(&mut self) -> Result<Option<Member>, Refused> {
        let counted = self.archive.get_ref().position().saturating_add(self.archive.remaining());
        let next = self.archive.next().map_err(refuse_archive)?;
        let stream = self.archive.get_ref();
        let headers = stream.position().saturating_sub(counted);
        let within =
            self.budget.take_bytes(headers).and_then(|()| self.budget.check_ratio(stream.compressed(), stream.position()));
        within.map_err(|exceeded| Refused::Layer(exceeded.into()))?;
        Ok(next)
    }

    fn member(&mut self, member: Member) -> Result<(), Refused> {
        let name = member.name.clone();
        let refuse = |problem: Problem| Refused::Entry(name.as_slice().into(), problem);
        let exceeded = |exceeded: Exceeded| refuse(exceeded.into());
        if name.len() > self.budget.limits.path_bytes || member.link.len() > self.budget.limits.path_bytes {
            return Err(exceeded(Exceeded::Path(self.budget.limits.path_bytes)));
        }
        if name.contains(&0) || member.link.contains(&0) {
            return Err(refuse(Problem::NulInName));
        }
        let attributes = member.meta.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        let pieces = member.sparse.as_ref().map_or(0, |pieces| pieces.len() * size_of::<Segment>());
        self.budget.take_entry((name.len() + member.link.len() + attributes + pieces) as u64).map_err(exceeded)?;

        let trimmed = trim_slashes(&name);
        let (folder, base) = split_last(trimmed);
        if base == OPAQUE {
            self.found.opaques.push(folder.into());
            return Ok(());
        }
        if base.starts_with(RESERVED) {
            return Ok(());
        }
        if let Some(hidden) = base.strip_prefix(WHITEOUT) {
            if hidden.is_empty() || hidden == b"." || hidden == b".." {
                return Err(refuse(Problem::Archive("a whiteout names nothing".to_owned())));
            }
            self.found.whiteouts.push([folder, b"/", hidden].concat().into());
            return Ok(());
        }
        let what = self.what(member)?;
        self.found.additions.push(Addition { path: name.into(), what });
        Ok(())
    }

    fn what(&mut self, member: Member) -> Result<What, Refused> {
        let (major, minor) = member.device;
        Ok(match member.kind {
            // Before there was a type for folders, a slash at the end made one.
            EntryType::Regular if member.name.ends_with(b"/") => What::Folder(member.meta),
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let content = self.content(&member)?;
                What::File(member.meta, content)
            }
            EntryType::Directory => What::Folder(member.meta),
            // No kernel makes one, so no file system could hold it.
            EntryType::Symlink if member.link.is_empty() => {
                return Err(Refused::entry(&member.name, Problem::Archive("a symbolic link points to nothing".to_owned())));
            }
            EntryType::Symlink => What::Symlink(member.meta, member.link.into()),
            EntryType::Link => What::HardLink(member.link.into()),
            EntryType::Char => What::CharDevice(member.meta, major, minor),
            EntryType::Block => What::BlockDevice(member.meta, major, minor),
            EntryType::Fifo => What::Fifo(member.meta),
            other => return Err(Refused::entry(&member.name, Problem::Type(char::from(other.as_byte())))),
        })
    }

    /// Reads a file's pieces and notes where they are.
    fn content(&mut self, member: &Member) -> Result<Content, Refused> {
        let refuse = |problem| Refused::entry(&member.name, problem);
        // Holes count, too: whoever reads the file gets them.
        self.budget.take_bytes(member.size).map_err(|exceeded| refuse(exceeded.into()))?;
        let whole = [(0, member.size)];
        let pieces = member.sparse.as_deref().unwrap_or(&whole);
        let mut crc = Crc::new();
        let mut segments = Vec::new();
        let mut end = 0;
        for (at, len) in pieces.iter().copied().filter(|(_, len)| *len > 0) {
            update_zeros(&mut crc, at - end);
            let from = self.piece(len, &mut crc).map_err(refuse)?;
            segments.push(Segment { at, from, len });
            end = at + len;
        }
        update_zeros(&mut crc, member.size - end);
        Ok(Content { size: member.size, crc: crc.sum(), segments: segments.into(), source: self.store.source() })
    }

    fn piece(&mut self, len: u64, crc: &mut Crc) -> Result<u64, Problem> {
        let from = match &self.store {
            Store::InPlace(_) => self.archive.get_ref().position(),
            Store::Spool { end, .. } => *end,
        };
        let mut left = len;
        while left > 0 {
            let want = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
            let read = self.archive.read(&mut self.buffer[..want]).map_err(read_problem)?;
            let bytes = &self.buffer[..read];
            crc.update(bytes);
            if let Store::Spool { writer, end, .. } = &mut self.store {
                writer.write_all(bytes).map_err(Problem::Spool)?;
                *end += read as u64;
            }
            left -= read as u64;
            let stream = self.archive.get_ref();
            self.budget.check_ratio(stream.compressed(), stream.position())?;
        }
        Ok(from)
    }
}

/// Reads what follows the end of the archive, within the bounds, for the digests cover it.
fn drain(stream: &mut Stream, budget: &Budget<'_>, buffer: &mut [u8]) -> Result<(), Refused> {
    loop {
        let read = stream.read(buffer).map_err(|error| Refused::Layer(Problem::Read(error)))? as u64;
        if read == 0 {
            return Ok(());
        }
        let within = budget.take_bytes(read).and_then(|()| budget.check_ratio(stream.compressed(), stream.position()));
        within.map_err(|exceeded| Refused::Layer(exceeded.into()))?;
    }
}

fn read_problem(error: io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Problem::Archive("it ends in the middle of a member".to_owned()),
        _ => Problem::Read(error),
    }
}

fn refuse_archive(error: ArchiveError) -> Refused {
    match error {
        ArchiveError::Read(error) => Refused::Layer(Problem::Read(error)),
        ArchiveError::Problem(name, problem) if name.is_empty() => Refused::Layer(problem),
        ArchiveError::Problem(name, problem) => Refused::Entry(name.into(), problem),
    }
}

/// Takes zeros into a checksum, in as many steps as their number has bits: a hole may be far larger than what is stored.
fn update_zeros(crc: &mut Crc, len: u64) {
    const ZEROS: [u8; 4096] = [0; 4096];
    let mut blocks = len / ZEROS.len() as u64;
    crc.update(&ZEROS[..usize::try_from(len % ZEROS.len() as u64).unwrap_or(0)]);
    // The checksum of one block, then of two, of four, and so on.
    let mut power = Crc::new();
    power.update(&ZEROS);
    while blocks > 0 {
        if blocks % 2 == 1 {
            crc.combine(&power);
        }
        let mut twice = Crc::new();
        twice.combine(&power);
        twice.combine(&power);
        power = twice;
        blocks /= 2;
    }
}

fn trim_slashes(name: &[u8]) -> &[u8] {
    let end = name.iter().rposition(|byte| *byte != b'/').map_or(0, |at| at + 1);
    &name[..end]
}

/// A path's folder and its last name.
fn split_last(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}
