//! The only place that reads the time: nanoseconds since the kernel's start, and waiting.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// A moment, in nanoseconds since the kernel's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    pub(crate) fn now() -> Self {
        let time = clock_gettime(ClockId::Monotonic);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or_default()))
    }

    pub(crate) fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// Nothing where `earlier` is later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// As the kernel takes it.
pub(crate) fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX), tv_nsec: duration.subsec_nanos().into() }
}

/// Waits, for where there is nothing to wait on.
pub(crate) fn pause(duration: Duration) {
    // Woken early by a signal, the caller looks a little too soon.
    let _ = rustix::event::poll(&mut [], Some(&timespec(duration)));
}

/// Looks until something is there, for a bounded time.
pub(crate) fn wait_until(bound: Duration, between: Duration, mut is_there: impl FnMut() -> bool) -> bool {
    let deadline = Moment::now().after(bound);
    loop {
        if is_there() {
            return true;
        }
        if Moment::now() >= deadline {
            return false;
        }
        pause(between);
    }
}
