//! Points in time as the API writes them.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A point in time: RFC 3339 in JSON, microseconds since the Unix epoch in the database.
///
/// Precision is one microsecond everywhere, so that a value survives a round trip through either.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(from = "Timestamp", into = "Timestamp")]
#[schema(value_type = String, format = DateTime)]
pub struct DateTime(Timestamp);

/// An integer that is no point in time this system can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} microseconds since 1970 is outside the years -9999 to 9999")]
pub struct OutOfRange(pub i64);

impl DateTime {
    /// # Errors
    /// The value is outside the years -9999 to 9999.
    pub fn from_micros(micros: i64) -> Result<Self, OutOfRange> {
        // Not by the crate's own conversion, which refuses the last second that its type can hold.
        Timestamp::from_duration(SignedDuration::from_micros(micros)).map(Self).map_err(|_| OutOfRange(micros))
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub fn as_micros(self) -> i64 {
        self.0.as_microsecond()
    }

    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        self.0
    }

    /// This point moved by a duration; saturates at the ends of the range.
    #[must_use]
    pub fn saturating_add(self, duration: std::time::Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.as_micros().saturating_add(micros)).unwrap_or(Self(Timestamp::MAX))
    }

    /// How long after `earlier` this is; zero where it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> std::time::Duration {
        let micros = self.as_micros().saturating_sub(earlier.as_micros());
        std::time::Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

impl From<Timestamp> for DateTime {
    fn from(timestamp: Timestamp) -> Self {
        Self::from_micros(timestamp.as_microsecond()).unwrap_or(Self(timestamp))
    }
}

impl From<DateTime> for Timestamp {
    fn from(time: DateTime) -> Self {
        time.0
    }
}

impl std::str::FromStr for DateTime {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        text.parse::<Timestamp>().map(Self::from)
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests;
