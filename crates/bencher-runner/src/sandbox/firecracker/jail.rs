//! The folder of one machine: what its process sees as its whole file system, prepared before it starts.
//!
//! ```text
//! NAME/warden            who ends the machine's processes, for the next runner
//! NAME/root/kernel       hard links to the runner's own copies, for reading only
//! NAME/root/initramfs
//! NAME/root/disk         this machine's clone of the image's disk
//! NAME/root/config       what the guest is to do: it may hold secrets, so only the machine's user reads it
//! NAME/root/log, metrics pipes: what the guest makes Firecracker write there fills no disk
//! NAME/root/api.sock, v.sock, v.sock_PORT
//! ```
//!
//! With a jailer the program itself, `dev` and `run` are added by it, and `root` becomes the process's `/`.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Write},
    os::{
        fd::AsRawFd,
        unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown, lchown},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::disk;
use crate::{
    clock,
    sandbox::{InfrastructureError, host::sweep::unmount_below},
};

/// Names in a jail. All paths Firecracker is given are relative to its working directory, so they are the same with a jailer
/// and without.
pub(super) mod name {
    pub(crate) const KERNEL: &str = "kernel";
    pub(crate) const INITRAMFS: &str = "initramfs";
    pub(crate) const DISK: &str = "disk";
    pub(crate) const CONFIG: &str = "config";
    pub(crate) const LOG: &str = "log";
    pub(crate) const METRICS: &str = "metrics";
    pub(crate) const API: &str = "api.sock";
}

/// What a machine is made of.
#[derive(Clone, Debug)]
pub(super) struct Equipment {
    pub(super) kernel: PathBuf,
    pub(super) initramfs: PathBuf,
    /// The image's disk.
    pub(super) disk: PathBuf,
    /// Content of the configuration drive.
    pub(super) config: Vec<u8>,
    /// User and group of the machine's process; `None` is the runner's own.
    pub(super) owner: Option<u32>,
}

/// The folder of one machine.
#[derive(Debug)]
#[must_use = "dropping it removes the folder"]
pub(super) struct Jail {
    folder: PathBuf,
    /// Held open from before the machine's process could exchange anything in it.
    root: File,
    /// How long the disk took.
    pub(super) clone_time: Duration,
    /// Bytes the disk may grow to.
    pub(super) disk_size: u64,
}

impl Jail {
    /// Makes the folder `name` below `parent`. Blocking.
    pub(super) fn make(parent: &Path, name: &str, equipment: &Equipment) -> Result<Self, InfrastructureError> {
        let io = InfrastructureError::io;
        let folder = parent.join(name);
        let root = folder.join("root");
        let made = DirBuilder::new().recursive(true).mode(0o700).create(parent);
        made.map_err(io("create", parent))?;
        DirBuilder::new().mode(0o700).create(&folder).map_err(io("create", &folder))?;
        // From here on dropping it removes whatever there is by then.
        let mut undo = Undo { folder: folder.clone(), armed: true };
        DirBuilder::new().mode(0o700).create(&root).map_err(io("create", &root))?;
        provide(&equipment.kernel, &root.join(name::KERNEL))?;
        provide(&equipment.initramfs, &root.join(name::INITRAMFS))?;
        let began = clock::now();
        let path = root.join(name::DISK);
        let disk = disk::clone(&equipment.disk, &path)?;
        let clone_time = clock::now().duration_since(began);
        let owned = |file: &File, mode: u32| {
            file.set_permissions(Permissions::from_mode(mode))?;
            equipment.owner.map_or(Ok(()), |id| fchown(file, Some(id), Some(id)))
        };
        owned(&disk, 0o600).map_err(io("change the owner of", &path))?;
        let disk_size = disk.metadata().map_err(io("look at", &path))?.len();
        let path = root.join(name::CONFIG);
        let config = File::options().write(true).create_new(true).mode(0o400).open(&path);
        let written = config.and_then(|mut file| file.write_all(&equipment.config).and_then(|()| owned(&file, 0o400)));
        written.map_err(io("write", &path))?;
        for pipe in [name::LOG, name::METRICS] {
            let path = root.join(pipe);
            make_pipe(&path, equipment.owner).map_err(InfrastructureError::io("make the pipe", path))?;
        }
        if let Some(id) = equipment.owner {
            lchown(&root, Some(id), Some(id)).map_err(io("change the owner of", &root))?;
        }
        let root = File::open(&root).map_err(io("open", &root))?;
        undo.armed = false;
        Ok(Self { folder, root, clone_time, disk_size })
    }

    /// The folder beside the jail, which the machine's process does not see.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the machine's process sees as its file system.
    pub(super) fn root(&self) -> &File {
        &self.root
    }

    pub(super) fn root_path(&self) -> PathBuf {
        self.folder.join("root")
    }

    /// What the operator should know of the disk.
    pub(super) fn warning(&self) -> Option<String> {
        let disk = fs::metadata(self.within(name::DISK)).ok()?;
        let around = rustix::fs::fstatvfs(&self.root).ok()?;
        let (free, missing) = (around.f_bavail * around.f_frsize, disk.len().saturating_sub(disk.blocks() * 512));
        (free < missing).then(|| {
            let path = self.folder.display();
            format!("a microVM's disk may grow by {missing} bytes, and only {free} are free at {path}: the benchmark may see errors of its disk")
        })
    }

    /// A path to something in the jail that does not depend on the length of the jail's own.
    pub(super) fn within(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.root.as_raw_fd()))
    }
}

impl Drop for Jail {
    fn drop(&mut self) {
        remove(&self.folder);
    }
}

/// Removes a folder that could not be finished.
struct Undo {
    folder: PathBuf,
    armed: bool,
}

impl Drop for Undo {
    fn drop(&mut self) {
        if self.armed {
            remove(&self.folder);
        }
    }
}

fn remove(folder: &Path) {
    // There should be no mounts; if there were, deleting would go through them.
    let removed = unmount_below(folder).map_err(io::Error::other).and_then(|()| fs::remove_dir_all(folder));
    if let Err(error) = removed {
        tracing::warn!(folder = %folder.display(), %error, "could not remove the folder of a microVM; the next start will");
    }
}

/// Gives a machine one of the runner's own files: the same file where that is possible, which takes no time and no room.
fn provide(file: &Path, target: &Path) -> Result<(), InfrastructureError> {
    match fs::hard_link(file, target) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices || error.raw_os_error() == Some(nix::libc::EMLINK) => {
            fs::copy(file, target).map(drop).map_err(InfrastructureError::io("copy the guest's files to", target))
        }
        Err(error) => Err(InfrastructureError::io("link the guest's files to", target)(error)),
    }
}

fn make_pipe(path: &Path, owner: Option<u32>) -> io::Result<()> {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
    owner.map_or(Ok(()), |id| lchown(path, Some(id), Some(id)))
}

/// Makes the runner's own copy of a file that every machine gets a link to: readable by all of them, writable by none.
pub(super) fn keep_copy(file: &Path, target: &Path) -> io::Result<()> {
    let part = target.with_extension("part");
    let _ = fs::remove_file(&part);
    fs::copy(file, &part)?;
    fs::set_permissions(&part, Permissions::from_mode(0o444))?;
    fs::rename(&part, target)
}

#[cfg(test)]
mod tests;
