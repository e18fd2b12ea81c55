//! Archives of images: what `docker save`, `podman save` and `skopeo copy … oci-archive:` write, as a layout and back.
//!
//! An archive may be compressed. Its members are put aside under numbers and sorted out when all are there: a member's name is only
//! a key in a table, and nothing is ever written under a name from an archive.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, BufReader, Read, Write as _},
    path::{Path, PathBuf},
};

use bencher_types::Digest;
use tar::EntryType;

use crate::{
    compress,
    document::DocumentError,
    error::IoError,
    hash::Hasher,
    layout::{Layout, LayoutError},
    limits::{CHUNK, Limits, MAX_ARCHIVE_BYTES, MAX_ARCHIVE_MEMBERS},
    merge::{
        Problem,
        archive::{Archive, ArchiveError as TarError},
    },
};

mod docker;
mod oci;
mod write;

pub use write::{write_docker, write_oci};

/// Why an archive cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("the archive cannot be read; it may have been cut short or damaged: make it again")]
    Tar {
        #[source]
        problem: Problem,
    },
    #[error("the archive cannot be read")]
    Read(#[source] io::Error),
    #[error("the archive cannot be written")]
    Write(#[source] io::Error),
    #[error("the archive has the member `{0}`, whose name leads out of it")]
    Escapes(String),
    #[error("the archive has more than {0} members")]
    TooManyMembers(usize),
    #[error("the members of the archive are more than {0} bytes together")]
    TooLarge(u64),
    #[error(
        "there are no images in the archive: it has neither an `oci-layout`, nor a `manifest.json` as docker and podman write it"
    )]
    NoImages,
    #[error("the archive lacks `{0}`, which it names; it may have been cut short: make it again")]
    Missing(String),
    #[error("the blob {expected} of the archive has the digest {found}; make the archive again")]
    Digest { expected: Digest, found: Digest },
    #[error(
        "the layer `{layer}` of the archive unpacks to the digest {found}, and its image says {expected}; make the archive again"
    )]
    DiffId { layer: String, expected: Digest, found: Digest },
    #[error("`{0}` has an index of several platforms, and an archive for docker holds the image of one; choose one of them")]
    SeveralPlatforms(Digest),
    #[error(transparent)]
    Document(#[from] DocumentError),
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error(transparent)]
    Io(#[from] IoError),
}

impl From<TarError> for ArchiveError {
    fn from(error: TarError) -> Self {
        match error {
            TarError::Read(source) => Self::Read(source),
            TarError::Problem(_, problem) => Self::Tar { problem },
        }
    }
}

/// A file of the archive that was put aside.
struct Aside {
    path: PathBuf,
    size: u64,
    /// Of a blob of a layout, in the algorithm that its name says; else SHA-256.
    digest: Digest,
}

enum Member {
    File(Aside),
    /// The name of another member.
    Link(Vec<u8>),
}

/// What an archive holds, by name.
#[derive(Default)]
struct Members {
    by_name: HashMap<Vec<u8>, Member>,
}

/// Reads an archive, compressed or not, into a folder that becomes a layout. Blocks. Where it fails, the folder is of no use.
///
/// # Errors
/// It is no archive of images, damaged, cut short or beyond a limit, or the disk refuses.
pub fn read(reader: impl Read, into: &Path, limits: &Limits) -> Result<Layout, ArchiveError> {
    let layout = Layout::create(into)?;
    let aside = tempfile::Builder::new().prefix(".aside-").tempdir_in(into).map_err(IoError::on("write to", into))?;
    let members = Members::read(reader, aside.path(), limits)?;
    if members.file(oci::LAYOUT_FILE.as_bytes()).is_some() {
        oci::sort_out(&members, &layout, limits)?;
    } else if members.file(docker::MANIFEST_FILE.as_bytes()).is_some() {
        docker::sort_out(&members, &layout, limits)?;
    } else {
        return Err(ArchiveError::NoImages);
    }
    Ok(layout)
}

