//! Bounds of installing what microVMs need. Nobody has a reason to change them.

use std::time::Duration;

/// The largest file that is fetched, in bytes: a release archive has 10 MB, a kernel with everything built in 50 MB.
pub(super) const MAX_FILE: u64 = 256 << 20;
/// The most that an archive may hold unpacked, in bytes, what is passed over too.
pub(super) const MAX_UNPACKED: u64 = 1 << 30;
/// The most entries of an archive; a release has about twenty.
pub(super) const MAX_ENTRIES: usize = 10_000;
/// The largest pins file in bytes; one has under a thousand.
pub(super) const MAX_PINS: u64 = 64 << 10;
/// How long a connection may take to be made.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a server may send nothing.
pub(super) const STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// How long one file may take: a quarter of its largest size at dial-up speed is no installation any more.
pub(super) const FETCH_TIMEOUT: Duration = Duration::from_secs(3600);
/// How often a server may send us elsewhere.
pub(super) const MAX_REDIRECTS: usize = 10;
/// How long a program may take to say its version.
pub(super) const VERSION_TIMEOUT: Duration = Duration::from_secs(10);
/// The most that is read of what it says, in bytes.
pub(super) const MAX_VERSION_TEXT: usize = 4096;
