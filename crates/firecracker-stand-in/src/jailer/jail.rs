//! The jail's file system: what is in it, who owns it, and how it becomes the root.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
};

use firecracker_stand_in::tools::{JAIL_FOLDER, RUN_FOLDER, SHIM, Tools, VSOCK};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
    sys::stat::{Mode, SFlag, makedev, mknod},
    unistd::pivot_root,
};

use crate::error::JailError;

/// Made, owned by the jailed user and closed to others, in this order.
const FOLDERS: [&str; 4] = ["/", "/dev", "/dev/net", "/run"];
const FOLDER_MODE: u32 = 0o700;

/// Devices by name and numbers, in the order in which they are made.
const DEVICES: [(&str, u64, u64); 3] = [("/dev/net/tun", 10, 200), ("/dev/kvm", 10, 232), ("/dev/urandom", 1, 9)];
/// Made where the host has it, with the host's numbers.
const USERFAULTFD: &str = "/dev/userfaultfd";

/// What of the host the stand-in for Firecracker needs to run, where the host has it.
const OF_THE_HOST: [&str; 4] = ["/usr", "/lib", "/lib64", "/dev/null"];

pub(crate) struct Jail {
    /// The folder that becomes the root.
    pub(crate) root: PathBuf,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Jail {
    /// Copies the program into the jail, whose folder is made if it is not there.
    pub(crate) fn copy(&self, program: &Path, name: &str) -> Result<(), JailError> {
        fs::create_dir_all(&self.root).map_err(|error| JailError::CreateDir { path: self.root.clone(), error })?;
        let to = self.root.join(name);
        let copied = fs::copy(program, &to).map(drop);
        copied.map_err(|error| JailError::Copy { from: program.to_owned(), to, error })
    }

    /// Makes the jail this process's root, in a mount namespace of its own, with what the stand-in needs bound into it.
    pub(crate) fn enter(&self, tools: &Tools) -> Result<(), JailError> {
        const OLD: &str = "old_root";
        let nothing: Option<&str> = None;
        unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| JailError::Unshare(errno.into()))?;
        mount(nothing, "/", nothing, MsFlags::MS_SLAVE | MsFlags::MS_REC, nothing)
            .map_err(|errno| JailError::Propagation(errno.into()))?;
        mount(Some(&self.root), &self.root, nothing, MsFlags::MS_BIND | MsFlags::MS_REC, nothing)
            .map_err(|errno| JailError::BindRoot(errno.into()))?;
        self.furnish(tools)?;
        std::env::set_current_dir(&self.root).map_err(JailError::Pivot)?;
        fs::create_dir(OLD).map_err(JailError::OldRoot)?;
        pivot_root(".", OLD).map_err(|errno| JailError::Pivot(errno.into()))?;
        std::env::set_current_dir("/").map_err(JailError::Pivot)?;
        umount2(OLD, MntFlags::MNT_DETACH).map_err(|errno| JailError::UnmountOldRoot(errno.into()))?;
        fs::remove_dir(OLD).map_err(JailError::UnmountOldRoot)
    }

    /// Everything is mounted, so that it is gone with the namespace; nothing can be written but the folder for the run.
    fn furnish(&self, tools: &Tools) -> Result<(), JailError> {
        let failed = |what: &Path| {
            let what = what.display().to_string();
            move |error| JailError::Furnish { what, error }
        };
        for source in OF_THE_HOST.map(Path::new).into_iter().filter(|source| source.exists()) {
            self.bind(source, source).map_err(failed(source))?;
        }
        let folder = Path::new(JAIL_FOLDER);
        let run = folder.join(RUN_FOLDER);
        self.memory(folder).map_err(failed(folder))?;
        for (source, name) in [(&tools.shim, SHIM), (&tools.vsock, VSOCK)] {
            self.bind(source, &folder.join(name)).map_err(failed(source))?;
        }
        let inside = self.inside(&run);
        fs::create_dir(&inside).and_then(|()| chown(&inside, Some(self.uid), Some(self.gid))).map_err(failed(&run))
    }

    fn inside(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    fn bind(&self, source: &Path, at: &Path) -> io::Result<()> {
        let source = source.canonicalize()?;
        let at = self.inside(at);
        if source.is_dir() {
            fs::create_dir_all(&at)?;
        } else {
            fs::create_dir_all(at.parent().unwrap_or(&self.root))?;
            fs::File::create(&at)?;
        }
        let nothing: Option<&str> = None;
        mount(Some(&source), &at, nothing, MsFlags::MS_BIND, nothing)?;
        if at.is_dir() || source.is_file() {
            let read_only = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID;
            mount(nothing, &at, nothing, read_only, nothing)?;
        }
        Ok(())
    }

    fn memory(&self, at: &Path) -> io::Result<()> {
        let at = self.inside(at);
        fs::create_dir_all(&at)?;
        Ok(mount(Some("stand-in"), &at, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("mode=0755,size=0"))?)
    }

    /// Folders and devices, from inside.
    pub(crate) fn set_up(&self) -> Result<(), JailError> {
        for folder in FOLDERS.map(PathBuf::from) {
            fs::create_dir_all(&folder).map_err(|error| JailError::CreateDir { path: folder.clone(), error })?;
            fs::set_permissions(&folder, fs::Permissions::from_mode(FOLDER_MODE))
                .map_err(|error| JailError::Chmod { path: folder.clone(), error })?;
            self.own(&folder)?;
        }
        DEVICES.iter().try_for_each(|&(device, major, minor)| self.make_device(device, major, minor))
    }

    pub(crate) fn make_device(&self, device: &'static str, major: u64, minor: u64) -> Result<(), JailError> {
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        mknod(device, SFlag::S_IFCHR, mode, makedev(major, minor))
            .map_err(|errno| JailError::Mknod { device, error: errno.into() })?;
        self.own(Path::new(device))
    }

    fn own(&self, path: &Path) -> Result<(), JailError> {
        chown(path, Some(self.uid), Some(self.gid)).map_err(|error| JailError::Chown { path: path.to_owned(), error })
    }
}

/// The numbers of the host's device for page faults, where there is one: the kernel chooses them.
pub(crate) fn userfaultfd() -> Option<(&'static str, u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let device = fs::metadata(USERFAULTFD).ok()?.rdev();
    Some((USERFAULTFD, nix::sys::stat::major(device), nix::sys::stat::minor(device)))
}
