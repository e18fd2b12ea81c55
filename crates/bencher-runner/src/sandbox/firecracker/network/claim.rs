//! Who uses which range, known to all runners of this host. Blocking.
//!
//! A range belongs to whoever holds the lock of its file; the kernel takes the lock from a process that dies. Files come and
//! go only under the lock of the whole folder, so a lock is never held on a file that has lost its name.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, TryLockError},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use crate::sandbox::InfrastructureError;

const LOCK: &str = "lock";
const NEXT: &str = "next";

/// The folder of the network's state.
#[derive(Clone, Debug)]
pub(super) struct StateDir(PathBuf);

/// The folder with its lock held: nobody else changes anything meanwhile.
#[derive(Debug)]
pub(super) struct Locked<'a> {
    dir: &'a StateDir,
    _lock: File,
}

/// A range that is ours until this is dropped.
#[derive(Debug)]
#[must_use = "dropping it gives the range to whoever asks next"]
pub(super) struct Claim {
    _file: File,
}

impl StateDir {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn exists(&self) -> bool {
        self.0.is_dir()
    }

    /// Waits until no other runner changes the network. The others are bounded, so this is.
    pub(super) fn lock(&self) -> Result<Locked<'_>, InfrastructureError> {
        let created = DirBuilder::new().recursive(true).mode(0o700).create(&self.0);
        created.map_err(InfrastructureError::io("create", &self.0))?;
        let path = self.0.join(LOCK);
        let file = open(&path)?;
        file.lock().map_err(InfrastructureError::io("lock", &path))?;
        Ok(Locked { dir: self, _lock: file })
    }

    /// Where the namespace of a range has its name.
    pub(super) fn netns(&self, index: u32) -> PathBuf {
        self.0.join(format!("vm{index}.netns"))
    }

    fn claim_path(&self, index: u32) -> PathBuf {
        self.0.join(format!("vm{index}.lock"))
    }
}

impl Locked<'_> {
    /// The range, if nobody has it.
    pub(super) fn try_claim(&self, index: u32) -> Result<Option<Claim>, InfrastructureError> {
        let path = self.dir.claim_path(index);
        let file = open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Claim { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(InfrastructureError::io("lock", &path)(error)),
        }
    }

    /// Gives a range back.
    pub(super) fn release(&self, index: u32, claim: Claim) -> Result<(), InfrastructureError> {
        let path = self.dir.claim_path(index);
        let removed = fs::remove_file(&path);
        drop(claim);
        removed.map_err(InfrastructureError::io("remove", path))
    }

    /// The ranges that are, or once were, somebody's.
    pub(super) fn known(&self) -> Result<BTreeSet<u32>, InfrastructureError> {
        let entries = fs::read_dir(&self.dir.0).map_err(InfrastructureError::io("list", &self.dir.0))?;
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        Ok(names.filter_map(|name| name.strip_prefix("vm")?.split('.').next()?.parse().ok()).collect())
    }

    /// Where to look first for a free range: after the one given last, so that what outside hosts still send to a guest that
    /// is gone does not reach the next.
    pub(super) fn next(&self) -> u32 {
        fs::read_to_string(self.dir.0.join(NEXT)).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    pub(super) fn set_next(&self, index: u32) -> Result<(), InfrastructureError> {
        let path = self.dir.0.join(NEXT);
        fs::write(&path, index.to_string()).map_err(InfrastructureError::io("write", path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.dir.0
    }
}

fn open(path: &Path) -> Result<File, InfrastructureError> {
    let opened: io::Result<File> = File::options().create(true).truncate(false).write(true).open(path);
    opened.map_err(InfrastructureError::io("open", path))
}
