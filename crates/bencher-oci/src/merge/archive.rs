//! Members of a tar archive, as bytes and bounded.
//!
//! The fields of a header are decoded by the `tar` crate. Its iteration is not used: it cuts extended headers at every
//! newline, though binary attributes (capabilities) contain them, reads long names of any length into memory, and does not
//! know sparse files in POSIX format.

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

use tar::{EntryType, GnuExtSparseHeader, Header};

use super::{
    Exceeded, Problem,
    tree::{Meta, Mtime},
};

const BLOCK: u64 = 512;
/// Pieces of one sparse file. Real tools write one per hole; the count is held in memory.
const MAX_SPARSE_PIECES: usize = 65_536;
/// Blocks of one sparse file's map. Each has room for many pieces, but may hold none.
const MAX_SPARSE_BLOCKS: usize = MAX_SPARSE_PIECES / 16;
/// Attributes that speak to the host's kernel instead of the image's programs: an overlay over the written tree would obey
/// them, and labels belong to the host's own policy. They are dropped.
const DROPPED_XATTRS: [&[u8]; 3] = [b"trusted.overlay.", b"user.overlay.", b"security.selinux"];

/// A member as the archive describes it. Its stored bytes are read from the [`Archive`] next.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: Vec<u8>,
    pub(crate) link: Vec<u8>,
    pub(crate) kind: EntryType,
    pub(crate) meta: Meta,
    pub(crate) device: (u32, u32),
    /// Bytes a reader of the file sees.
    pub(crate) size: u64,
    /// Pieces `(offset, length)` of a sparse file, in the order in which they are stored.
    pub(crate) sparse: Option<Vec<(u64, u64)>>,
}

/// Why no member could be read. Names are known only when the headers were.
#[derive(Debug)]
pub(crate) enum ArchiveError {
    Read(io::Error),
    Problem(Vec<u8>, Problem),
}

impl From<io::Error> for ArchiveError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => malformed("it ends in the middle of a member"),
            _ => Self::Read(error),
        }
    }
}

fn malformed(what: impl Into<String>) -> ArchiveError {
    ArchiveError::Problem(Vec::new(), Problem::Archive(what.into()))
}

/// A tar stream. After [`Archive::next`], `Read` gives the stored bytes of that member.
pub(crate) struct Archive<R> {
    inner: R,
    /// Stored bytes of the current member that were not read yet.
    remaining: u64,
    padding: u64,
    max_extension: u64,
    /// Bytes of the headers that describe all members; between two members there may be any number of them.
    global: u64,
}

/// Extended headers that wait for the member they describe.
#[derive(Default)]
struct Extensions {
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    pax: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Bytes of all of them.
    bytes: u64,
}

impl<R: Read> Archive<R> {
    pub(crate) fn new(inner: R, max_extension: u64) -> Self {
        Self { inner, remaining: 0, padding: 0, max_extension, global: 0 }
    }

    pub(crate) fn get_ref(&self) -> &R {
        &self.inner
    }

    /// Stored bytes of the current member that nobody read.
    pub(crate) fn remaining(&self) -> u64 {
        self.remaining
    }

    /// What follows the archive's end.
    pub(crate) fn into_inner(self) -> R {
        self.inner
    }

    /// The next member, or `None` at the end of the archive.
    pub(crate) fn next(&mut self) -> Result<Option<Member>, ArchiveError> {
        let mut extensions = Extensions::default();
        loop {
            self.skip_rest()?;
            let Some(header) = self.header()? else {
                return if extensions.bytes == 0 { Ok(None) } else { Err(malformed("extended headers describe nothing")) };
            };
            let size = header.entry_size().map_err(|_| malformed("a size is not a number"))?;
            match header.entry_type() {
                EntryType::GNULongName => extensions.long_name = Some(self.extension(size, &mut extensions.bytes)?),
                EntryType::GNULongLink => extensions.long_link = Some(self.extension(size, &mut extensions.bytes)?),
                EntryType::XHeader => {
                    let records = self.extension(size, &mut extensions.bytes)?;
                    read_pax(&records, &mut extensions.pax)?;
                }
                // Comments of the tool that made the archive; no image tool puts attributes there.
                EntryType::XGlobalHeader => {
                    let mut global = self.global;
                    drop(self.extension(size, &mut global)?);
                    self.global = global;
                }
                _ => return self.member(&header, size, extensions).map(Some),
            }
        }
    }

