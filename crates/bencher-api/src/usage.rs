//! What an organization used: over which time that is counted.

use bencher_types::DateTime;
use jiff::tz::TimeZone;

/// The beginning of the calendar month that a time is in, in UTC.
#[must_use]
pub fn month_of(time: DateTime) -> DateTime {
    let month = time.timestamp().to_zoned(TimeZone::UTC).date().first_of_month();
    // Only the first month of all times begins before what can be told.
    month.to_zoned(TimeZone::UTC).map_or(time, |start| start.timestamp().into())
}

#[cfg(test)]
mod tests;
