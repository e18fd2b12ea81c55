//! When the benchmark's processes are asked to end, and when they are killed. Pure: is told what happens and the time.
//!
//! ```text
//! Running ──stop──▶ Stopping ──time──▶ Killed ──nobody left──▶ Over
//!    │                                   ▲
//!    └─main ended─▶ Lingering ─time,stop─┘     (from each: nobody left ─▶ Over; host gone ─▶ Killed)
//! ```

use std::time::Duration;

use crate::{clock::Moment, limits};

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// SIGTERM was sent.
    Stopping {
        until: Moment,
    },
    /// The main process has ended; what it started may still write what it was asked for.
    Lingering {
        until: Moment,
    },
    /// SIGKILL was sent.
    Killed {
        until: Moment,
    },
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    MainEnded,
    NobodyLeft,
    Stop,
    HostGone,
    TimeIsUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the signals have to be sent"]
pub(super) enum Action {
    None,
    Terminate,
    Kill,
    /// What was killed does not end.
    GiveUp,
}

impl Phase {
    /// Until when the phase may last. Only the benchmark itself has no bound here.
    pub(super) fn deadline(self) -> Option<Moment> {
        match self {
            Self::Running | Self::Over => None,
            Self::Stopping { until } | Self::Lingering { until } | Self::Killed { until } => Some(until),
        }
    }

    pub(super) fn apply(&mut self, event: Event, now: Moment, grace: Duration) -> Action {
        let killed = Self::Killed { until: now.after(limits::KILL_WAIT) };
        let (next, action) = match (*self, event) {
            (Self::Over, _) | (_, Event::NobodyLeft) => (Self::Over, Action::None),
            (Self::Running, Event::MainEnded) => (Self::Lingering { until: now.after(grace) }, Action::None),
            (Self::Running, Event::Stop) => (Self::Stopping { until: now.after(grace) }, Action::Terminate),
            (Self::Stopping { .. }, Event::TimeIsUp) => (killed, Action::Kill),
            // The result is there; whoever wants an end now does not want to wait for the rest.
            (Self::Lingering { .. }, Event::TimeIsUp | Event::Stop) => (killed, Action::Kill),
            (Self::Killed { .. }, Event::TimeIsUp) => (*self, Action::GiveUp),
            (Self::Running | Self::Stopping { .. } | Self::Lingering { .. }, Event::HostGone) => (killed, Action::Kill),
            (same, _) => (same, Action::None),
        };
        *self = next;
        action
    }
}

#[cfg(test)]
mod tests;