    fn begin_data(&mut self, stored: u64) {
        self.remaining = stored;
        self.padding = stored.wrapping_neg() % BLOCK;
    }

    fn skip_rest(&mut self) -> Result<(), ArchiveError> {
        let rest = self.remaining.saturating_add(self.padding);
        let skipped = io::copy(&mut (&mut self.inner).take(rest), &mut io::sink())?;
        // Only the padding of the last member may be missing; careless writers leave it out.
        if skipped < self.remaining {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        (self.remaining, self.padding) = (0, 0);
        Ok(())
    }

    /// The next header block; `None` at the mark of the end or the end of the stream.
    fn header(&mut self) -> Result<Option<Header>, ArchiveError> {
        let mut header = Header::new_old();
        let mut filled = 0;
        while filled < header.as_bytes().len() {
            match self.inner.read(&mut header.as_mut_bytes()[filled..])? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                read => filled += read,
            }
        }
        let bytes = header.as_bytes();
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let blank = 8 * u32::from(b' ');
        let sum = bytes[..148].iter().chain(&bytes[156..]).map(|byte| u32::from(*byte)).sum::<u32>() + blank;
        match header.cksum() {
            Ok(stated) if stated == sum => Ok(Some(header)),
            _ => Err(malformed("the checksum of a header is wrong")),
        }
    }

    fn extension(&mut self, size: u64, total: &mut u64) -> Result<Vec<u8>, ArchiveError> {
        *total = total.saturating_add(size.max(1));
        if *total > self.max_extension {
            let exceeded = Exceeded::Extension(self.max_extension);
            return Err(ArchiveError::Problem(Vec::new(), exceeded.into()));
        }
        self.begin_data(size);
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < size {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(bytes)
    }

    fn member(&mut self, header: &Header, size: u64, mut extensions: Extensions) -> Result<Member, ArchiveError> {
        let pax = &mut extensions.pax;
        let stored = pax_number(pax, b"size")?.unwrap_or(size);
        let sparse_name = pax.remove(b"GNU.sparse.name".as_slice());
        let name = sparse_name
            .or(extensions.long_name.map(trim_nul))
            .or(pax.remove(b"path".as_slice()))
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let link = extensions
            .long_link
            .map(trim_nul)
            .or(pax.remove(b"linkpath".as_slice()))
            .or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned))
            .unwrap_or_default();
        let named = |problem| ArchiveError::Problem(name.clone(), problem);

