//! Waiting, asynchronously, for a process that an open handle names.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::process::{WaitId, WaitIdOptions, WaitIdStatus, waitid};
use tokio::io::unix::AsyncFd;

/// A process handle (pidfd) the asynchronous runtime watches.
#[derive(Debug)]
pub(super) struct WatchedProcess(AsyncFd<OwnedFd>);

impl WatchedProcess {
    /// `handle` is a pidfd. To be called in the context of the asynchronous runtime.
    pub(super) fn new(handle: OwnedFd) -> io::Result<Self> {
        // SAFETY: the handle is owned, never lent mutably and never replaced, so it stays open until it is deregistered.
        let registered = unsafe { AsyncFd::register(handle) };
        registered.map(Self).map_err(|error| error.into_parts().1)
    }

    /// Waits for the end of any process, child or not, without reaping it.
    pub(super) async fn ended(&self) -> io::Result<()> {
        self.0.readable().await.map(|mut guard| guard.retain_ready())
    }

    /// Waits for the end of a child of ours and reaps it. May be dropped half-way and called again.
    pub(super) async fn reaped(&self) -> io::Result<WaitIdStatus> {
        loop {
            let mut ready = self.0.readable().await?;
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
            match waitid(WaitId::PidFd(self.0.get_ref().as_fd()), options)? {
                Some(status) => return Ok(status),
                None => ready.clear_ready(),
            }
        }
    }
}
