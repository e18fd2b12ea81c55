//! The channel's times and sizes. Those that a v0.6 server fixes say so; the others are ours to change.

use std::time::Duration;

/// How long connecting may take, name lookup and TLS included.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the server may take to say its version.
pub(crate) const VERSION_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one message may take to leave; covers the largest one over a slow line.
pub(crate) const SEND_TIMEOUT: Duration = Duration::from_secs(90);
/// How long the courtesy of a close frame may take.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The time between two heartbeats. A v0.6 server can cancel a job only in answer to one.
pub(crate) const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);
/// The time between two pings while a job runs: a server that answers no heartbeats says nothing else.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(15);
/// After this much silence during a job the connection is dead. Below the server's heartbeat timeout (90 s), so that a new
/// connection is there before the job is given up.
pub(crate) const SILENCE_TIMEOUT: Duration = Duration::from_secs(40);
/// How much longer than the poll itself its answer may take (as the v0.6 runner waits).
pub(crate) const POLL_GRACE: Duration = Duration::from_secs(30);
/// The least time between two `ready`, whatever the server answers.
pub(crate) const MIN_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How long the acknowledgement of a small result may take.
pub(crate) const ACK_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a result for each of which the acknowledgement may take a second longer.
pub(crate) const ACK_BYTES_PER_SECOND: u64 = 128 * 1024;
/// A result at least this large, in bytes, may be what the server closes the connection for.
pub(crate) const OVERSIZE_SUSPECT: u64 = 256 * 1024;
/// After this many connections lost over one such result it is cut down to what any server takes.
pub(crate) const OVERSIZE_DROPS: u32 = 5;

/// A connection that ends this soon, without a word, was probably refused: a v0.6 server checks the key after the upgrade.
pub(crate) const REFUSAL_WINDOW: Duration = Duration::from_secs(5);
/// After this many such connections in a row the runner behaves as if it had been refused.
pub(crate) const SILENT_REFUSALS: u32 = 3;

/// First and longest wait before connecting to a server that cannot be reached. A v0.6 server allows 16 connections a minute,
/// 256 an hour and 4096 a day.
pub(crate) const UNREACHABLE_BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// First and longest wait before connecting to a server that refuses this runner: it takes a person to change that.
pub(crate) const REFUSED_BACKOFF: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(15 * 60));

/// How long a runner that was told to stop tries to deliver what it has. The rest stays in the spool.
pub(crate) const DRAIN_DELIVERY: Duration = Duration::from_secs(30);

/// The largest message taken from a server, in bytes: four times what a server takes by default.
pub(crate) const MAX_INCOMING_MESSAGE: usize = 16 * 1024 * 1024;
/// Socket buffer in bytes; small, because an idle runner should be.
pub(crate) const SOCKET_BUFFER: usize = 16 * 1024;
