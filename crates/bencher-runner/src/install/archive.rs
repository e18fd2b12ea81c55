//! Release archives: the one program that is wanted of them, and nothing else. No name of an archive becomes a path here.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufReader, Read},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;

use super::{
    limits::{MAX_ENTRIES, MAX_FILE, MAX_UNPACKED},
    pins::Name,
    version::Version,
};

/// Why nothing was taken out of an archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("could not read the archive {file}; it is damaged, or no .tgz")]
    Read {
        file: String,
        #[source]
        source: io::Error,
    },
    #[error("could not write {path}")]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "the archive {file} has no {name} of version {version}: expected a file named {name}-v{version}-{} or {name}",
        std::env::consts::ARCH
    )]
    NotThere { file: String, name: Name, version: Version },
    #[error("the archive {file} unpacks to more than {MAX_UNPACKED} bytes or {MAX_ENTRIES} files, which no release does")]
    TooLarge { file: String },
}

/// Whether a file is an archive, by its name.
pub(super) fn is_archive(file: &str) -> bool {
    file.ends_with(".tgz") || file.ends_with(".tar.gz")
}

/// Takes a program out of an archive, into a file that is not there yet.
///
/// # Errors
/// It is damaged, too large, or does not have the program.
pub(super) fn take(archive: &Path, file: &str, name: Name, version: Version, to: &Path) -> Result<(), ArchiveError> {
    let read = |source| match source {
        Bounded::Io(source) => ArchiveError::Read { file: file.to_owned(), source },
        Bounded::TooLarge => ArchiveError::TooLarge { file: file.to_owned() },
    };
    let opened = File::open(archive).map_err(|source| read(Bounded::Io(source)))?;
    // Reading on from the limit is the end of a file, which the archive's reader takes for damage.
    let unpacked = MultiGzDecoder::new(BufReader::new(opened)).take(MAX_UNPACKED);
    let mut archive = tar::Archive::new(unpacked);
    let wanted = [format!("{name}-v{version}-{}", std::env::consts::ARCH), name.to_string()];
    let entries = archive.entries().map_err(|source| read(Bounded::Io(source)))?;
    for (index, entry) in entries.enumerate() {
        if index >= MAX_ENTRIES {
            return Err(read(Bounded::TooLarge));
        }
        let mut entry = entry.map_err(|source| read(Bounded::Io(source)))?;
        let is_wanted = entry.header().entry_type().is_file()
            && entry
                .path_bytes()
                .rsplit(|byte| *byte == b'/')
                .next()
                .is_some_and(|last| wanted.iter().any(|name| name.as_bytes() == last));
        if !is_wanted {
            continue;
        }
        if entry.size() > MAX_FILE {
            return Err(read(Bounded::TooLarge));
        }
        return write(&mut entry, to).map_err(|problem| match problem {
            Copy::Read(source) => read(Bounded::Io(source)),
            Copy::Write(source) => ArchiveError::Write { path: to.to_owned(), source },
        });
    }
    if archive.into_inner().limit() == 0 {
        return Err(read(Bounded::TooLarge));
    }
    Err(ArchiveError::NotThere { file: file.to_owned(), name, version })
}

enum Bounded {
    Io(io::Error),
    TooLarge,
}

enum Copy {
    Read(io::Error),
    Write(io::Error),
}

fn write(from: &mut impl Read, to: &Path) -> Result<(), Copy> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(Copy::Write)?;
    let mut buffer = vec![0_u8; 256 << 10];
    loop {
        match from.read(&mut buffer).map_err(Copy::Read)? {
            0 => return Ok(()),
            read => io::Write::write_all(&mut file, &buffer[..read]).map_err(Copy::Write)?,
        }
    }
}

#[cfg(test)]
mod tests;
