//! The jailer's command line.

use std::path::PathBuf;

use clap::Parser;

/// A stand-in for Firecracker's jailer, for tests: the same command line, jail, cgroups, limits and rights.
///
/// So that the stand-in for Firecracker can run in the jail, this binds the host's /usr, /lib, /lib64 and /dev/null and the
/// programs of a guest into it, read-only and in a mount namespace that is gone with the process; empty folders and files
/// stay where they were. It takes the programs from where the jailer's stand-in itself is: beside it (libuml_shim.so) and in
/// ../tools/bin or on the path (vhost-device-vsock). A limit of the size of files is soft, for the guest's memory is a file
/// here, and a limit of processes has 256 added, for every process of the guest is one of the host.
#[derive(Debug, Parser)]
#[command(name = "jailer", disable_version_flag = true)]
pub(crate) struct Args {
    /// Jail ID
    #[arg(long, required_unless_present = "version")]
    pub(crate) id: Option<String>,
    /// File path to exec into
    #[arg(long, required_unless_present = "version")]
    pub(crate) exec_file: Option<PathBuf>,
    /// The user that the jailed program is
    #[arg(long, required_unless_present = "version")]
    pub(crate) uid: Option<u32>,
    /// The group that it is of
    #[arg(long, required_unless_present = "version")]
    pub(crate) gid: Option<u32>,
    /// The folder of all jails
    #[arg(long, default_value = "/srv/jailer")]
    pub(crate) chroot_base_dir: PathBuf,
    /// The network namespace to join
    #[arg(long)]
    pub(crate) netns: Option<PathBuf>,
    /// Return at once, with the program in a session of its own and without standard streams
    #[arg(long)]
    pub(crate) daemonize: bool,
    /// Return at once, with the program as the first of a process namespace
    #[arg(long)]
    pub(crate) new_pid_ns: bool,
    /// A limit, such as cpu.shares=512; more than once for more
    #[arg(long)]
    pub(crate) cgroup: Vec<String>,
    /// fsize=BYTES or no-file=COUNT
    #[arg(long)]
    pub(crate) resource_limit: Vec<String>,
    /// 1 or 2
    #[arg(long, default_value = "1")]
    pub(crate) cgroup_version: String,
    /// The group in which this jail's is made [default: the name of the program]
    #[arg(long)]
    pub(crate) parent_cgroup: Option<PathBuf>,
    /// Print the version
    #[arg(long)]
    pub(crate) version: bool,
    /// Arguments of the program
    #[arg(last = true)]
    pub(crate) program: Vec<String>,
}
