//! An image's file system, mounted where nobody but us can see it.
//!
//! The mount has no place in any namespace until it is moved into an iteration's own, so it ends with the handle or with
//! that namespace, whatever happens to this process.
//!
//! The file is one this runner wrote from the image's layers; a file system that comes from elsewhere is never mounted. What
//! is mounted all the same can be damaged by a failing disk, so the options leave the kernel nothing to write and no
//! reason to stop the machine.

use std::{fs::File, os::fd::OwnedFd, path::Path};

use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    io::Errno,
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string,
        fsmount, fsopen, move_mount,
    },
};

use super::loop_device::{Access, LoopDevice};
use crate::sandbox::{InfrastructureError, rootfs::AnchoredRoot};

/// A mounted image that is in no namespace yet.
#[derive(Debug)]
#[must_use = "the image is unmounted when this is dropped"]
pub(super) struct Base(OwnedFd);

impl Base {
    /// Mounts the ext4 file system in a file, read-only. `nodes` as in [`LoopDevice::attach`]. Blocking.
    pub(super) fn mount(image: &Path, nodes: &Path) -> Result<Self, InfrastructureError> {
        let file = File::open(image).map_err(InfrastructureError::io("open the image", image))?;
        let device = LoopDevice::attach(&file, Access::ReadOnly, nodes)?;
        // From here on the mount keeps the device, and the device the file.
        mount_detached(device.path())
            .map(Self)
            .map_err(|errno| InfrastructureError::BadBase { path: image.to_owned(), source: errno.into() })
    }

    /// The image's tree, to be read before anything is over it.
    pub(super) fn tree(&self) -> Result<AnchoredRoot, InfrastructureError> {
        let root = openat(&self.0, ".", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        root.map(AnchoredRoot::from).map_err(|errno| InfrastructureError::kernel("open the image's tree")(errno.into()))
    }

    /// Gives the mount its place in the calling thread's namespace.
    pub(super) fn move_to(&self, place: &str) -> Result<(), InfrastructureError> {
        move_mount(&self.0, "", CWD, place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
            .map_err(|errno| InfrastructureError::kernel("put the image's mount in place")(errno.into()))
    }
}

fn mount_detached(device: &Path) -> Result<OwnedFd, Errno> {
    let context = fsopen("ext4", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let context = &context;
    fsconfig_set_string(context, "source", device)?;
    fsconfig_set_flag(context, "ro")?;
    // Whatever the superblock says: no journal to replay, and nothing worse than an error after an error.
    fsconfig_set_flag(context, "noload")?;
    fsconfig_set_string(context, "errors", "remount-ro")?;
    fsconfig_create(context)?;
    // Without NODEV a device node in an image would be a door to the host's device. Set-user-id bits stay, as an image
    // means them; a benchmark's processes cannot gain rights by them.
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NODEV;
    fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

#[cfg(test)]
mod tests;
