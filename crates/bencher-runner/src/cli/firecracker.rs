//! Flags of microVMs, the same for every command that starts or looks at them. Each is also a key of the section
//! `[firecracker]` of the configuration file.

use std::{net::Ipv4Addr, path::PathBuf};

use clap::{Args, builder::FalseyValueParser};
use ipnet::Ipv4Net;

use crate::size::ByteSize;

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
    /// How much a microVM may read from the disk of the data folder each second, and write as much, such as 200MiB. Default: as much
    /// as the disk can. A limit shows in what a benchmark of the disk measures.
    #[arg(
        id = "io_bytes_per_second",
        long = "firecracker-io-bytes-per-second",
        env = "BENCHER_FIRECRACKER_IO_BYTES_PER_SECOND",
        value_parser = rate,
        value_name = "SIZE"
    )]
    pub io_bytes_per_second: Option<ByteSize>,
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
    pub allow_networks: Vec<Ipv4Net>,
    /// Name servers (IPv4) of microVMs with a network, separated by commas; they may be private. Default: the public ones of
    /// this machine.
    #[arg(
        id = "nameservers",
        long = "firecracker-nameservers",
        env = "BENCHER_FIRECRACKER_NAMESERVERS",
        value_delimiter = ',',
        value_parser = nameserver,
        value_name = "ADDRESSES"
    )]
    pub nameservers: Vec<Ipv4Addr>,
    /// A private network (IPv4) that nothing else on this machine uses, for the addresses of microVMs. Default: 10.207.0.0/16.
    #[arg(
        id = "network_pool",
        long = "firecracker-network-pool",
        env = "BENCHER_FIRECRACKER_NETWORK_POOL",
        value_parser = network,
        value_name = "NETWORK"
    )]
    pub network_pool: Option<Ipv4Net>,
    /// Bytes per second a microVM with a network may send, and as many receive. Default: 125000000, a gigabit per second.
    #[arg(
        id = "network_rate",
        long = "firecracker-network-rate",
        env = "BENCHER_FIRECRACKER_NETWORK_RATE",
        value_parser = clap::value_parser!(u64).range(1..),
        value_name = "BYTES"
    )]
    pub network_rate: Option<u64>,
    /// Refuse jobs whose spec asks for a network.
    #[arg(
        id = "no_network",
        long = "firecracker-no-network",
        env = "BENCHER_FIRECRACKER_NO_NETWORK",
        value_parser = FalseyValueParser::new()
    )]
    pub no_network: bool,
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

fn network(text: &str) -> Result<Ipv4Net, String> {
    text.parse().map_err(|_| "expected ADDRESS/BITS, such as 10.1.2.0/24".to_owned())
}

fn nameserver(text: &str) -> Result<Ipv4Addr, String> {
    text.parse().map_err(|_| "expected an IPv4 address, such as 10.1.2.3".to_owned())
}

/// A size above 0, which the kernel takes for no rate.
fn rate(text: &str) -> Result<ByteSize, String> {
    match text.parse()? {
        ByteSize(0) => Err("expected more than 0, or no limit at all".to_owned()),
        size => Ok(size),
    }
}
