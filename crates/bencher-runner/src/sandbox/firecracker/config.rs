//! What the owner of the host decides about microVMs.

use std::{path::PathBuf, time::Duration};

use super::{limits, network::NetworkConfig};

/// Programs, files and ranges that microVMs are made with.
#[derive(Clone, Debug)]
pub struct FirecrackerConfig {
    /// Folder of this sandbox alone, on a disk with room for what benchmarks write; one with reflinks makes disks fastest.
    /// Created if absent.
    pub state_dir: PathBuf,
    /// The `firecracker` program. Its file name becomes part of the jails' paths.
    pub firecracker: PathBuf,
    /// The `jailer` of the same version. `None` starts Firecracker as the runner's own user and in no chroot: for development only.
    pub jailer: Option<PathBuf>,
    /// The guest's kernel: an uncompressed ELF `vmlinux`.
    pub kernel: PathBuf,
    /// Kernel modules the guest's first process loads, in this order.
    pub modules: Vec<PathBuf>,
    /// The static `bencher-init`.
    pub init: PathBuf,
    /// First of the user ids, and group ids of the same numbers, that microVMs run as. Nothing else on the host may use them.
    pub uid_base: u32,
    /// How many there are: the most microVMs on this host at a time, of all its runners.
    pub uid_count: u32,
    /// Folder of the locks by which the runners of one host share that range. The same for all of them.
    pub lock_dir: PathBuf,
    /// Folder below each cgroup hierarchy for the groups of microVMs.
    pub cgroup_parent: String,
    /// Backs the guest's memory with 2 MiB pages of the host's pool.
    pub huge_pages: bool,
    /// Appended to the kernel's command line.
    pub boot_args: Option<String>,
    pub log_level: LogLevel,
    /// Bytes a second a microVM may read from the disk of `state_dir`, and as many to write; `None` is no limit. A limit is
    /// noise in what a benchmark of the disk measures.
    pub io_bytes_per_second: Option<u64>,
    /// From the start of a machine to its guest's greeting.
    pub boot_timeout: Duration,
    /// How guests whose spec asks for a network reach the outside. `None` refuses such specs.
    pub network: Option<NetworkConfig>,
}

/// How much Firecracker logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    #[default]
    Warn,
    Info,
    Debug,
}

impl LogLevel {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Error => "Error",
            Self::Warn => "Warn",
            Self::Info => "Info",
            Self::Debug => "Debug",
        }
    }
}

impl FirecrackerConfig {
    /// The defaults, with the files that have none.
    #[must_use]
    pub fn new(state_dir: PathBuf, firecracker: PathBuf, kernel: PathBuf, init: PathBuf) -> Self {
        Self {
            state_dir,
            firecracker,
            jailer: None,
            kernel,
            modules: Vec::new(),
            init,
            uid_base: limits::UID_BASE,
            uid_count: limits::UID_COUNT,
            lock_dir: PathBuf::from(limits::LOCK_DIR),
            cgroup_parent: "bencher".to_owned(),
            huge_pages: false,
            boot_args: None,
            log_level: LogLevel::default(),
            io_bytes_per_second: None,
            boot_timeout: limits::BOOT_TIMEOUT,
            network: None,
        }
    }
}
