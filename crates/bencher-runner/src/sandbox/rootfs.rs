//! Reading a tree that somebody else filled, without ever leaving it.
//!
//! Every step is one `openat2` below the tree's root that follows no link, so neither a link in the tree nor a
//! process that changes the tree meanwhile can lead outside. Links are followed by hand, which is what counts them.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{CWD, Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2, readlinkat},
    io::Errno,
};

/// The root of a tree.
#[derive(Debug)]
pub(super) struct AnchoredRoot(OwnedFd);

/// Why a path in the tree led to no file.
#[derive(Debug, thiserror::Error)]
pub(super) enum LocateError {
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
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Io(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory))
    }
}

impl From<OwnedFd> for AnchoredRoot {
    /// `root` is an open folder.
    fn from(root: OwnedFd) -> Self {
        Self(root)
    }
}

impl AnchoredRoot {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(openat(CWD, path, flags, Mode::empty())?))
    }

    /// Opens the regular file that `path` leads to. Blocks on nothing: devices and pipes are refused unopened.
    pub(super) fn open_file(&self, path: &str, max_symlinks: u32) -> Result<File, LocateError> {
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

    /// What is in the folder that `path` leads to, at most `max` names, those that are no text left out: nobody can ask for them.
    pub(super) fn names(&self, path: &str, max_symlinks: u32, max: usize) -> Result<Vec<String>, LocateError> {
        let resolved = self.resolve(path, max_symlinks)?;
        let folder = self.step(&resolved, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK)?;
        let mut names = Vec::new();
        for entry in Dir::new(folder)?.take(max) {
            if let Ok(name) = entry?.file_name().to_str()
                && !matches!(name, "." | "..")
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// The path of the tree with every link followed, relative to its root. What it names exists.
    pub(super) fn resolve(&self, path: &str, max_symlinks: u32) -> Result<String, LocateError> {
        let mut pending: VecDeque<String> = path.split('/').map(str::to_owned).collect();
        let mut resolved: Vec<String> = Vec::new();
        let mut followed = 0;
        while let Some(name) = pending.pop_front() {
            match name.as_str() {
                "" | "." => continue,
                ".." => {
                    resolved.pop();
                    continue;
                }
                _ => resolved.push(name),
            }
            let found = self.step(&resolved.join("/"), OFlags::PATH | OFlags::NOFOLLOW)?;
            if FileType::from_raw_mode(fstat(&found)?.st_mode) != FileType::Symlink {
                continue;
            }
            followed += 1;
            if followed > max_symlinks {
                return Err(LocateError::TooManySymlinks { max: max_symlinks });
            }
            let target = readlinkat(&found, "", Vec::new())?;
            let target = target.into_string().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
            resolved.pop();
            if target.starts_with('/') {
                resolved.clear();
            }
            for name in target.rsplit('/') {
                pending.push_front(name.to_owned());
            }
        }
        Ok(resolved.join("/"))
    }

    fn step(&self, path: &str, flags: OFlags) -> Result<OwnedFd, LocateError> {
        let path = if path.is_empty() { "." } else { path };
        // With PATH and NOFOLLOW together a link as the last name is opened itself, to be looked at.
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
        Ok(openat2(self.0.as_fd(), path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)?)
    }
}

/// Reads a whole file, or `None` where it has more than `max` bytes.
pub(super) fn read_bounded(file: File, max: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(if bytes.len() as u64 > max { None } else { Some(bytes) })
}

#[cfg(test)]
mod tests;
