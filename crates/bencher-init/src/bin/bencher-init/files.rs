//! The files a benchmark left: found, measured and hashed, before anything of them is sent.
//!
//! By now nothing of the benchmark lives, so a file stays as it was found.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read as _, Seek as _},
    path::Path,
};

use bencher_init::{
    FileEntry, GuestConfig,
    config::{Bounds, FileContents},
    control::GuestFailure,
    delivery::{FileOutcome, FilePath, Sha256, SkippedFor},
    pattern,
};
use rustix::fs::fstatfs;
use sha2::Digest as _;

use crate::{
    failure, limits,
    tree::{LocateError, Tree},
};

/// File systems a benchmark's own files can be on: ext4, tmpfs, overlay. Those of the kernel, `/proc` and `/sys`, are not
/// among them, nor those that a dead process serves.
const WRITABLE_FILE_SYSTEMS: [u32; 3] = [0xef53, 0x0102_1994, 0x794c_7630];

/// What is to be sent.
#[derive(Debug, Default)]
pub(crate) struct Collection {
    pub(crate) entries: Vec<Collected>,
}

/// One entry, and the file whose first so many bytes follow it.
#[derive(Debug)]
pub(crate) struct Collected {
    pub(crate) entry: FileEntry,
    pub(crate) contents: Option<(File, u64)>,
}

impl Collection {
    /// Looks for everything that the configuration asks for.
    pub(crate) fn of(config: &GuestConfig) -> Result<Self, GuestFailure> {
        let tree = Tree::open(Path::new("/")).map_err(failure::system("open the image's tree"))?;
        Ok(Self::below(tree, config))
    }

    fn below(tree: Tree, config: &GuestConfig) -> Self {
        let mut collector = Collector { tree, bounds: config.bounds, wanted: config.file_contents, found: 0, together: 0 };
        let mut collection = Self::default();
        let mut seen = BTreeSet::new();
        for path in &config.file_paths {
            for (shown, location) in collector.expand(path.as_bytes(), config.working_dir.as_bytes()) {
                if seen.insert(shown.clone()) {
                    collection.entries.push(collector.collect(shown, &location));
                }
            }
        }
        collection
    }
}

struct Collector {
    tree: Tree,
    bounds: Bounds,
    wanted: FileContents,
    found: u32,
    together: u64,
}

impl Collector {
    /// The paths that one of those asked for stands for: as they are shown, and where they are. What matches no file stands
    /// for itself, and so is reported as missing.
    fn expand(&self, path: &[u8], working_dir: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let absolute = |path: &[u8]| if path.starts_with(b"/") { path.to_vec() } else { [working_dir, b"/", path].concat() };
        let itself = || vec![(path.to_vec(), absolute(path))];
        // A file of just that name is what is meant, whatever characters are in it.
        if !pattern::is_pattern(path) || self.tree.open_file(&absolute(path), self.bounds.max_symlinks).is_ok() {
            return itself();
        }
        let mut left = limits::MAX_PATTERN_NAMES;
        let paths = pattern::expand(path, |folder| {
            let names = self.tree.names(&absolute(folder), self.bounds.max_symlinks, left).unwrap_or_default();
            left -= names.len().min(left);
            names
        });
        let mut found: Vec<_> = paths.into_iter().map(|path| (path.clone(), absolute(&path))).collect();
        found.retain(|(_, location)| self.tree.open_file(location, self.bounds.max_symlinks).is_ok());
        // One more than can be sent tells that there are more.
        found.truncate(usize::try_from(self.bounds.max_file_count).unwrap_or(usize::MAX).saturating_add(1));
        if found.is_empty() { itself() } else { found }
    }

    fn collect(&mut self, shown: Vec<u8>, location: &[u8]) -> Collected {
        let (outcome, contents) = match self.file(location) {
            Ok((outcome, contents)) => (outcome, contents),
            Err(reason) => (FileOutcome::Skipped { reason }, None),
        };
        Collected { entry: FileEntry { path: FilePath(shown), outcome }, contents }
    }

    fn file(&mut self, location: &[u8]) -> Result<(FileOutcome, Option<(File, u64)>), SkippedFor> {
        if self.found >= self.bounds.max_file_count {
            return Err(SkippedFor::TooMany { max: self.bounds.max_file_count });
        }
        let mut file = self.tree.open_file(location, self.bounds.max_symlinks).map_err(skipped_for)?;
        let file_system = fstatfs(&file).map_err(|errno| unreadable(&errno.into()))?.f_type;
        if !WRITABLE_FILE_SYSTEMS.iter().any(|magic| i64::from(*magic) == file_system) {
            return Err(SkippedFor::NotRegular);
        }
        let size = file.metadata().map_err(|error| unreadable(&error))?.len();
        if self.wanted == FileContents::SizeOnly {
            self.found += 1;
            return Ok((FileOutcome::Size { size }, None));
        }
        let max = self.bounds.max_output_size;
        if size > max {
            return Err(SkippedFor::TooLarge { size, max });
        }
        if size > self.bounds.max_files_size.saturating_sub(self.together) {
            return Err(SkippedFor::TogetherTooLarge { max: self.bounds.max_files_size });
        }
        let sha256 = digest(&mut file, size).map_err(|error| unreadable(&error))?;
        self.found += 1;
        self.together += size;
        Ok((FileOutcome::Contents { size, sha256 }, Some((file, size))))
    }
}

/// The digest of a file of that size; the file is at its beginning again.
fn digest(file: &mut File, size: u64) -> io::Result<Sha256> {
    let mut hasher = sha2::Sha256::new();
    let hashed = io::copy(&mut file.take(size), &mut hasher)?;
    if hashed != size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    file.rewind()?;
    Ok(Sha256(hasher.finalize().into()))
}

fn skipped_for(error: LocateError) -> SkippedFor {
    match error {
        error if error.is_missing() => SkippedFor::Missing,
        LocateError::NotRegular => SkippedFor::NotRegular,
        LocateError::TooManySymlinks { max } => SkippedFor::TooManySymlinks { max },
        LocateError::Io(error) => unreadable(&error),
    }
}

fn unreadable(error: &io::Error) -> SkippedFor {
    const EIO: i32 = 5;
    SkippedFor::Unreadable { errno: error.raw_os_error().unwrap_or(EIO) }
}

#[cfg(test)]
mod tests;
