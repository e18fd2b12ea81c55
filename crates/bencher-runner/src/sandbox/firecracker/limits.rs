//! Bounds of what a microVM and its guest may take and how long they may take for it.
//!
//! Plain numbers with their unit and reason. A guest may say and do anything; nothing here depends on its good will.

use std::time::Duration;

use super::network::TokenBucket;

/// First user id of microVMs: above the ranges that distributions give to people, services and containers' subordinate ids.
pub(super) const UID_BASE: u32 = 1_900_000_000;
/// MicroVMs of one host at a time. More than any machine has CPUs for.
pub(super) const UID_COUNT: u32 = 1_000;
/// Where the runners of one host lock the ids they use. Empty after a reboot, as the machines are gone then too.
pub(super) const LOCK_DIR: &str = "/run/bencher/microvm-ids";

/// From the start of a machine's process to its guest's greeting. Real ones take a tenth of a second; a loaded host, or a
/// kernel that probes what is not there, takes longer.
pub(super) const BOOT_TIMEOUT: Duration = Duration::from_secs(60);
/// Making a machine's folder and disk. Without reflinks the image is copied.
pub(super) const PREPARE_TIMEOUT: Duration = Duration::from_secs(300);
/// Until the API's socket answers; it appears after about ten milliseconds.
pub(super) const API_READY_TIMEOUT: Duration = Duration::from_secs(20);
/// Pause between two tries to connect to it.
pub(super) const API_RETRY_PAUSE: Duration = Duration::from_millis(2);
/// One request of the API. `InstanceStart` loads the kernel, which takes up to a fifth of a second.
pub(super) const API_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an API answer that are read. The largest is a machine's whole configuration.
pub(super) const MAX_API_ANSWER: usize = 256 * 1024;

/// From the order to run to the news that the benchmark's process exists. A large program on a cold disk takes a while.
pub(super) const START_TIMEOUT: Duration = Duration::from_secs(60);
/// What a guest may take, beyond twice the grace period, from the order to stop to the news that the benchmark is gone. After
/// it the machine's Ctrl-Alt-Del is pressed and the guest gets as long again.
pub(super) const STOP_SLACK: Duration = Duration::from_secs(5);
/// From one piece of a delivery to the next. The guest has read the largest file's digest by then.
pub(super) const DELIVERY_TIMEOUT: Duration = Duration::from_secs(60);
/// From the order to finish to the end of the machine's process, before it is killed.
pub(super) const FINISH_TIMEOUT: Duration = Duration::from_secs(3);
/// What was sent before a machine ended may still be on its way; it is in the host's memory already.
pub(super) const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);
/// One write on the control connection. An order is a few bytes, so only a guest that reads nothing makes it wait.
pub(super) const ORDER_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections of one port at a time that have not said who they are. The oldest gives way to a new one.
pub(super) const MAX_STRANGERS: usize = 8;
/// Until a connection has said who it is.
pub(super) const OPENING_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections to one port after which each further one costs the guest a pause: a flood then cannot keep the host busy.
pub(super) const CONNECTIONS_BEFORE_PAUSE: u32 = 256;
/// That pause.
pub(super) const CONNECTION_PAUSE: Duration = Duration::from_millis(2);
/// Events on their way from the connections to the conversation. Each holds at most one delivery, and there are three a run.
pub(super) const EVENTS: usize = 8;
/// Longest path of a delivered file in bytes: the kernel's own bound.
pub(super) const MAX_PATH: u64 = 4096;
/// Bytes of all paths of a delivery together, most of which may only tell that their files were too many.
pub(super) const MAX_PATHS: u64 = 8 * 1024 * 1024;

/// Bytes kept of what a machine's console and log last said, each.
pub(super) const KEPT_TAIL: usize = 32 * 1024;
/// What a guest may write to its console: a kernel's last words at once, and as much again each second (bytes, milliseconds).
/// Firecracker drops the rest, so that a flood costs the host no time either.
pub(super) const CONSOLE_RATE: TokenBucket = TokenBucket { size: 64 * 1024, refill_time: 1000 };
/// Lines of it that go into an error's text.
pub(super) const QUOTED_LINES: usize = 5;

/// Most virtual CPUs Firecracker gives a machine.
pub(super) const MAX_VCPUS: u32 = 32;
/// Memory in MiB of a machine whose plan has no limit, which only happens without a server.
pub(super) const DEFAULT_MEMORY_MIB: u64 = 1024;
/// Least memory in MiB: less does not boot an ordinary kernel with its initial file system.
pub(super) const MIN_MEMORY_MIB: u64 = 64;
/// What a machine's control group gets beyond the guest's memory, in bytes: Firecracker's own (about 5 MiB), page tables, and
/// page cache of the disk that is being written back.
pub(super) const MEMORY_OVERHEAD: u64 = 128 * 1024 * 1024;
/// Processes and threads of a machine. Firecracker has one for each virtual CPU and a few more, and its filter allows no `fork`.
pub(super) const MAX_PROCESSES: u64 = 1024;
/// CPUs a machine gets beyond the guest's virtual ones, so that disk and network work does not take time from those.
pub(super) const EMULATION_CPUS: u32 = 1;
/// Open files of a machine's process: each connection of the guest is one.
pub(super) const MAX_OPEN_FILES: u64 = 2048;
