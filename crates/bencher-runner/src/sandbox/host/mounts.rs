//! The mounts of one iteration, made in a mount namespace that no other process of the host is in.
//!
//! The container's own namespace is a copy of it, so the mounts live exactly as long as the container: a runner that
//! is killed leaves none behind. Everything here runs on a thread that ends afterwards, because entering a namespace
//! cannot be undone.

use std::{
    fs::{self, File, Permissions},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown},
    },
    path::Path,
    process::Command,
};

use nix::sched::CloneFlags;
use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    io::Errno,
    mount::{
        MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_change, move_mount,
        open_tree, unmount,
    },
    process::{chroot, fchdir},
};

use super::{
    base::Base,
    loop_device::{Access, LoopDevice},
    program,
};
use crate::sandbox::InfrastructureError;

/// Where the runtime looks for cgroups.
const CGROUPS: &str = "/sys/fs/cgroup";

/// The folder, in an iteration's own, that is the benchmark's root.
pub(super) const MERGED: &str = "rootfs";

/// What holds the writable layer of an iteration, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scratch {
    /// A file system of the wanted size in a file. The file has no name any more once it is mounted.
    Loop { bytes: u64 },
    /// A folder on the disk of the state folder, without a bound.
    Folder,
    /// Memory, counted as the benchmark's where there is a memory cgroup.
    Memory { bytes: Option<u64> },
}

/// Moves the calling thread into a mount namespace of its own, none of whose mounts are shared with another.
pub(super) fn enter_private_namespace() -> Result<(), InfrastructureError> {
    let failed = |errno: Errno| InfrastructureError::kernel("make a private mount namespace")(errno.into());
    nix::sched::unshare(CloneFlags::CLONE_NEWNS)
        .map_err(|errno| InfrastructureError::kernel("unshare the mount namespace")(errno.into()))?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    match mount_change("/", private) {
        Err(Errno::INVAL) => rebase_chroot(private).map_err(InfrastructureError::kernel("turn a chroot into a mount"))?,
        other => other.map_err(failed)?,
    }
    hide_cgroups().map_err(InfrastructureError::kernel("hide cgroups from the container runtime"))
}

/// crun refuses hosts that have no cgroups mounted and hosts that have both versions, even when told to leave them
/// alone. Limits are set by us, so in this namespace it finds an empty folder of the kind it accepts.
fn hide_cgroups() -> io::Result<()> {
    if !Path::new(CGROUPS).is_dir() {
        // A chroot may lack `/sys`; the container gets its own in any case.
        mount("tmpfs", "/sys", "tmpfs", MountFlags::empty(), c"mode=0755,size=64k")?;
        fs::create_dir_all(CGROUPS)?;
    }
    mount("tmpfs", CGROUPS, "tmpfs", MountFlags::empty(), c"mode=0755,size=64k")?;
    Ok(())
}

