//! What can be known of a program or a kernel without running it. Reads a file's headers, within bounds; believes none.

use std::{
    fs::File,
    io::{self, BufReader, Read as _, Seek as _, SeekFrom},
    path::Path,
};

use super::{limits::MAX_FILE, version::Version};

/// The most program headers that are looked at; kernels have five.
const MAX_HEADERS: u16 = 64;
/// The most of a note segment that is read, in bytes.
const MAX_NOTES: u64 = 64 << 10;
/// Bytes read at a time in search of a kernel's version.
const CHUNK: usize = 1 << 20;

const PT_INTERP: u32 = 3;
const PT_NOTE: u32 = 4;
const EM_X86_64: u16 = 62;
const EM_AARCH64: u16 = 183;
/// The type of the note with the entry for direct boot; its owner is `Xen`.
const PVH_ENTRY: u32 = 18;
/// Where a compressed kernel says that it is one.
const BZ_IMAGE_MAGIC: (usize, &[u8]) = (0x202, b"HdrS");
const BANNER: &[u8] = b"Linux version ";
/// The most characters of a version that follows it.
const VERSION_LEN: usize = 32;

/// What the headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elf {
    pub machine: u16,
    pub entry: u64,
    /// Needs a loader and libraries to run.
    pub has_interpreter: bool,
    /// Can be entered directly by a virtual machine.
    pub has_pvh_entry: bool,
}

/// Why a file is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum ElfError {
    #[error("could not read it")]
    Read(#[source] io::Error),
    #[error("it is a compressed kernel (bzImage); give the uncompressed `vmlinux` of the same build")]
    Compressed,
    #[error("it is no ELF file of 64 bits")]
    NotElf,
    #[error("its headers are damaged")]
    Damaged,
    #[error("it is for another processor than this machine's")]
    Machine,
    #[error("it has no entry point, so it is no kernel")]
    NoEntry,
    #[error("it is linked against libraries, which the guest's initial file system does not have; it has to be static")]
    Dynamic,
}

/// # Errors
/// It cannot be read, or is no ELF file for this machine's processor.
pub fn read(path: &Path) -> Result<Elf, ElfError> {
    let mut file = BufReader::new(File::open(path).map_err(ElfError::Read)?);
    let mut head = Vec::new();
    (&mut file).take(4096).read_to_end(&mut head).map_err(ElfError::Read)?;
    if head.get(BZ_IMAGE_MAGIC.0..BZ_IMAGE_MAGIC.0 + 4) == Some(BZ_IMAGE_MAGIC.1) {
        return Err(ElfError::Compressed);
    }
    // 64 bits, least significant byte first.
    if head.get(..6) != Some(b"\x7fELF\x02\x01") || head.len() < 64 {
        return Err(ElfError::NotElf);
    }
    let (offset, size, count) = (number(&head, 32)?, short(&head, 54)?, short(&head, 56)?.min(MAX_HEADERS));
    let mut elf = Elf { machine: short(&head, 18)?, entry: number(&head, 24)?, has_interpreter: false, has_pvh_entry: false };
    if elf.machine != own_machine() {
        return Err(ElfError::Machine);
    }
    if count > 0 && size < 56 {
        return Err(ElfError::Damaged);
    }
    for index in 0..u64::from(count) {
        let header = part(&mut file, offset.checked_add(index * u64::from(size)).ok_or(ElfError::Damaged)?, 56)?;
        match word(&header, 0)? {
            PT_INTERP => elf.has_interpreter = true,
            PT_NOTE => {
                let notes = part(&mut file, number(&header, 8)?, number(&header, 32)?.min(MAX_NOTES))?;
                elf.has_pvh_entry |= has_pvh_note(&notes);
            }
            _ => {}
        }
    }
    Ok(elf)
}

/// A kernel that a microVM can start, as far as its headers tell.
///
/// # Errors
/// It is none.
pub fn kernel(path: &Path) -> Result<Elf, ElfError> {
    let elf = read(path)?;
    if elf.entry == 0 && !elf.has_pvh_entry { Err(ElfError::NoEntry) } else { Ok(elf) }
}

/// A program that runs without any library.
///
/// # Errors
/// It is none.
pub fn static_program(path: &Path) -> Result<Elf, ElfError> {
    let elf = read(path)?;
    if elf.has_interpreter { Err(ElfError::Dynamic) } else { Ok(elf) }
}

/// The version in a kernel's banner; `None` where it has none in the clear.
///
/// # Errors
/// It cannot be read.
pub fn kernel_version(path: &Path) -> Result<Option<Version>, ElfError> {
    let mut file = File::open(path).map_err(ElfError::Read)?.take(MAX_FILE);
    let mut window = Vec::new();
    loop {
        let read = (&mut file).take(CHUNK as u64).read_to_end(&mut window).map_err(ElfError::Read)?;
        if let Some(version) = banner(&window, read == 0) {
            return Ok(Some(version));
        }
        if read == 0 {
            return Ok(None);
        }
        // A banner may lie across the end.
        window.drain(..window.len().saturating_sub(BANNER.len() + VERSION_LEN));
    }
}

fn banner(window: &[u8], is_last: bool) -> Option<Version> {
    let starts =
        window.windows(BANNER.len()).enumerate().filter_map(|(at, bytes)| (bytes == BANNER).then_some(at + BANNER.len()));
    starts.filter(|start| is_last || start + VERSION_LEN <= window.len()).find_map(|start| {
        let text: String = window[start..].iter().take(VERSION_LEN).map(|byte| char::from(*byte)).collect();
        // A format string of the kernel's begins like its banner, and has no version.
        text.split(|c: char| !(c.is_ascii_digit() || c == '.')).next()?.trim_matches('.').parse().ok()
    })
}

fn own_machine() -> u16 {
    if cfg!(target_arch = "aarch64") { EM_AARCH64 } else { EM_X86_64 }
}

fn has_pvh_note(notes: &[u8]) -> bool {
    let mut at = 0_usize;
    // Lengths are padded to four bytes.
    let padded = |len: u32| usize::try_from(len).ok()?.checked_next_multiple_of(4);
    while let (Ok(name), Ok(description), Ok(kind)) = (word(notes, at), word(notes, at + 4), word(notes, at + 8)) {
        let start = at + 12;
        if kind == PVH_ENTRY && notes.get(start..start + 4) == Some(b"Xen\0") {
            return true;
        }
        let Some(next) = padded(name).zip(padded(description)).and_then(|(a, b)| start.checked_add(a)?.checked_add(b)) else {
            return false;
        };
        at = next;
    }
    false
}

fn part(file: &mut BufReader<File>, offset: u64, bytes: u64) -> Result<Vec<u8>, ElfError> {
    let mut part = Vec::new();
    file.seek(SeekFrom::Start(offset)).map_err(|_| ElfError::Damaged)?;
    file.take(bytes).read_to_end(&mut part).map_err(ElfError::Read)?;
    if part.len() as u64 == bytes { Ok(part) } else { Err(ElfError::Damaged) }
}

fn bytes<const N: usize>(from: &[u8], at: usize) -> Result<[u8; N], ElfError> {
    from.get(at..).and_then(|rest| rest.first_chunk::<N>()).copied().ok_or(ElfError::Damaged)
}

fn short(from: &[u8], at: usize) -> Result<u16, ElfError> {
    bytes(from, at).map(u16::from_le_bytes)
}

fn word(from: &[u8], at: usize) -> Result<u32, ElfError> {
    bytes(from, at).map(u32::from_le_bytes)
}

fn number(from: &[u8], at: usize) -> Result<u64, ElfError> {
    bytes(from, at).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests;
