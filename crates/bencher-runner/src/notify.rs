//! Tells systemd how the runner is, where it was started by it.

use std::time::Duration;

use sd_notify::NotifyState;
use tracing::debug;

/// Of the time after which systemd takes the runner for dead, the part between two signs of life. The longest the main loop
/// may be held up by one message to the server has to fit into the rest.
const SIGNS_PER_WATCHDOG: u32 = 4;

/// What is told to the service manager. Without one, nothing.
#[derive(Debug, Default)]
pub struct Notifier {
    watchdog: Option<Duration>,
    said: String,
    stopping: bool,
}

impl Notifier {
    /// As the environment says: `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    #[must_use]
    pub fn from_environment() -> Self {
        let mut micros = 0;
        let watched = sd_notify::watchdog_enabled(false, &mut micros) && micros > 0;
        Self { watchdog: watched.then(|| Duration::from_micros(micros) / SIGNS_PER_WATCHDOG), ..Self::default() }
    }

    /// The time between two signs of life, where any are wanted.
    #[must_use]
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    pub(crate) fn ready(&self) {
        send(&[NotifyState::Ready]);
    }

    pub(crate) fn alive(&self) {
        send(&[NotifyState::Watchdog]);
    }

    /// One line for `systemctl status`, if it is news.
    pub(crate) fn status(&mut self, line: String) {
        if line != self.said {
            send(&[NotifyState::Status(&line)]);
            self.said = line;
        }
    }

    pub(crate) fn stopping(&mut self) {
        if !std::mem::replace(&mut self.stopping, true) {
            send(&[NotifyState::Stopping]);
        }
    }
}

fn send(states: &[NotifyState<'_>]) {
    // Without a service manager this does nothing; with one that does not listen nothing can be done.
    if let Err(error) = sd_notify::notify(false, states) {
        debug!(%error, "could not tell the service manager");
    }
}