        let kind = header.entry_type();
        // Only files have content; what other types say of a size is not stored.
        let stored = match kind {
            EntryType::Link | EntryType::Symlink | EntryType::Directory => 0,
            EntryType::Char | EntryType::Block | EntryType::Fifo => 0,
            _ => stored,
        };
        self.begin_data(stored);
        let (size, sparse) = if kind == EntryType::GNUSparse {
            let pieces = self.gnu_sparse(header)?;
            (header.as_gnu().and_then(|gnu| gnu.real_size().ok()).unwrap_or(0), Some(pieces))
        } else if pax.keys().any(|key| key.starts_with(b"GNU.sparse.")) {
            self.pax_sparse(pax).map(|(size, pieces)| (size, Some(pieces)))?
        } else {
            (stored, None)
        };
        if let Some(pieces) = &sparse {
            check_pieces(pieces, size, self.remaining).map_err(|what| named(Problem::Archive(what.to_owned())))?;
        }
        let meta = meta_of(header, pax).map_err(named)?;
        let device = (header.device_major().ok().flatten().unwrap_or(0), header.device_minor().ok().flatten().unwrap_or(0));
        Ok(Member { name, link, kind, meta, device, size, sparse })
    }

    /// The map of the old GNU format: in the header, and in further blocks before the content.
    fn gnu_sparse(&mut self, header: &Header) -> Result<Vec<(u64, u64)>, ArchiveError> {
        let gnu = header.as_gnu().ok_or_else(|| malformed("a sparse file without the header of one"))?;
        let mut pieces = Vec::new();
        let mut add = |block: &tar::GnuSparseHeader| -> Result<(), ArchiveError> {
            if block.is_empty() {
                return Ok(());
            }
            match (block.offset(), block.length()) {
                (Ok(offset), Ok(length)) if pieces.len() < MAX_SPARSE_PIECES => pieces.push((offset, length)),
                _ => return Err(malformed("the map of a sparse file is unreadable or too long")),
            }
            Ok(())
        };
        gnu.sparse.iter().try_for_each(&mut add)?;
        let mut more = gnu.is_extended();
        let mut blocks = 0;
        while more {
            blocks += 1;
            if blocks > MAX_SPARSE_BLOCKS {
                return Err(malformed("the map of a sparse file is unreadable or too long"));
            }
            let mut block = GnuExtSparseHeader::new();
            self.inner.read_exact(block.as_mut_bytes())?;
            block.sparse.iter().try_for_each(&mut add)?;
            more = block.is_extended();
        }
        Ok(pieces)
    }

    /// The map of the POSIX formats 0.1 (in the extended header) and 1.0 (in front of the content).
    fn pax_sparse(&mut self, pax: &BTreeMap<Vec<u8>, Vec<u8>>) -> Result<(u64, Vec<(u64, u64)>), ArchiveError> {
        let version = (pax_number(pax, b"GNU.sparse.major")?, pax_number(pax, b"GNU.sparse.minor")?);
        let unreadable = || malformed("the map of a sparse file is unreadable or too long");
        let (size, numbers) = match version {
            (Some(1), Some(0)) => {
                let size = pax_number(pax, b"GNU.sparse.realsize")?.ok_or_else(unreadable)?;
                (size, self.leading_map()?)
            }
            (None, None) | (Some(0), Some(1)) if pax.contains_key(b"GNU.sparse.map".as_slice()) => {
                let size = pax_number(pax, b"GNU.sparse.size")?.ok_or_else(unreadable)?;
                let map = std::str::from_utf8(&pax[b"GNU.sparse.map".as_slice()]).map_err(|_| unreadable())?;
                if map.len() as u64 > self.max_extension {
                    return Err(unreadable());
                }
                let numbers = map.split(',').filter(|text| !text.is_empty()).map(str::parse).collect::<Result<Vec<u64>, _>>();
                (size, numbers.map_err(|_| unreadable())?)
            }
            _ => return Err(malformed("a sparse file in a format that is not known")),
        };
        if !numbers.len().is_multiple_of(2) || numbers.len() / 2 > MAX_SPARSE_PIECES {
            return Err(unreadable());
        }
        Ok((size, numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()))
    }

    /// Decimal numbers, one per line, the first their count in pairs, filled up to whole blocks.
    fn leading_map(&mut self) -> Result<Vec<u64>, ArchiveError> {
        let unreadable = || malformed("the map of a sparse file is unreadable or too long");
        let (mut numbers, mut text) = (Vec::new(), Vec::new());
        let mut expected = None;
        loop {
            let mut block = [0; 512];
            self.read_exact(&mut block)?;
            for byte in block {
                if byte != b'\n' {
                    text.push(byte);
                    if text.len() > 20 {
                        return Err(unreadable());
                    }
                    continue;
                }
                let number = std::str::from_utf8(&text).ok().and_then(|text| text.parse::<u64>().ok()).ok_or_else(unreadable)?;
                text.clear();
                match expected {
                    None => expected = usize::try_from(number).ok().filter(|pairs| *pairs <= MAX_SPARSE_PIECES).map(|n| n * 2),
                    Some(_) => numbers.push(number),
                }
                let wanted = expected.ok_or_else(unreadable)?;
                if numbers.len() == wanted {
                    return Ok(numbers);
                }
            }
        }
    }
}

impl<R: Read> Read for Archive<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.inner.read(&mut buffer[..len])?;
        if read == 0 && len > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.remaining -= read as u64;
        Ok(read)
    }
}

fn trim_nul(mut name: Vec<u8>) -> Vec<u8> {
    while name.last() == Some(&0) {
        name.pop();
    }
    name
}

/// Records `LENGTH KEY=VALUE\n`, where the length counts all of it and the value may be any bytes.
fn read_pax(mut rest: &[u8], found: &mut BTreeMap<Vec<u8>, Vec<u8>>) -> Result<(), ArchiveError> {
    let bad = || malformed("an extended header is unreadable");
    while !rest.is_empty() {
        let space = rest.iter().take(20).position(|byte| *byte == b' ').ok_or_else(bad)?;
        let length: usize = std::str::from_utf8(&rest[..space]).ok().and_then(|text| text.parse().ok()).ok_or_else(bad)?;
        if length <= space + 1 || length > rest.len() || rest[length - 1] != b'\n' {
            return Err(bad());
        }
        let record = &rest[space + 1..length - 1];
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(bad)?;
        found.insert(record[..equals].to_vec(), record[equals + 1..].to_vec());
        rest = &rest[length..];
    }
    Ok(())
}