/// In a chroot `/` is no mount, and neither its propagation can be changed nor a container be pivoted away from it.
/// Joining the namespace that the thread is in already leads to the namespace's true root; from there the chroot is
/// mounted on itself and entered again.
fn rebase_chroot(private: MountPropagationFlags) -> io::Result<()> {
    let jail = openat(CWD, "/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let namespace = File::open("/proc/thread-self/ns/mnt")?;
    nix::sched::setns(namespace.as_fd(), CloneFlags::CLONE_NEWNS)?;
    mount_change("/", private)?;
    let empty_path = OpenTreeFlags::AT_EMPTY_PATH | OpenTreeFlags::AT_RECURSIVE;
    let tree: OwnedFd = open_tree(&jail, "", OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | empty_path)?;
    let onto = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(&tree, "", &jail, "", onto)?;
    fchdir(&tree)?;
    chroot(".")?;
    Ok(())
}

/// Mounts the image with a writable layer over it at [`MERGED`] in `dir`, and says what could not be as asked.
///
/// To be called in a private namespace; changes the working directory of the calling thread.
pub(super) fn mount_image(dir: &Path, base: &Base, disk_bytes: Option<u64>) -> Result<Vec<String>, InfrastructureError> {
    std::env::set_current_dir(dir).map_err(InfrastructureError::io("enter", dir))?;
    for name in [MERGED, "lower", "scratch"] {
        fs::create_dir(name).map_err(InfrastructureError::io("create", dir.join(name)))?;
    }
    // Short relative names: overlay options have their own syntax, and no room for long paths.
    base.move_to("lower")?;
    let image = fs::metadata("lower").map_err(InfrastructureError::io("read", dir.join("lower")))?;
    let mut warnings = Vec::new();
    let kinds = disk_bytes.map(|bytes| Scratch::Loop { bytes }).into_iter();
    let kinds = kinds.chain([Scratch::Folder, Scratch::Memory { bytes: disk_bytes }]);
    let mut last_error = None;
    for kind in kinds {
        match try_scratch(kind, dir, &image) {
            Ok(()) => {
                if kind == Scratch::Folder && disk_bytes.is_some() {
                    warnings.push("no disk limit: a file system in a file could not be mounted".to_owned());
                }
                if matches!(kind, Scratch::Memory { .. }) {
                    warnings.push("what the benchmark writes is kept in memory: the state folder cannot hold it".to_owned());
                }
                return Ok(warnings);
            }
            Err(error) => {
                tracing::debug!(
                    ?kind,
                    error = &error as &dyn std::error::Error,
                    "this kind of writable layer does not work here"
                );
                last_error = Some(error);
            }
        }
        let _ = unmount("scratch", UnmountFlags::DETACH);
    }
    Err(last_error.unwrap_or(InfrastructureError::SetUpLost))
}

fn try_scratch(kind: Scratch, dir: &Path, image: &fs::Metadata) -> Result<(), InfrastructureError> {
    match kind {
        Scratch::Loop { bytes } => mount_loop(dir, bytes)?,
        Scratch::Folder => {}
        Scratch::Memory { bytes } => {
            let size = bytes.map(|bytes| format!("size={bytes},")).unwrap_or_default();
            let data = std::ffi::CString::new(format!("{size}mode=0755")).unwrap_or_default();
            mount("tmpfs", "scratch", "tmpfs", MountFlags::NODEV, data.as_c_str())
                .map_err(|errno| InfrastructureError::io("mount memory at", dir.join("scratch"))(errno.into()))?;
        }
    }
    let failed = |name: &'static str| InfrastructureError::io("prepare", dir.join(name));
    for name in ["scratch/upper", "scratch/work"] {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(name).map_err(failed(name))?;
    }
    // The merged root takes owner and mode from the upper layer.
    chown("scratch/upper", Some(image.uid()), Some(image.gid())).map_err(failed("scratch/upper"))?;
    fs::set_permissions("scratch/upper", Permissions::from_mode(image.mode() & 0o7777)).map_err(failed("scratch/upper"))?;
    for (name, mode) in [("tmp", 0o1777), ("run", 0o755)] {
        if fs::symlink_metadata(Path::new("lower").join(name)).is_err() {
            let path = Path::new("scratch/upper").join(name);
            fs::create_dir_all(&path).map_err(failed("scratch/upper"))?;
            fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(failed("scratch/upper"))?;
        }
    }
    // Without NODEV a device node in an image would be a door to the host's device.
    let options = c"lowerdir=lower,upperdir=scratch/upper,workdir=scratch/work";
    mount("overlay", MERGED, "overlay", MountFlags::NODEV, options)
        .map_err(|errno| InfrastructureError::io("mount an overlay at", dir.join(MERGED))(errno.into()))
}

fn mount_loop(dir: &Path, bytes: u64) -> Result<(), InfrastructureError> {
    let path = dir.join("scratch.ext4");
    let failed = |action| InfrastructureError::io(action, &path);
    File::create(&path).and_then(|file| file.set_len(bytes)).map_err(failed("create"))?;
    // No journal: nothing survives the iteration, and its commits would be noise in the measurement.
    let mut format = Command::new("mke2fs");
    format.args(["-q", "-F", "-t", "ext4", "-m", "0", "-O", "^has_journal", "-E", "lazy_itable_init=1,nodiscard"]).arg(&path);
    program::run(format, "format")?;
    let file = File::options().read(true).write(true).open(&path).map_err(failed("open"))?;
    // The loop device holds the file; without a name it is gone with the mount, whatever happens to us.
    fs::remove_file(&path).map_err(failed("remove"))?;
    let device = LoopDevice::attach(&file, Access::ReadWrite, dir)?;
    // `noinit_itable` keeps the kernel from writing inode tables in the background while the benchmark runs.
    let flags = MountFlags::NOATIME | MountFlags::NODEV;
    mount(device.path(), "scratch", "ext4", flags, c"noinit_itable")
        .map_err(|errno| InfrastructureError::io("mount a file system at", dir.join("scratch"))(errno.into()))
}
