//! Bounds of what one iteration of a benchmark may produce, and of the steps around it.
//!
//! Plain numbers with their unit and reason; who may change one is said where it is a default.

use std::time::Duration;

/// Default bound of each output stream and of each collected file, in bytes. The owner of the runner may change it.
pub const MAX_OUTPUT_SIZE: u64 = 25 * 1024 * 1024;

/// Default bound of all collected files of an iteration together, in bytes: they are held in memory until delivered.
pub const MAX_FILES_SIZE: u64 = 4 * MAX_OUTPUT_SIZE;

/// Default number of files collected from one iteration. The wire allows no more paths than this.
pub const MAX_FILE_COUNT: usize = 255;

/// Default number of symbolic links followed to reach one file: what the kernel itself follows.
pub const MAX_SYMLINKS: u32 = 40;

/// Names of folders that are looked at to expand one pattern for files.
pub const MAX_PATTERN_NAMES: usize = 100_000;

/// Default time a benchmark's processes have between SIGTERM and SIGKILL, and stragglers after the benchmark's exit.
pub const GRACE_PERIOD: Duration = Duration::from_secs(1);

/// Default number of processes and threads of one iteration: enough for any build, far below what starves a host.
pub const MAX_PIDS: u64 = 4096;

/// Bound of one call of the container runtime or of a file system tool; each takes milliseconds on a healthy host.
pub const RUNTIME_STEP_TIMEOUT: Duration = Duration::from_secs(30);

/// Bound of the wait for processes that have been sent SIGKILL. Longer means one hangs in the kernel.
pub const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a killed benchmark's last output may take to arrive; nothing holds the pipes any more.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// The least time between two messages with what a live job printed, and between two looks at what that is.
pub const LIVE_INTERVAL: Duration = Duration::from_millis(500);

/// Bytes of text of a live job that wait to be sent: two messages' worth, so that a connection that is busy for a moment costs
/// nothing.
pub const LIVE_WAITING_BYTES: usize = 2 * bencher_types::wire::live::MAX_MESSAGE_BYTES;

/// Bound of `/etc/passwd` and `/etc/group` of an image, in bytes.
pub const MAX_ACCOUNT_FILE_SIZE: u64 = 1024 * 1024;

/// Bound of the container runtime's own log that is read for an error message, in bytes.
pub const MAX_RUNTIME_LOG_SIZE: u64 = 64 * 1024;

/// Bound of a guest's first process and of one of its kernel's modules, in bytes. Real ones have a tenth of that at most,
/// and all of them are held in the guest's memory at its start.
pub const MAX_GUEST_FILE_SIZE: u64 = 64 * 1024 * 1024;
