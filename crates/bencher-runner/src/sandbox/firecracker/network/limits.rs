//! Bounds and defaults of a guest's network.

use std::{net::Ipv4Addr, time::Duration};

use ipnet::Ipv4Net;

/// Default pool of addresses; the owner of the runner may change it. Not 100.64.0.0/10, which Tailscale guards with firewall
/// rules of its own and clouds use inside, and not the ranges home routers and Docker take first.
pub const POOL: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(10, 207, 0, 0), 16);

/// Bits of the prefix of one guest's range: two networks of four addresses.
pub(super) const RANGE_PREFIX: u8 = 29;

/// The widest pool that is accepted: the largest private network there is.
pub(super) const WIDEST_POOL_PREFIX: u8 = 8;

/// Guests with a network on one host. Their interfaces' names have room for five digits.
pub(super) const MAX_RANGES: u32 = 8192;

/// Default bytes per second in each direction: what a gigabit port carries. The owner of the runner may change it.
pub const BYTES_PER_SECOND: u64 = 125_000_000;

/// Default packets per second in each direction: a gigabit of full packets. A flood of small ones costs the host's
/// processors, not its line. The owner of the runner may change it.
pub const PACKETS_PER_SECOND: u64 = 100_000;

/// Default connections at the same time. Each takes a place in the host's table of connections, which all of the host's
/// programs share (65,536 places on a small machine). The owner of the runner may change it.
pub const CONNECTIONS: u32 = 2048;

/// How long a TCP connection without a packet keeps its place in the host's table; the kernel's own five days would let dead
/// guests fill it.
pub(super) const IDLE_CONNECTION: Duration = Duration::from_secs(600);

/// Between two fillings of Firecracker's buckets: short enough that no burst is seen as a stall.
pub(super) const REFILL: Duration = Duration::from_millis(100);

/// The kernel lets this many times through what Firecracker does: it stands behind a machine monitor that no longer obeys,
/// and must not drop what the first limit has only delayed.
pub(super) const KERNEL_SLACK: u64 = 2;

/// Name servers given to a guest: what a C library reads of `/etc/resolv.conf`.
pub(super) const MAX_NAMESERVERS: usize = 3;

/// Bound of attaching and of detaching one guest: some ten calls of milliseconds each, after another runner's.
pub(super) const STEP_TIMEOUT: Duration = Duration::from_secs(60);

/// Bound of a program's answer, in bytes. They list a host's routes of one range and its firewall's chains.
pub(super) const MAX_ANSWER: u64 = 16 * 1024 * 1024;
