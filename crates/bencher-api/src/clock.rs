//! The only place of the server that reads the time.

use bencher_types::DateTime;

/// Where the server gets the time from: the machine, or a test that sets it.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    #[default]
    System,
    #[cfg(test)]
    Fixed(std::sync::Arc<std::sync::Mutex<DateTime>>),
}

impl Clock {
    #[must_use]
    pub fn now(&self) -> DateTime {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the clock")]
            Self::System => jiff::Timestamp::now().into(),
            #[cfg(test)]
            Self::Fixed(time) => *time.lock().expect("no panics while the lock is held"),
        }
    }
}
