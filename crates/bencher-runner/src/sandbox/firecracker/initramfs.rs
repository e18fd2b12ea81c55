//! The initial file system of a guest: its first process and the kernel's modules, in the one form every kernel reads, a
//! `cpio` archive with `newc` headers.
//!
//! Knows nothing of machines. The archive is a function of its contents and is kept under their digest, so that it is
//! written once, and again only when one of them changes.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use bencher_init::boot;
use sha2::{Digest as _, Sha256};

use crate::limits::MAX_GUEST_FILE_SIZE;

/// Why there is no initial file system.
#[derive(Debug, thiserror::Error)]
pub enum InitramfsError {
    #[error("could not read {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} has more than {MAX_GUEST_FILE_SIZE} bytes, which is no guest's first process and no kernel module")]
    TooLarge { path: PathBuf },
    #[error("{path} is no program: it does not begin like an ELF file; build it with `cargo xtask guest`")]
    NotAProgram { path: PathBuf },
    #[error(
        "{path} is no kernel module that can be loaded as it is: it does not begin like an ELF file; unpack a compressed one"
    )]
    NotAModule { path: PathBuf },
    #[error("two kernel modules are called {name}")]
    SameName { name: String },
    #[error("the name of the kernel module {path} is not plain text")]
    BadName { path: PathBuf },
    #[error("could not write {path}")]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// The archive of this first process and these modules, which are loaded in their order. It is in `folder`, which is this
/// sandbox's alone; older ones there are removed. Blocking.
pub(super) fn keep(folder: &Path, init: &Path, modules: &[PathBuf]) -> Result<PathBuf, InitramfsError> {
    let bytes = archive(init, modules)?;
    let name = format!("{PREFIX}{}{SUFFIX}", hex::encode(Sha256::digest(&bytes)));
    let path = folder.join(&name);
    let failed = |source| InitramfsError::Write { path: path.clone(), source };
    // What has the name has the contents: it got it only when it was whole.
    if fs::metadata(&path).is_ok_and(|found| found.len() == bytes.len() as u64) {
        return Ok(path);
    }
    remove_others(folder).map_err(failed)?;
    let part = folder.join(format!("{PREFIX}new"));
    let mut file = File::create(&part).map_err(failed)?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&part, &path).map_err(failed)?;
    Ok(path)
}

const PREFIX: &str = "initramfs-";
const SUFFIX: &str = ".cpio";

fn remove_others(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The whole archive: a few megabytes.
fn archive(init: &Path, modules: &[PathBuf]) -> Result<Vec<u8>, InitramfsError> {
    let init = elf(init, |path| InitramfsError::NotAProgram { path })?;
    let mut loaded: Vec<(String, Vec<u8>)> = Vec::new();
    for path in modules {
        let name = path.file_name().and_then(|name| name.to_str()).filter(|name| !name.chars().any(char::is_control));
        let name = name.map(|name| name.trim().to_owned()).ok_or_else(|| InitramfsError::BadName { path: path.clone() })?;
        if loaded.iter().any(|(known, _)| *known == name) {
            return Err(InitramfsError::SameName { name });
        }
        loaded.push((name, elf(path, |path| InitramfsError::NotAModule { path })?));
    }
    let mut archive = Archive::default();
    archive.folder("dev");
    // The kernel opens the first for its first process; what the process itself needs before it has any file system is the
    // second.
    archive.device("dev/console", 0o600, (5, 1));
    archive.device("dev/null", 0o666, (1, 3));
    archive.file("init", 0o755, &init);
    let folder = boot::MODULES.trim_start_matches('/');
    archive.folder(folder);
    for (name, bytes) in &loaded {
        archive.file(&format!("{folder}/{name}"), 0o644, bytes);
    }
    let order: String = loaded.iter().map(|(name, _)| format!("{name}\n")).collect();
    archive.file(boot::MODULE_ORDER.trim_start_matches('/'), 0o644, order.as_bytes());
    Ok(archive.close())
}

/// Reads a file that the kernel will execute or load, and looks whether it might.
fn elf(path: &Path, not_one: impl FnOnce(PathBuf) -> InitramfsError) -> Result<Vec<u8>, InitramfsError> {
    let unreadable = |source| InitramfsError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_GUEST_FILE_SIZE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_GUEST_FILE_SIZE {
        return Err(InitramfsError::TooLarge { path: path.to_owned() });
    }
    if !bytes.starts_with(b"\x7fELF") {
        return Err(not_one(path.to_owned()));
    }
    Ok(bytes)
}

/// An archive that is being written. Everything in it belongs to root and has no age.
#[derive(Debug, Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    const FOLDER: u32 = 0o040_000;
    const FILE: u32 = 0o100_000;
    const CHARACTERS: u32 = 0o020_000;

    fn folder(&mut self, name: &str) {
        self.entry(name, Self::FOLDER | 0o755, (0, 0), &[]);
    }

    fn file(&mut self, name: &str, mode: u32, bytes: &[u8]) {
        self.entry(name, Self::FILE | mode, (0, 0), bytes);
    }

    fn device(&mut self, name: &str, mode: u32, number: (u32, u32)) {
        self.entry(name, Self::CHARACTERS | mode, number, &[]);
    }

    fn close(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, (major, minor): (u32, u32), bytes: &[u8]) {
        self.entries += 1;
        let size = |bytes: usize| u32::try_from(bytes).expect("files were read within a bound far below");
        let fields = [
            self.entries,
            mode,
            0, // user
            0, // group
            1, // names
            0, // time
            size(bytes.len()),
            0, // device of the file, in two parts
            0,
            major,
            minor,
            size(name.len() + 1),
            0, // checksum, which this form has not
        ];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(bytes);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests;