impl Members {
    fn read(reader: impl Read, aside: &Path, limits: &Limits) -> Result<Self, ArchiveError> {
        let reader = compress::decoder(BufReader::with_capacity(CHUNK, reader)).map_err(ArchiveError::Read)?;
        let mut archive = Archive::new(reader, limits.extension_bytes);
        let (mut members, mut bytes) = (Self::default(), 0_u64);
        while let Some(member) = archive.next()? {
            if members.by_name.len() == MAX_ARCHIVE_MEMBERS {
                return Err(ArchiveError::TooManyMembers(MAX_ARCHIVE_MEMBERS));
            }
            let name = normal(&member.name, b"").ok_or_else(|| ArchiveError::Escapes(printable(&member.name)))?;
            let found = match member.kind {
                EntryType::Regular | EntryType::Continuous => {
                    bytes = bytes.saturating_add(archive.remaining());
                    if bytes > MAX_ARCHIVE_BYTES {
                        return Err(ArchiveError::TooLarge(MAX_ARCHIVE_BYTES));
                    }
                    Member::File(put_aside(&mut archive, &name, aside.join(members.by_name.len().to_string()))?)
                }
                // Some tools write a layer once and link to it; a hard link names its target from the archive's root.
                EntryType::Symlink | EntryType::Link => {
                    let folder = if member.kind == EntryType::Symlink { parent(&name) } else { b"" };
                    Member::Link(normal(&member.link, folder).ok_or_else(|| ArchiveError::Escapes(printable(&member.link)))?)
                }
                _ => continue,
            };
            members.by_name.insert(name, found);
        }
        Ok(members)
    }

    /// A file by its name, through links.
    fn file(&self, name: &[u8]) -> Option<&Aside> {
        let mut name = name;
        for _ in 0..crate::limits::MAX_SYMLINKS {
            match self.by_name.get(name)? {
                Member::File(aside) => return Some(aside),
                Member::Link(target) => name = target,
            }
        }
        None
    }

    /// The content of a small file that must be there.
    fn document(&self, name: &str, limit: u64) -> Result<Vec<u8>, ArchiveError> {
        let aside = self.file(name.as_bytes()).ok_or_else(|| ArchiveError::Missing(name.to_owned()))?;
        if aside.size > limit {
            return Err(DocumentError::TooLarge { what: "document", found: aside.size, limit }.into());
        }
        Ok(fs::read(&aside.path).map_err(IoError::on("read", &aside.path))?)
    }
}

fn put_aside<R: Read>(archive: &mut Archive<R>, name: &[u8], path: PathBuf) -> Result<Aside, ArchiveError> {
    let size = archive.remaining();
    let algorithm = oci::digest_of_name(name).map_or(bencher_types::oci::digest::Algorithm::Sha256, |digest| digest.algorithm());
    let mut hasher = Hasher::new(algorithm);
    let mut file = File::create_new(&path).map_err(IoError::on("create", &path))?;
    let (mut buffer, mut done) = (vec![0; CHUNK], 0);
    while done < size {
        let read = archive.read(&mut buffer).map_err(TarError::from)?;
        if read == 0 {
            return Err(TarError::from(io::Error::from(io::ErrorKind::UnexpectedEof)).into());
        }
        hasher.update(&buffer[..read]);
        file.write_all(&buffer[..read]).map_err(IoError::on("write", &path))?;
        done += read as u64;
    }
    Ok(Aside { path, size, digest: hasher.finish() })
}

/// A name without dots and double slashes, seen from a folder; `None` where it leads out of the archive.
fn normal(name: &[u8], folder: &[u8]) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in folder.split(|byte| *byte == b'/').chain(name.split(|byte| *byte == b'/')) {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join(&b'/'))
}

fn parent(name: &[u8]) -> &[u8] {
    name.iter().rposition(|byte| *byte == b'/').map_or(b"", |at| &name[..at])
}

fn printable(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().take(200).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests;
