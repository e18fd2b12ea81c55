//! A name and a user of its own for every microVM.

use std::{
    fs::{DirBuilder, File},
    os::unix::fs::DirBuilderExt,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use rand::Rng as _;
use rustix::fs::{FlockOperation, flock};

use super::error::MachineError;
use crate::sandbox::InfrastructureError;

/// How names of microVMs begin.
const PREFIX: &str = "vm-";

/// The user ids that the runners of this host share.
#[derive(Debug)]
pub(super) struct IdPool {
    lock_dir: PathBuf,
    base: u32,
    count: u32,
    /// Where to begin looking: a number that was just given back rests for a while.
    next: AtomicU32,
}

/// A user id, and the group id of the same number, that no other microVM of this host has.
#[derive(Debug)]
#[must_use = "dropping it lets another microVM have the id"]
pub(super) struct Lease {
    pub(super) uid: u32,
    /// Its lock is held as long as it is open: also the kernel ends it, should the runner not.
    _lock: File,
}

impl IdPool {
    pub(super) fn open(lock_dir: PathBuf, base: u32, count: u32) -> Result<Self, InfrastructureError> {
        // The last number means "no user" to the kernel.
        if base == 0 || count == 0 || base.checked_add(count).is_none() {
            return Err(MachineError::IdRange { base, count }.into());
        }
        let created = DirBuilder::new().recursive(true).mode(0o700).create(&lock_dir);
        created.map_err(InfrastructureError::io("create", &lock_dir))?;
        let next = AtomicU32::new(rand::rng().random_range(0..count));
        Ok(Self { lock_dir, base, count, next })
    }

    /// Takes an id that is free.
    pub(super) fn lease(&self) -> Result<Lease, InfrastructureError> {
        for _ in 0..self.count {
            let uid = self.base + self.next.fetch_add(1, Ordering::Relaxed) % self.count;
            let path = self.lock_dir.join(uid.to_string());
            // The file stays: a lock on a file that somebody removes and makes again would be two locks.
            let lock = File::options().create(true).truncate(false).write(true).open(&path);
            let lock = lock.map_err(InfrastructureError::io("open", &path))?;
            match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Lease { uid, _lock: lock }),
                Err(rustix::io::Errno::WOULDBLOCK) => {}
                Err(errno) => return Err(InfrastructureError::io("lock", &path)(errno.into())),
            }
        }
        Err(MachineError::NoIdFree { count: self.count }.into())
    }
}

/// A name that no other microVM has or had: the jailer wants it of letters, digits and `-`, at most 64 of them, and never twice.
pub(super) fn new_name() -> String {
    format!("{PREFIX}{}", uuid::Uuid::new_v4().simple())
}

#[cfg(test)]
mod tests;
