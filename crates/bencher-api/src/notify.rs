//! Tells systemd that the server is ready, alive and stopping, where it was started by it.

use std::{net::SocketAddr, time::Duration};

use sd_notify::NotifyState;
use tokio_util::task::AbortOnDropHandle;

/// Signs of life per time after which systemd takes the server for dead.
const SIGNS_PER_WATCHDOG: u32 = 3;

/// Says that connections are taken, and from then on that the server lives. The signs come from a task among those of the
/// requests, so they end when those do not get their turn any more. A database that is away is no reason for them to end:
/// another start would not bring it back.
#[must_use = "the signs of life end when this is dropped"]
pub fn ready(address: SocketAddr) -> Option<AbortOnDropHandle<()>> {
    send(&[NotifyState::Ready, NotifyState::Status(&format!("listening at {address}"))]);
    let mut micros = 0;
    if !sd_notify::watchdog_enabled(false, &mut micros) || micros == 0 {
        return None;
    }
    let mut pause = tokio::time::interval(Duration::from_micros(micros) / SIGNS_PER_WATCHDOG);
    pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    Some(AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            pause.tick().await;
            send(&[NotifyState::Watchdog]);
        }
    })))
}

/// Says that what follows is the end.
pub fn stopping() {
    send(&[NotifyState::Stopping, NotifyState::Status("finishing open requests")]);
}

fn send(states: &[NotifyState<'_>]) {
    // Without a service manager this does nothing; with one that does not listen nothing can be done.
    if let Err(error) = sd_notify::notify(false, states) {
        tracing::debug!(%error, "could not tell the service manager");
    }
}
