//! A file as a block device.
//!
//! A device detaches itself when its last user is gone: the open handle first, then the mount. It is given that property in
//! the same system call that attaches the file, so there is no moment at which the death of this process leaves one behind.

use std::{
    ffi::c_int,
    fs::{self, File},
    io,
    os::fd::{AsFd, AsRawFd, RawFd},
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use crate::sandbox::InfrastructureError;

const CONTROL: &str = "/dev/loop-control";

/// How often another process may be quicker than us to take the device that was free.
const ATTEMPTS: u32 = 256;

// The numbers and records of `linux/loop.h`.
const LO_FLAGS_READ_ONLY: u32 = 1;
const LO_FLAGS_AUTOCLEAR: u32 = 4;

#[repr(C)]
#[derive(Default)]
struct LoopInfo {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    sizelimit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    /// File and cipher names, which only old programs read, and the cipher's key: 160 bytes.
    names_and_key: [u64; 20],
    init: [u64; 2],
}

#[repr(C)]
struct LoopConfig {
    fd: u32,
    /// 0 is the kernel's choice.
    block_size: u32,
    info: LoopInfo,
    reserved: [u64; 8],
}

// Not the usual scheme of direction and size: loop devices are older than that.
nix::ioctl_none_bad!(loop_ctl_get_free, 0x4c82);
nix::ioctl_none_bad!(loop_clr_fd, 0x4c01);
nix::ioctl_write_ptr_bad!(loop_configure, 0x4c0a, LoopConfig);

/// Whether the device may be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    ReadOnly,
    ReadWrite,
}

/// A device with a file behind it.
#[derive(Debug)]
#[must_use = "the file is detached when this is dropped and nothing else uses the device"]
pub(super) struct LoopDevice {
    _device: File,
    path: PathBuf,
}

/// Whether this machine has loop devices at all. Loads the kernel's module where that happens by itself.
pub(super) fn check() -> Result<(), InfrastructureError> {
    control().map(drop)
}

fn control() -> Result<File, InfrastructureError> {
    File::options().read(true).write(true).open(CONTROL).map_err(|source| InfrastructureError::NoLoopDevices { source })
}

impl LoopDevice {
    /// Attaches a file to a free device, without direct I/O, so that what is in the page cache is read from there.
    ///
    /// `nodes` is a folder of ours: where `/dev` is a fixed list, as in many containers, the node of a new device is made
    /// there for a moment.
    pub(super) fn attach(backing: &File, access: Access, nodes: &Path) -> Result<Self, InfrastructureError> {
        let control = control()?;
        let failed = |action| InfrastructureError::kernel(action);
        for _ in 0..ATTEMPTS {
            // SAFETY: the request takes no argument and the handle is open.
            let number = unsafe { loop_ctl_get_free(control.as_raw_fd()) };
            let number = number.map_err(|errno| failed("find a free loop device")(errno.into()))?;
            let (device, path) = open(number, access, nodes)?;
            match configure(&device, backing, access) {
                Ok(()) => return Ok(Self { _device: device, path }),
                // Between the two calls it became somebody else's.
                Err(nix::errno::Errno::EBUSY) => std::thread::yield_now(),
                Err(errno) => return Err(failed("attach a file to a loop device")(errno.into())),
            }
        }
        Err(InfrastructureError::LoopDevicesBusy)
    }

    /// Where the device is found for as long as this is held.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn configure(device: &File, backing: &File, access: Access) -> Result<(), nix::errno::Errno> {
    let fd = u32::try_from(backing.as_fd().as_raw_fd()).map_err(|_| nix::errno::Errno::EBADF)?;
    let read_only = if access == Access::ReadOnly { LO_FLAGS_READ_ONLY } else { 0 };
    let info = LoopInfo { flags: read_only | LO_FLAGS_AUTOCLEAR, ..LoopInfo::default() };
    let config = LoopConfig { fd, block_size: 0, info, reserved: [0; 8] };
    // SAFETY: the record has the layout of `struct loop_config` and outlives the call; both handles are open.
    unsafe { loop_configure(device.as_raw_fd(), &raw const config) }.map(drop)
}

fn open(number: c_int, access: Access, nodes: &Path) -> Result<(File, PathBuf), InfrastructureError> {
    let open = |path: &Path| File::options().read(true).write(access == Access::ReadWrite).open(path);
    let path = PathBuf::from(format!("/dev/loop{number}"));
    match open(&path) {
        Ok(device) => Ok((device, path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let device =
                open_by_own_node(number, nodes, open).map_err(|source| InfrastructureError::NoLoopNode { path, source })?;
            let path = format!("/proc/self/fd/{}", device.as_raw_fd());
            Ok((device, path.into()))
        }
        Err(error) => Err(InfrastructureError::io("open", path)(error)),
    }
}

fn open_by_own_node(number: c_int, nodes: &Path, open: impl Fn(&Path) -> io::Result<File>) -> io::Result<File> {
    let text = fs::read_to_string(format!("/sys/block/loop{number}/dev"))?;
    let (major, minor) = text.trim().split_once(':').ok_or(io::ErrorKind::InvalidData)?;
    let device = |number: &str| number.parse::<u32>().map_err(io::Error::other);
    let node = nodes.join(format!("loop{number}"));
    mknodat(CWD, &node, FileType::BlockDevice, Mode::RUSR | Mode::WUSR, makedev(device(major)?, device(minor)?))?;
    let opened = open(&node);
    fs::remove_file(&node)?;
    opened
}

/// Detaches the devices whose file an earlier process of ours attached and that nobody uses. One that is used detaches
/// itself later, as it would anyway.
pub(super) fn release(is_ours: impl Fn(&Path) -> bool) -> Result<(), InfrastructureError> {
    for (device, backing) in attached() {
        if !is_ours(&backing) {
            continue;
        }
        tracing::warn!(device = %device.display(), file = %backing.display(), "detaching what an earlier runner left");
        let Ok(opened) = File::open(&device) else { continue };
        clear(opened.as_raw_fd()).map_err(InfrastructureError::io("detach", device))?;
    }
    Ok(())
}

fn clear(device: RawFd) -> io::Result<()> {
    // SAFETY: the request takes no argument and the handle is open.
    match unsafe { loop_clr_fd(device) } {
        // It detached itself meanwhile.
        Err(nix::errno::Errno::ENXIO) | Ok(_) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Devices in use and the files behind them, as far as the kernel tells.
fn attached() -> Vec<(PathBuf, PathBuf)> {
    let Ok(entries) = fs::read_dir("/sys/block") else { return Vec::new() };
    let attached = entries.flatten().filter_map(|entry| {
        let backing = fs::read_to_string(entry.path().join("loop/backing_file")).ok()?;
        let backing = backing.trim_end_matches('\n').trim_end_matches(" (deleted)");
        Some((Path::new("/dev").join(entry.file_name()), PathBuf::from(backing)))
    });
    attached.collect()
}
