//! What a dynamic loader reads of an ELF file: only those parts are read, however large the file is.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::unix::{ffi::OsStrExt as _, fs::FileExt as _},
    path::{Path, PathBuf},
};

use goblin::{
    container::{Container, Ctx},
    elf::{
        dynamic::{DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_STRSZ, DT_STRTAB, Dynamic},
        header::{ELFMAG, SIZEOF_IDENT},
        program_header::{PT_DYNAMIC, PT_INTERP, PT_LOAD, ProgramHeader},
    },
};

use super::AssembleError;
use crate::error::IoError;

/// Real tables are a few kilobytes.
const MAX_TABLE: u64 = 16 * 1024 * 1024;
/// Names of all dynamic symbols are in the same table as those of the libraries; the largest known is some 30 MiB.
const MAX_STRINGS: u64 = 256 * 1024 * 1024;

/// Why an ELF file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ElfError {
    #[error("it is malformed")]
    Malformed(#[from] goblin::error::Error),
    #[error("its {0} is missing or out of range")]
    Missing(&'static str),
    #[error("it cannot be read")]
    Read(#[from] io::Error),
}

/// An ELF file as a loader sees it.
#[derive(Clone, Debug)]
pub(super) struct Elf {
    pub(super) machine: u16,
    pub(super) is_64: bool,
    pub(super) interpreter: Option<PathBuf>,
    pub(super) needed: Vec<String>,
    /// Folders of `DT_RPATH`, unexpanded. Empty where there is a `DT_RUNPATH`, as it then does not count.
    pub(super) rpath: Vec<String>,
    pub(super) runpath: Option<Vec<String>>,
}

impl Elf {
    /// Whether one loader could load both.
    pub(super) fn fits(&self, other: &Self) -> bool {
        (self.machine, self.is_64) == (other.machine, other.is_64)
    }
}

/// Reads a file; `None` where it is no ELF file at all.
pub(super) fn inspect(path: &Path) -> Result<Option<Elf>, AssembleError> {
    let file = File::open(path).map_err(IoError::on("open", path))?;
    read(&file).map_err(|source| AssembleError::Elf { path: path.to_owned(), source })
}

fn read(file: &File) -> Result<Option<Elf>, ElfError> {
    let length = file.metadata()?.len();
    let start = bytes(file, 0, length.min(64), "header")?;
    if start.len() < SIZEOF_IDENT || &start[..4] != ELFMAG {
        return Ok(None);
    }
    let header = goblin::elf::Elf::parse_header(&start)?;
    let is_64 = header.container()? == Container::Big;
    let ctx = Ctx::new(header.container()?, header.endianness()?);

    let count = usize::from(header.e_phnum);
    let table = bytes(file, header.e_phoff, u64::from(header.e_phnum) * u64::from(header.e_phentsize), "program headers")?;
    let segments = ProgramHeader::parse(&table, 0, count, ctx)?;
    let find = |kind| segments.iter().find(|segment| segment.p_type == kind);

    let interpreter = match find(PT_INTERP) {
        Some(segment) => {
            let mut name = bytes(file, segment.p_offset, segment.p_filesz.min(4096), "interpreter")?;
            name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
            Some(PathBuf::from(OsStr::from_bytes(&name)))
        }
        None => None,
    };
    let mut elf = Elf { machine: header.e_machine, is_64, interpreter, needed: Vec::new(), rpath: Vec::new(), runpath: None };
    if let Some(segment) = find(PT_DYNAMIC) {
        read_dynamic(file, segment, &segments, ctx, &mut elf)?;
    }
    Ok(Some(elf))
}

fn read_dynamic(
    file: &File,
    segment: &ProgramHeader,
    segments: &[ProgramHeader],
    ctx: Ctx,
    elf: &mut Elf,
) -> Result<(), ElfError> {
    let table = bytes(file, segment.p_offset, segment.p_filesz, "dynamic section")?;
    // The table alone was read, so it starts at 0.
    let moved = ProgramHeader { p_offset: 0, ..segment.clone() };
    let dynamic = Dynamic::parse(&table, &[moved], ctx)?.ok_or(ElfError::Missing("dynamic section"))?;
    let value = |tag| dynamic.dyns.iter().find(|entry| entry.d_tag == tag).map(|entry| entry.d_val);
    let (Some(address), Some(size)) = (value(DT_STRTAB), value(DT_STRSZ)) else {
        return Err(ElfError::Missing("string table"));
    };
    let load = segments
        .iter()
        .find(|load| load.p_type == PT_LOAD && load.p_vaddr <= address && address - load.p_vaddr < load.p_filesz)
        .ok_or(ElfError::Missing("string table"))?;
    let offset = load.p_offset.checked_add(address - load.p_vaddr).ok_or(ElfError::Missing("string table"))?;
    if size > MAX_STRINGS {
        return Err(ElfError::Missing("string table"));
    }
    let strings = Strings { file, offset, size };

    let mut rpath = Vec::new();
    for entry in &dynamic.dyns {
        match entry.d_tag {
            DT_NEEDED => elf.needed.push(strings.get(entry.d_val)?),
            DT_RPATH => rpath = folders(&strings.get(entry.d_val)?),
            DT_RUNPATH => elf.runpath = Some(folders(&strings.get(entry.d_val)?)),
            _ => {}
        }
    }
    if elf.runpath.is_none() {
        elf.rpath = rpath;
    }
    Ok(())
}

/// The names of a dynamic section, read one by one.
struct Strings<'a> {
    file: &'a File,
    offset: u64,
    size: u64,
}

impl Strings<'_> {
    fn get(&self, at: u64) -> Result<String, ElfError> {
        let missing = ElfError::Missing("name");
        if at >= self.size {
            return Err(missing);
        }
        let start = self.offset.checked_add(at).ok_or(ElfError::Missing("name"))?;
        let mut name = bytes(self.file, start, (self.size - at).min(64 * 1024), "name")?;
        let end = name.iter().position(|byte| *byte == 0).ok_or(missing)?;
        name.truncate(end);
        String::from_utf8(name).map_err(|_| ElfError::Missing("readable name"))
    }
}

fn folders(text: &str) -> Vec<String> {
    text.split(':').filter(|folder| !folder.is_empty()).map(str::to_owned).collect()
}

fn bytes(file: &File, offset: u64, len: u64, what: &'static str) -> Result<Vec<u8>, ElfError> {
    if len > MAX_TABLE {
        return Err(ElfError::Missing(what));
    }
    let mut buffer = vec![0; usize::try_from(len).map_err(|_| ElfError::Missing(what))?];
    match file.read_exact_at(&mut buffer, offset) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(ElfError::Missing(what)),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(buffer),
    }
}
