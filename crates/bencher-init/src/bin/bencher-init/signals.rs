//! The signals of the first process, as something to wait on: a child's end, and Ctrl-Alt-Del.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};

/// Blocked for this process and read here. Whoever starts a program gives it an empty mask again.
#[derive(Debug)]
pub(crate) struct Signals(SignalFd);

/// What has been signalled since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) child: bool,
    /// Somebody wants the machine to end: the host by Ctrl-Alt-Del, or a program that signals the first process.
    pub(crate) stop: bool,
}

impl Signals {
    pub(crate) fn take() -> io::Result<Self> {
        let mask = SigSet::from_iter([Signal::SIGCHLD, Signal::SIGINT]);
        mask.thread_block()?;
        Ok(Self(SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?))
    }

    /// Does not wait.
    pub(crate) fn pending(&self) -> io::Result<Pending> {
        let mut pending = Pending::default();
        while let Some(signal) = self.0.read_signal()? {
            match i32::try_from(signal.ssi_signo).ok().and_then(|number| Signal::try_from(number).ok()) {
                Some(Signal::SIGCHLD) => pending.child = true,
                _ => pending.stop = true,
            }
        }
        Ok(pending)
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
