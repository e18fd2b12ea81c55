//! Reading files of a tree that somebody else filled, without ever leaving it, waiting for it, or going round in circles.
//!
//! Names are bytes. Every step is one `openat2` below the tree's root that follows no link; links are followed by hand,
//! which is what counts them.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read as _},
    os::fd::OwnedFd,
    path::Path,
};

use rustix::{
    fs::{CWD, Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2, readlinkat},
    io::Errno,
};

/// The root of a tree.
#[derive(Debug)]
pub(crate) struct Tree(OwnedFd);

/// Why a path in the tree led to no file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LocateError {
    #[error("more than {max} symbolic links")]
    TooManySymlinks { max: u32 },
    #[error("not a regular file")]
    NotRegular,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<Errno> for LocateError {
    fn from(errno: Errno) -> Self {
        Self::Io(errno.into())
    }
}

impl LocateError {
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Io(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory))
    }
}

impl Tree {
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        Ok(Self(openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?))
    }

    /// Opens the regular file that `path` leads to. Blocks on nothing: devices and pipes are refused unopened.
    pub(crate) fn open_file(&self, path: &[u8], max_symlinks: u32) -> Result<File, LocateError> {
        let resolved = self.resolve(path, max_symlinks)?;
        let located = self.step(&resolved, OFlags::PATH)?;
        if FileType::from_raw_mode(fstat(&located)?.st_mode) != FileType::RegularFile {
            return Err(LocateError::NotRegular);
        }
        let file = File::from(self.step(&resolved, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?);
        // The tree may have changed between the two; what counts is what was opened.
        if !file.metadata()?.is_file() {
            return Err(LocateError::NotRegular);
        }
        Ok(file)
    }

    /// The names in the folder that `path` leads to, at most `max` of them, without `.` and `..`.
    pub(crate) fn names(&self, path: &[u8], max_symlinks: u32, max: usize) -> Result<Vec<Vec<u8>>, LocateError> {
        let resolved = self.resolve(path, max_symlinks)?;
        let folder = self.step(&resolved, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK)?;
        let mut names = Vec::new();
        for entry in Dir::new(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(name.to_vec());
            }
            if names.len() >= max {
                break;
            }
        }
        Ok(names)
    }

    /// The path with every link followed, relative to the root. What it names exists.
    fn resolve(&self, path: &[u8], max_symlinks: u32) -> Result<Vec<u8>, LocateError> {
        let mut pending: VecDeque<Vec<u8>> = path.split(|byte| *byte == b'/').map(<[u8]>::to_vec).collect();
        let mut resolved: Vec<Vec<u8>> = Vec::new();
        let mut followed = 0;
        while let Some(name) = pending.pop_front() {
            match name.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    resolved.pop();
                    continue;
                }
                _ => resolved.push(name),
            }
            let found = self.step(&resolved.join(&b'/'), OFlags::PATH | OFlags::NOFOLLOW)?;
            if FileType::from_raw_mode(fstat(&found)?.st_mode) != FileType::Symlink {
                continue;
            }
            followed += 1;
            if followed > max_symlinks {
                return Err(LocateError::TooManySymlinks { max: max_symlinks });
            }
            let target = readlinkat(&found, "", Vec::new())?.into_bytes();
            resolved.pop();
            if target.starts_with(b"/") {
                resolved.clear();
            }
            for name in target.rsplit(|byte| *byte == b'/') {
                pending.push_front(name.to_vec());
            }
        }
        Ok(resolved.join(&b'/'))
    }

    fn step(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, LocateError> {
        let path = if path.is_empty() { b"." } else { path };
        // With PATH and NOFOLLOW together a link as the last name is opened itself, to be looked at.
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
        Ok(openat2(&self.0, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)?)
    }
}

/// Reads a whole file, or `None` where it has more than `max` bytes.
pub(crate) fn read_bounded(file: File, max: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(if bytes.len() as u64 > max { None } else { Some(bytes) })
}

#[cfg(test)]
mod tests;
