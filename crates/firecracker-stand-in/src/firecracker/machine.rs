//! The guest's kernel as a process: its command line from the microVM's configuration, and what its end means.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io,
    os::unix::{
        fs::PermissionsExt as _,
        process::{CommandExt as _, ExitStatusExt as _},
    },
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use firecracker_stand_in::tools::REBOOT_EXIT_CODE;
use nix::{
    errno::Errno,
    libc,
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        signal::{Signal, killpg},
    },
    unistd::{AccessFlags, Pid, access},
};
use tokio::process::Child;

use crate::resources::{BootSource, Drive, MachineConfig, NetworkInterface};

/// The name of the guest in its folder of sockets.
const NAME: &str = "vm";

/// Everything that the command line is made of.
pub(crate) struct Plan<'a> {
    pub(crate) boot: &'a BootSource,
    pub(crate) machine: &'a MachineConfig,
    /// In the order in which the guest shall see them.
    pub(crate) drives: &'a [Drive],
    pub(crate) interfaces: &'a [NetworkInterface],
    /// The vsock device's socket.
    pub(crate) vsock: Option<&'a Path>,
    pub(crate) serial: Serial,
    pub(crate) run_dir: &'a Path,
    pub(crate) shim: &'a Path,
    /// Whether what the kernel says of itself goes to standard error.
    pub(crate) verbose: bool,
}

/// Where what the guest writes to its serial port goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Serial {
    Stdout,
    File(PathBuf),
}

/// The end of a guest, as far as it ends the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The guest asked for a restart, which ends Firecracker.
    Reboot,
    /// Its kernel panicked.
    Panic,
    /// What would be a broken virtual processor.
    Crash,
}

impl End {
    pub(crate) fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(REBOOT_EXIT_CODE), _) => Self::Reboot,
            (_, Some(libc::SIGABRT)) => Self::Panic,
            _ => Self::Crash,
        }
    }
}

/// Whether a guest that panics restarts by itself, as its kernel's command line says.
pub(crate) fn reboots_on_panic(boot_args: &str) -> bool {
    let panic = boot_args.split_ascii_whitespace().filter_map(|word| word.strip_prefix("panic=")).next_back();
    panic.and_then(|seconds| seconds.parse::<i64>().ok()).is_some_and(|seconds| seconds != 0)
}

/// The running kernel: the first of the guest's processes, and the head of their group.
pub(crate) struct Machine {
    group: Pid,
    run_dir: PathBuf,
}

impl Machine {
    pub(crate) fn start(plan: &Plan<'_>) -> io::Result<(Self, Child)> {
        let program = executable(Path::new(&plan.boot.kernel_image_path), plan.run_dir)?;
        let mut command = Command::new(program);
        command.args(arguments(plan)).env_clear().env("LD_PRELOAD", plan.shim).env("TMPDIR", plan.run_dir);
        command.stdin(Stdio::null()).process_group(0);
        if !plan.verbose {
            command.stderr(Stdio::null());
        }
        if let Serial::File(path) = &plan.serial {
            command.stdout(crate::log::append(path)?);
        }
        let memory = u64::try_from(plan.machine.mem_size_mib).unwrap_or(u64::MAX).saturating_mul(1 << 20);
        // SAFETY: only system calls are made between fork and exec.
        unsafe { command.pre_exec(move || fix_addresses().and_then(|()| make_room_for_memory(memory))) };
        let mut command = tokio::process::Command::from(command);
        let child = command.kill_on_drop(true).spawn()?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).ok_or(io::ErrorKind::NotFound)?;
        Ok((Self { group: Pid::from_raw(pid), run_dir: plan.run_dir.to_owned() }, child))
    }

    pub(crate) fn pause(&self) -> io::Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    pub(crate) fn resume(&self) -> io::Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// A guest that came to its end stands still as it is.
    fn signal(&self, signal: Signal) -> io::Result<()> {
        match killpg(self.group, signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The socket of the management console.
    pub(crate) fn console(&self) -> PathBuf {
        self.run_dir.join(NAME).join("mconsole")
    }
}

/// The kernel takes everything from its own text to the end of its heap for memory, which a random place makes up to 1 GiB
/// larger.
fn fix_addresses() -> io::Result<()> {
    // SAFETY: a number for the process's own way to place things.
    match unsafe { libc::personality(libc::c_ulong::from(libc::ADDR_NO_RANDOMIZE.cast_unsigned())) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// What the kernel adds to its guest's memory: its own text and data.
const KERNEL_MEMORY: u64 = 128 << 20;

/// The guest's memory is a file here, which a limit for the jail's own files must not bound.
fn make_room_for_memory(bytes: u64) -> io::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_FSIZE)?;
    let wanted = bytes.saturating_add(KERNEL_MEMORY).max(soft).min(hard);
    Ok(setrlimit(Resource::RLIMIT_FSIZE, wanted, hard)?)
}

/// A kernel needs no permission to be executed; a program does. A copy has it.
fn executable(kernel: &Path, run_dir: &Path) -> io::Result<PathBuf> {
    if access(kernel, AccessFlags::X_OK).is_ok() {
        return Ok(kernel.to_owned());
    }
    let copy = run_dir.join("kernel");
    io::copy(&mut File::open(kernel)?, &mut File::create(&copy)?)?;
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o700))?;
    Ok(copy)
}

fn arguments(plan: &Plan<'_>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    let mut add = |name: &str, value: &OsStr| {
        let mut argument = OsString::from(name);
        argument.push(value);
        arguments.push(argument);
    };
    add("mem=", OsStr::new(&format!("{}M", plan.machine.mem_size_mib)));
    for (index, drive) in plan.drives.iter().enumerate() {
        let read_only = if drive.is_read_only == Some(true) { "r" } else { "" };
        add(&format!("ubd{index}{read_only}="), OsStr::new(drive.path_on_host.as_deref().unwrap_or_default()));
    }
    if let Some(initrd) = &plan.boot.initrd_path {
        add("initrd=", OsStr::new(initrd));
    }
    for (index, interface) in plan.interfaces.iter().enumerate() {
        let mac = interface.guest_mac.as_deref().unwrap_or_default();
        add(&format!("eth{index}=tuntap,{},{mac}", interface.host_dev_name), OsStr::new(""));
    }
    if let Some(device) = plan.vsock {
        let mut device = device.as_os_str().to_owned();
        device.push(":19");
        add("virtio_uml.device=", &device);
    }
    let mut folder = plan.run_dir.as_os_str().to_owned();
    folder.push("/");
    add("uml_dir=", &folder);
    add("umid=", OsStr::new(NAME));
    let boot_args = plan.boot.boot_args.as_deref().unwrap_or_default();
    for fixed in ["con=null", "con0=null,fd:2", "ssl=null"] {
        add(fixed, OsStr::new(""));
    }
    // Without a port there is no serial line.
    let port = if has_serial_port(boot_args) { "ssl0=null,fd:1" } else { "ssl0=null" };
    add(port, OsStr::new(""));
    for word in boot_args.split_ascii_whitespace() {
        add(&word.replace("/dev/vd", "/dev/ubd"), OsStr::new(""));
    }
    if let Some(root) = plan.drives.first().filter(|drive| drive.is_root_device) {
        add("root=/dev/ubda", OsStr::new(""));
        add(if root.is_read_only == Some(true) { "ro" } else { "rw" }, OsStr::new(""));
    }
    arguments
}

fn has_serial_port(boot_args: &str) -> bool {
    !boot_args.split_ascii_whitespace().any(|word| word == "8250.nr_uarts=0")
}

#[cfg(test)]
mod tests;
