//! What the guest is to do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Everything the guest needs to know, from the configuration drive.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuestConfig {
    /// [`crate::PROTOCOL_VERSION`] of the runner.
    pub version: u16,
    /// Told back with every connection, so that one the benchmark itself opens to a port of ours by accident is known.
    pub token: Token,
    pub hostname: String,
    /// The command and its arguments; the first is looked up in the `PATH` of `env` inside the image.
    pub args: Vec<String>,
    /// The whole environment of the benchmark. `HOME` is added from the image's accounts where it is absent.
    pub env: Vec<(String, String)>,
    /// Absolute path inside the image; created where the image has none.
    pub working_dir: String,
    /// The OCI `User`: `name`, `uid`, `name:group`, `uid:gid`. `None` is root.
    pub user: Option<String>,
    pub rlimits: Vec<Rlimit>,
    /// Processes and threads of the benchmark; `None` is the kernel's own limit.
    pub max_pids: Option<u64>,
    pub bounds: Bounds,
    /// Paths or patterns (`*`, `?`, `[…]`) inside the image that are collected after the benchmark; relative ones start at
    /// `working_dir`.
    pub file_paths: Vec<String>,
    pub file_contents: FileContents,
    /// Milliseconds between SIGTERM and SIGKILL, and for processes that outlive the benchmark.
    pub grace_period_ms: u64,
    /// Whether the host wants to know what the benchmark prints while it runs.
    pub live: bool,
    /// `None`: only `lo` exists.
    pub network: Option<GuestNetwork>,
}

impl fmt::Debug for GuestConfig {
    /// Without the values of the environment, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("GuestConfig").field("args", &self.args).field("env", &names).finish_non_exhaustive()
    }
}

/// 128 random bits that name one guest.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(#[serde(with = "crate::digits::array")] pub [u8; 16]);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// A resource limit of the benchmark, as `setrlimit` takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rlimit {
    pub resource: Resource,
    pub soft: u64,
    pub hard: u64,
}

/// The resources a limit may be set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    Core,
    Fsize,
    Memlock,
    Nofile,
    Nproc,
    Stack,
}

/// How much of what the benchmark produces is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Bytes kept of each stream, and the size of the largest file that is collected.
    pub max_output_size: u64,
    /// Bytes of all collected files together.
    pub max_files_size: u64,
    pub max_file_count: u32,
    /// Symbolic links followed to reach one file.
    pub max_symlinks: u32,
}

/// Whether the bytes of a file are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileContents {
    Read,
    /// Only the size: a large binary needs not to be held in memory to be measured.
    SizeOnly,
}

/// How the guest reaches the outside, where its spec allows that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuestNetwork {
    /// The guest's interface, such as `eth0`.
    pub interface: String,
    /// IPv4 address of the guest.
    pub address: std::net::Ipv4Addr,
    /// Bits of the network's prefix.
    pub prefix: u8,
    pub gateway: std::net::Ipv4Addr,
    /// Written to `/etc/resolv.conf` where there are any.
    pub nameservers: Vec<std::net::IpAddr>,
}
