//! What the first process of a microVM and the runner outside it say to each other.
//!
//! The runner writes a [`GuestConfig`] to a small read-only drive before the start. The guest then connects to the host, port
//! by port, over vsock:
//!
//! ```text
//! guest                                             host
//!   5002  Hello ────────────────────────────────▶   version and token checked
//!         ◀──────────────────────────────── Run     one benchmark
//!         Started ──────────────────────────────▶   its clock begins
//!   5003  Opening, PieceHeader, text, … ────────▶   only where that is wanted: what it prints meanwhile
//!         ◀─────────────────────────────── Stop     only on a timeout or a cancel
//!         Ended ────────────────────────────────▶   exit, wall time
//!   5000  Opening, StreamHeader, stdout ────────▶
//!   5001  Opening, StreamHeader, stderr ────────▶   lengths and digests checked
//!   5005  Opening, FilesHeader, files ──────────▶
//!   5002  Delivered ────────────────────────────▶
//!         ◀──────────────────── Run, or Finish      the next benchmark in the same guest, or the end
//!         (reboot)
//! ```
//!
//! A guest that cannot go on says `Failed`, in the place of whatever it would have said next, be it `Hello`; it waits a
//! moment for the host to close the connection, and reboots.
//!
//! Everything here is pure: bytes in, messages out, within bounds. Neither side believes the other; the host gives
//! everything a bound and a deadline, for a guest may say anything.

pub mod boot;
pub mod config;
pub mod control;
pub mod delivery;
mod digits;
pub mod drive;
pub mod frame;
pub mod limits;
pub mod live;
pub mod pattern;
pub mod port;

pub use config::GuestConfig;
pub use control::{FromGuest, ToGuest};
pub use delivery::{FileEntry, FilesHeader, Opening, StreamHeader};

/// What both sides must speak. Raised by every change of a message or its meaning.
pub const PROTOCOL_VERSION: u16 = 2;
