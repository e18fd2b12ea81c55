//! A folder in memory for the guest's sockets and its memory file, which is gone with the processes that use it.

use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
    path::{Path, PathBuf},
};

use firecracker_stand_in::tools::{JAIL_FOLDER, RUN_FOLDER};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen};

pub(crate) struct RunDir {
    path: PathBuf,
    /// A mount that is nowhere in the tree. Children inherit it.
    _mount: Option<OwnedFd>,
}

impl RunDir {
    /// The jail's, where the jailer's stand-in made one.
    pub(crate) fn open() -> io::Result<Self> {
        let jailed = Path::new(JAIL_FOLDER).join(RUN_FOLDER);
        if jailed.is_dir() {
            return Ok(Self { path: jailed, _mount: None });
        }
        let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        // The guest's memory may be larger than the half of the machine's that is the default.
        fsconfig_set_string(&context, "size", "0")?;
        fsconfig_set_string(&context, "mode", "0700")?;
        fsconfig_create(&context)?;
        let mount = fsmount(&context, FsMountFlags::empty(), MountAttrFlags::empty())?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", mount.as_raw_fd()));
        Ok(Self { path, _mount: Some(mount) })
    }

    /// The same for this process and its children.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
