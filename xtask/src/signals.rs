//! Being asked to stop: a command is interrupted, but what it started is still stopped and its folders are removed.
//!
//! Ctrl-C reaches the whole foreground process group, so the program that runs in front ends by itself; here the
//! signal is only remembered, and the command goes on to its clean-up. A SIGTERM comes to this process alone and is
//! handed on; a second one ends the program in front at once.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use anyhow::{Context as _, Result};
use nix::{
    libc,
    sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction},
};

/// The process in front, or 0.
static IN_FRONT: AtomicI32 = AtomicI32::new(0);
/// How many times this process was asked to stop.
static ASKED: AtomicU32 = AtomicU32::new(0);

/// Handlers, unlike ignored signals, are not inherited by the programs that are started.
pub(crate) fn install() -> Result<()> {
    let action = SigAction::new(SigHandler::Handler(on_signal), SaFlags::SA_RESTART, SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: the handler only touches atomics and calls kill(2), which is async-signal-safe.
        unsafe { sigaction(signal, &action) }.with_context(|| format!("could not handle {signal}"))?;
    }
    Ok(())
}

/// Says which process is in front until the guard is dropped.
#[must_use = "the process is in front only while the guard lives"]
pub(crate) fn in_front(pid: u32) -> InFront {
    // A process id always fits: the kernel's own type is a signed 32-bit integer.
    IN_FRONT.store(i32::try_from(pid).unwrap_or(0), Ordering::SeqCst);
    InFront
}

/// See [`in_front`].
pub(crate) struct InFront;

impl Drop for InFront {
    fn drop(&mut self) {
        IN_FRONT.store(0, Ordering::SeqCst);
    }
}

/// Whether a person or a supervisor wants this command to end.
pub(crate) fn stop_requested() -> bool {
    ASKED.load(Ordering::SeqCst) > 0
}

extern "C" fn on_signal(number: libc::c_int) {
    let before = ASKED.fetch_add(1, Ordering::SeqCst);
    let pid = IN_FRONT.load(Ordering::SeqCst);
    if pid > 0 && number == libc::SIGTERM {
        let signal = if before == 0 { libc::SIGTERM } else { libc::SIGKILL };
        // SAFETY: kill(2) takes no pointers; the process is our child and not yet waited for, so its id is not reused.
        unsafe { libc::kill(pid, signal) };
    }
}
