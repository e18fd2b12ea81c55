//! File systems: those of the kernel, the image's own, and the change from the initial one to it.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::Path,
};

use bencher_init::control::GuestFailure;
use rustix::{
    fs::statfs,
    mount::{MountFlags, UnmountFlags, mount, mount_move, unmount},
    process::{chdir, chroot},
};

use crate::{failure, limits};

/// Where the image's file system is mounted before it becomes the root.
const NEW_ROOT: &str = "/newroot";
/// `ramfs` and `tmpfs`, what an initial file system can be.
const IN_MEMORY: [u32; 2] = [0x8584_58f6, 0x0102_1994];

/// A file system of the kernel.
struct KernelMount {
    target: &'static str,
    kind: &'static str,
    flags: MountFlags,
    data: &'static std::ffi::CStr,
    /// Whether a guest without it is of no use.
    need: Need,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Must,
    /// A kernel may be built without it.
    Can,
}

const NO_EXTRAS: MountFlags = MountFlags::NOSUID.union(MountFlags::NOEXEC).union(MountFlags::NODEV);

/// In this order: some lie within others.
#[rustfmt::skip]
const OF_THE_IMAGE: [KernelMount; 7] = [
    KernelMount { target: "/proc", kind: "proc", flags: NO_EXTRAS, data: c"", need: Need::Must },
    KernelMount { target: "/sys", kind: "sysfs", flags: NO_EXTRAS, data: c"", need: Need::Must },
    KernelMount { target: "/dev", kind: "devtmpfs", flags: MountFlags::NOSUID, data: c"mode=0755", need: Need::Must },
    KernelMount { target: "/dev/pts", kind: "devpts", flags: MountFlags::NOSUID.union(MountFlags::NOEXEC), data: c"ptmxmode=0666,mode=0620,gid=5", need: Need::Can },
    KernelMount { target: "/dev/shm", kind: "tmpfs", flags: MountFlags::NOSUID.union(MountFlags::NODEV), data: c"mode=1777", need: Need::Must },
    KernelMount { target: "/dev/mqueue", kind: "mqueue", flags: NO_EXTRAS, data: c"", need: Need::Can },
    KernelMount { target: "/sys/fs/cgroup", kind: "cgroup2", flags: NO_EXTRAS, data: c"", need: Need::Can },
];

/// Folders that programs write to, and their modes. An image's own stay as they are, on its disk; one that it lacks is made
/// in memory.
const TEMPORARY: [(&str, &std::ffi::CStr); 2] = [("/tmp", c"mode=1777"), ("/run", c"mode=0755")];

/// Names in `/dev` that programs expect, and that no driver makes.
const DEVICE_LINKS: [(&str, &str); 4] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
];

/// What is needed to find the devices.
pub(crate) fn of_the_initramfs() -> Result<(), GuestFailure> {
    for (target, kind) in [("/proc", "proc"), ("/sys", "sysfs"), ("/dev", "devtmpfs")] {
        make_folder(target).map_err(failure::mount(target))?;
        match mount(kind, target, kind, MountFlags::NOSUID, None) {
            // Some kernels mount this one themselves.
            Ok(()) | Err(rustix::io::Errno::BUSY) => {}
            Err(error) => return Err(failure::mount(target)(error)),
        }
    }
    Ok(())
}

/// Mounts the image's file system, gives back the memory of the initial one, and makes the image's the root.
pub(crate) fn switch_to(device: &str) -> Result<(), GuestFailure> {
    make_folder(NEW_ROOT).map_err(failure::mount(NEW_ROOT))?;
    mount(device, NEW_ROOT, "ext4", MountFlags::NOATIME, None).map_err(failure::mount(device))?;
    for target in ["/proc", "/sys", "/dev"] {
        unmount(target, UnmountFlags::DETACH).map_err(failure::mount(target))?;
    }
    free_the_initramfs().map_err(failure::system("free the initial file system"))?;
    let switched = chdir(NEW_ROOT).and_then(|()| mount_move(".", "/")).and_then(|()| chroot(".")).and_then(|()| chdir("/"));
    switched.map_err(failure::mount("the image's file system as the root"))
}

/// Mounts what programs expect to find inside the image's tree.
pub(crate) fn of_the_image(hostname: &str) -> Result<(), GuestFailure> {
    for it in &OF_THE_IMAGE {
        let mounted = make_folder(it.target).and_then(|()| Ok(mount(it.kind, it.target, it.kind, it.flags, it.data)?));
        match mounted {
            Ok(()) => {}
            Err(_) if it.need == Need::Can => {}
            Err(error) => return Err(failure::mount(it.target)(error)),
        }
    }
    for (target, data) in TEMPORARY {
        if !Path::new(target).exists() {
            let flags = MountFlags::NOSUID | MountFlags::NODEV;
            let mounted = make_folder(target).and_then(|()| Ok(mount("tmpfs", target, "tmpfs", flags, data)?));
            mounted.map_err(failure::mount(target))?;
        }
    }
    for (link, target) in DEVICE_LINKS {
        let _ = symlink(target, link);
    }
    hosts_file(hostname).map_err(failure::system("write /etc/hosts"))
}

/// Images leave this file to whoever runs them; one that has something to say keeps its own.
fn hosts_file(hostname: &str) -> io::Result<()> {
    let path = Path::new("/etc/hosts");
    if fs::metadata(path).is_ok_and(|file| file.len() > 0) {
        return Ok(());
    }
    make_folder("/etc")?;
    fs::write(path, format!("127.0.0.1\tlocalhost {hostname}\n::1\tlocalhost {hostname}\n"))
}

fn make_folder(path: &str) -> io::Result<()> {
    match fs::create_dir(path) {
        Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(0o755)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes everything of the initial file system: it lies in the memory that the benchmark is to have.
fn free_the_initramfs() -> io::Result<()> {
    let kind = statfs("/")?.f_type;
    if !IN_MEMORY.iter().any(|magic| i64::from(*magic) == kind) {
        return Err(io::Error::other(format!("the root is no file system in memory but of type {kind:#x}")));
    }
    let device = fs::symlink_metadata("/")?.dev();
    remove_below(Path::new("/"), device)
}

/// Removes what is in a folder, as far as it lies on this device.
fn remove_below(folder: &Path, device: u64) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = fs::symlink_metadata(&path)?;
        if found.dev() != device {
            continue;
        }
        if found.is_dir() {
            remove_below(&path, device)?;
            fs::remove_dir(&path)?;
        } else {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Reads a file of the kernel, or of the initial file system, that is known to be small.
pub(crate) fn read_small(path: &str) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(limits::MAX_SMALL_FILE).read_to_string(&mut text)?;
    Ok(text)
}
