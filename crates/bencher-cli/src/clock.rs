//! The one place that reads the time.

use bencher_types::DateTime;
use jiff::Timestamp;

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub(crate) fn now() -> DateTime {
    Timestamp::now().into()
}
