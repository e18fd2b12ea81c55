//! Firecracker's command line. What only the real one can do (filters of system calls, accounting of start times) is
//! accepted and without effect.

use std::path::PathBuf;

use clap::Parser;

/// As a version of Firecracker that the runner supports.
pub(crate) const VERSION: &str = "1.16.1";

/// A stand-in for Firecracker, for tests: the same command line and API, with User Mode Linux behind it.
///
/// Network interfaces become the guest's eth0, eth1, … on the TAP devices that they name, without rate limits. There is one
/// virtual processor. Balloon, MMDS, pmem, memory hotplug, snapshots and CPU templates are refused.
#[derive(Debug, Parser)]
#[command(name = "firecracker", disable_version_flag = true)]
pub(crate) struct Args {
    /// Path to the Unix domain socket of the API; must not exist
    #[arg(long, default_value = "/run/firecracker.socket")]
    pub(crate) api_sock: PathBuf,
    /// MicroVM unique identifier
    #[arg(long, default_value = "anonymous-instance")]
    pub(crate) id: String,
    /// A file with the whole configuration as JSON; the guest starts at once
    #[arg(long)]
    pub(crate) config_file: Option<PathBuf>,
    /// No API socket
    #[arg(long, requires = "config_file")]
    pub(crate) no_api: bool,
    /// A file for the log [default: standard output]
    #[arg(long)]
    pub(crate) log_path: Option<PathBuf>,
    /// Error, Warning, Info, Debug, Trace or Off; from Debug on, what User Mode Linux says of itself goes to standard error
    #[arg(long)]
    pub(crate) level: Option<String>,
    /// Only this module's lines
    #[arg(long)]
    module: Option<String>,
    /// With the level in every line of the log
    #[arg(long)]
    pub(crate) show_level: bool,
    /// With the place in the source
    #[arg(long)]
    show_log_origin: bool,
    /// A file for the metrics
    #[arg(long)]
    pub(crate) metrics_path: Option<PathBuf>,
    /// The largest body of a request, in bytes
    #[arg(long, default_value_t = 51_200)]
    pub(crate) http_api_max_payload_size: usize,
    /// Largest content of the MMDS, in bytes
    #[arg(long)]
    mmds_size_limit: Option<usize>,
    /// Content of the MMDS
    #[arg(long)]
    metadata: Option<PathBuf>,
    /// A filter of system calls
    #[arg(long, conflicts_with = "no_seccomp")]
    seccomp_filter: Option<PathBuf>,
    /// No filter of system calls
    #[arg(long)]
    no_seccomp: bool,
    #[arg(long, hide = true)]
    start_time_us: Option<u64>,
    #[arg(long, hide = true)]
    start_time_cpu_us: Option<u64>,
    #[arg(long, hide = true)]
    parent_cpu_time_us: Option<u64>,
    /// A device by which the guest tells that it booted
    #[arg(long)]
    boot_timer: bool,
    /// Devices on a PCI bus
    #[arg(long)]
    pub(crate) enable_pci: bool,
    /// Print the version
    #[arg(long)]
    pub(crate) version: bool,
}
