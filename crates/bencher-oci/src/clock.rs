//! The one place of this crate that reads the time of day. Only ages of cached content depend on it.

use std::time::SystemTime;

#[expect(clippy::disallowed_methods, reason = "this is the clock module")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}