fn pax_number(pax: &BTreeMap<Vec<u8>, Vec<u8>>, key: &[u8]) -> Result<Option<u64>, ArchiveError> {
    let Some(value) = pax.get(key) else { return Ok(None) };
    let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| malformed(format!("`{}` is not a number", String::from_utf8_lossy(key))))
}

fn check_pieces(pieces: &[(u64, u64)], size: u64, stored: u64) -> Result<(), &'static str> {
    let (mut end, mut sum) = (0_u64, 0_u64);
    for (offset, length) in pieces {
        if *offset < end {
            return Err("the pieces of a sparse file overlap");
        }
        end = offset.checked_add(*length).filter(|end| *end <= size).ok_or("a sparse file has pieces behind its end")?;
        sum += length;
    }
    if sum == stored { Ok(()) } else { Err("the pieces of a sparse file do not add up to what is stored") }
}

fn meta_of(header: &Header, pax: &mut BTreeMap<Vec<u8>, Vec<u8>>) -> Result<Meta, Problem> {
    let id = |field, from_header: io::Result<u64>, key: &[u8]| -> Result<u32, Problem> {
        let from_pax = pax_number(pax, key).map_err(|_| Problem::Archive(format!("the {field} is not a number")))?;
        let number = match from_pax {
            Some(number) => number,
            None => from_header.map_err(|_| Problem::Archive(format!("the {field} is not a number")))?,
        };
        // The highest number means "unchanged" to the kernel.
        u32::try_from(number).ok().filter(|id| *id != u32::MAX).ok_or(Problem::Range { field, found: number })
    };
    let fields = header.as_old();
    let uid = id("owner", unless_blank(&fields.uid, || header.uid()), b"uid")?;
    let gid = id("group", unless_blank(&fields.gid, || header.gid()), b"gid")?;
    let mode = unless_blank(&fields.mode, || header.mode().map(u64::from))
        .ok()
        .and_then(|mode| u32::try_from(mode).ok())
        .ok_or_else(|| Problem::Archive("the mode is not a number".to_owned()))?
        & 0o7777;
    let mtime = match pax.get(b"mtime".as_slice()) {
        Some(text) => parse_time(text).ok_or_else(|| Problem::Archive("a time is unreadable".to_owned()))?,
        None => Mtime { seconds: header_seconds(header), nanoseconds: 0 },
    };
    let mut xattrs = BTreeMap::new();
    for (key, value) in std::mem::take(pax) {
        if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
            if name.is_empty() || name.len() > 255 || name.contains(&0) {
                return Err(Problem::Archive("an extended attribute has an impossible name".to_owned()));
            }
            if !DROPPED_XATTRS.iter().any(|dropped| name.starts_with(dropped)) {
                xattrs.insert(name.into(), value.into());
            }
        }
    }
    Ok(Meta { mode, uid, gid, mtime, xattrs })
}

/// The header's own time: octal text, or a signed number where the first bit is set. Unreadable ones are 1970, since an
/// old tool's blank field is no reason to refuse an image.
/// A number of a header; nothing but spaces or zero bytes is 0, as GNU tar reads it: some writers leave such fields blank.
fn unless_blank(field: &[u8], number: impl FnOnce() -> io::Result<u64>) -> io::Result<u64> {
    if field.iter().all(|byte| matches!(byte, b' ' | 0)) { Ok(0) } else { number() }
}

fn header_seconds(header: &Header) -> i64 {
    let field = &header.as_old().mtime;
    if field[0] & 0x80 == 0 {
        return header.mtime().ok().and_then(|seconds| i64::try_from(seconds).ok()).unwrap_or(0);
    }
    let mut last = [0; 8];
    last.copy_from_slice(&field[4..]);
    i64::from_be_bytes(last)
}

/// `[-]SECONDS[.FRACTION]`; the fraction counts away from zero, as the seconds do.
fn parse_time(text: &[u8]) -> Option<Mtime> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = whole.parse().ok()?;
    let digits: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    let nanoseconds: u32 = digits.parse().ok()?;
    if whole.starts_with('-') && nanoseconds > 0 {
        return Some(Mtime { seconds: seconds.checked_sub(1)?, nanoseconds: 1_000_000_000 - nanoseconds });
    }
    Some(Mtime { seconds, nanoseconds })
}

#[cfg(test)]
mod tests;
