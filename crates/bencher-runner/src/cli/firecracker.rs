//! Flags of microVMs, the same for every command that starts or looks at them. Each is also a key of the section
//! `[firecracker]` of the configuration file.

use std::path::PathBuf;

use clap::{Args, builder::FalseyValueParser};

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "MicroVMs")]
pub struct FirecrackerArgs {
    /// The program `firecracker`. Default: where `runner install-deps` puts it, else where programs are.
    #[arg(id = "binary_path", long = "firecracker-binary-path", env = "BENCHER_FIRECRACKER_BINARY_PATH", value_name = "FILE")]
    pub binary_path: Option<PathBuf>,
    /// The program `jailer` of the same version. Default: as for `firecracker`.
    #[arg(id = "jailer_path", long = "firecracker-jailer-path", env = "BENCHER_FIRECRACKER_JAILER_PATH", value_name = "FILE")]
    pub jailer_path: Option<PathBuf>,
    /// Start microVMs without the jailer. Only to develop: what gets out of a microVM is then on this machine.
    #[arg(
        id = "no_jailer",
        long = "firecracker-no-jailer",
        env = "BENCHER_FIRECRACKER_NO_JAILER",
        value_parser = FalseyValueParser::new(),
        conflicts_with = "jailer_path"
    )]
    pub no_jailer: bool,
    /// The guest's kernel: an uncompressed ELF `vmlinux`. Default: where `runner install-deps` puts it.
    #[arg(id = "kernel_path", long = "firecracker-kernel-path", env = "BENCHER_FIRECRACKER_KERNEL_PATH", value_name = "FILE")]
    pub kernel_path: Option<PathBuf>,
    /// Kernel modules that the guest loads, in this order, separated by commas. None for a kernel that has all built in.
    #[arg(
        id = "modules",
        long = "firecracker-modules",
        env = "BENCHER_FIRECRACKER_MODULES",
        value_delimiter = ',',
        value_name = "FILES"
    )]
    pub modules: Vec<PathBuf>,
    /// The guest's first process. Default: `bencher-init` beside this program.
    #[arg(id = "init_path", long = "firecracker-init-path", env = "BENCHER_FIRECRACKER_INIT_PATH", value_name = "FILE")]
    pub init_path: Option<PathBuf>,
    /// The first of the user and group numbers that microVMs run as. Nothing else on this machine may use them.
    #[arg(
        id = "uid_base",
        long = "firecracker-uid-base",
        env = "BENCHER_FIRECRACKER_UID_BASE",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(i32::MAX)),
        value_name = "UID"
    )]
    pub uid_base: Option<u32>,
    /// How many of these numbers there are: the most microVMs at a time, of all runners of this machine.
    #[arg(
        id = "uid_count",
        long = "firecracker-uid-count",
        env = "BENCHER_FIRECRACKER_UID_COUNT",
        value_parser = clap::value_parser!(u32).range(1..=65536),
        value_name = "COUNT"
    )]
    pub uid_count: Option<u32>,
    /// Back the guest's memory with pages of 2 MiB from this machine's pool.
    #[arg(
        id = "huge_pages",
        long = "firecracker-huge-pages",
        env = "BENCHER_FIRECRACKER_HUGE_PAGES",
        value_parser = FalseyValueParser::new()
    )]
    pub huge_pages: bool,
    /// More parameters for the guest's kernel.
    #[arg(id = "boot_args", long = "firecracker-boot-args", env = "BENCHER_FIRECRACKER_BOOT_ARGS", value_name = "PARAMETERS")]
    pub boot_args: Option<String>,
    /// The cgroup below which those of microVMs are made.
    #[arg(
        id = "cgroup_parent",
        long = "firecracker-cgroup-parent",
        env = "BENCHER_FIRECRACKER_CGROUP_PARENT",
        value_parser = group,
        value_name = "NAME"
    )]
    pub cgroup_parent: Option<String>,
    /// Networks (IPv4) that microVMs with a network may reach although they are private, such as 10.1.2.0/24, separated by
    /// commas.
    #[arg(
        id = "allow_networks",
        long = "firecracker-allow-networks",
        env = "BENCHER_FIRECRACKER_ALLOW_NETWORKS",
        value_delimiter = ',',
        value_parser = network,
        value_name = "NETWORKS"
    )]
    pub allow_networks: Vec<String>,
}

impl FirecrackerArgs {
    /// Whether somebody said which programs or files to use, and so wants microVMs.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.no_jailer
            || [&self.binary_path, &self.jailer_path, &self.kernel_path, &self.init_path].iter().any(|path| path.is_some())
    }
}

/// One name, without what would make another path of it.
fn group(text: &str) -> Result<String, String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !text.is_empty() && text.len() <= 64 && !text.starts_with('.') && text.chars().all(fine) {
        Ok(text.to_owned())
    } else {
        Err("expected one name of letters, digits, `-`, `_` and `.`, such as bencher".to_owned())
    }
}

fn network(text: &str) -> Result<String, String> {
    let valid = text.split_once('/').is_some_and(|(address, prefix)| {
        address.parse::<std::net::Ipv4Addr>().is_ok() && prefix.parse::<u8>().is_ok_and(|prefix| prefix <= 32)
    });
    if valid { Ok(text.to_owned()) } else { Err("expected ADDRESS/BITS, such as 10.1.2.0/24".to_owned()) }
}
