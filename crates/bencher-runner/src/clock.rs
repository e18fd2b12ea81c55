//! The only place that reads the time.

use std::time::Instant;

use bencher_types::DateTime;

/// A point on the clock that never goes back, for waiting and measuring.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The time of day, for what people read.
pub(crate) fn today() -> DateTime {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    let now = jiff::Timestamp::now();
    now.into()
}
