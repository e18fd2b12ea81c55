//! The time, for lines of the log.

use jiff::Timestamp;

/// As Firecracker writes it: nanoseconds, no zone.
#[expect(clippy::disallowed_methods, reason = "this is the clock module")]
pub(crate) fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.9f").to_string()
}

/// Milliseconds since 1970, for metrics.
#[expect(clippy::disallowed_methods, reason = "this is the clock module")]
pub(crate) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}
