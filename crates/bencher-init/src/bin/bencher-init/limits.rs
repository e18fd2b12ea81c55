//! Bounds of everything the guest waits for or holds. Only the benchmark itself has none here: its time is the host's.

use std::time::Duration;

/// How long a device of the command line may take to appear. Drivers find theirs within milliseconds of being loaded.
pub(crate) const DEVICE_WAIT: Duration = Duration::from_secs(10);
/// Between two looks for a device.
pub(crate) const DEVICE_POLL: Duration = Duration::from_millis(2);

/// One attempt to connect to the host. The first after the driver's start may be lost, and is answered by nothing.
pub(crate) const CONNECT_ATTEMPT: Duration = Duration::from_millis(100);
/// Between two attempts, where one was refused at once.
pub(crate) const CONNECT_PAUSE: Duration = Duration::from_millis(10);
/// All attempts to connect to one port.
pub(crate) const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// One call that sends to the host or reads a message of it.
pub(crate) const HOST_WAIT: Duration = Duration::from_secs(30);
/// How long the host may leave the guest without an order while nothing runs. It then has forgotten it, or is gone.
pub(crate) const ORDER_WAIT: Duration = Duration::from_secs(120);
/// Attempts to connect only to tell of a failure, and how long the host may take to hear of one: it closes the connection
/// when it has.
pub(crate) const LAST_WORDS_WAIT: Duration = Duration::from_secs(2);
/// An answer of the kernel to a change of the network.
pub(crate) const NETLINK_WAIT: Duration = Duration::from_secs(5);

/// How long processes that were sent SIGKILL may take to end. Longer means one hangs in the kernel.
pub(crate) const KILL_WAIT: Duration = Duration::from_secs(10);

/// Bytes of one read of a stream, and of one write to the host.
pub(crate) const CHUNK: usize = 64 * 1024;
/// Reads of one stream before the others are looked at: a flood must not hide an order to stop.
pub(crate) const READS_AT_ONCE: usize = 16;
/// Bytes a stream's pipe may hold, so that a benchmark that writes much waits little for us. The kernel's own bound for
/// unprivileged users, and so never refused.
pub(crate) const PIPE_SIZE: usize = 1024 * 1024;

/// Between two looks at what a benchmark has printed, where somebody wants to know that while it runs.
pub(crate) const LIVE_INTERVAL: Duration = Duration::from_millis(500);
/// Bytes of one stream that are told at a time. Whatever more was written since the last time is left out.
pub(crate) const LIVE_PIECE: usize = 16 * 1024;

/// Bytes of `/etc/passwd` and `/etc/group` of an image.
pub(crate) const MAX_ACCOUNT_FILE: u64 = 1024 * 1024;
/// Symbolic links followed to one of them: what the kernel itself follows.
pub(crate) const MAX_SYMLINKS: u32 = 40;
/// Bytes of the kernel's command line, of the list of modules and of files of `/proc` that are read.
pub(crate) const MAX_SMALL_FILE: u64 = 64 * 1024;
/// Names of folders that are looked at to expand one pattern.
pub(crate) const MAX_PATTERN_NAMES: usize = 100_000;
