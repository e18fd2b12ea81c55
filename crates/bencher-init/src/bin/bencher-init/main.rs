//! The first process of a microVM: prepares the machine and the image's file system, runs one benchmark after the other as
//! the host orders, hands over what they left, and restarts the machine, which ends it.
//!
//! A straight line of synchronous steps. While a benchmark runs it sleeps until something happens: it must not take time
//! from what is measured. Every failure of its own is told to the host where there is a connection, else to the console,
//! and ends in a restart: it never returns and waits for nothing but the benchmark without a bound.

mod account;
mod boot;
mod cgroup;
mod clock;
mod command;
mod console;
mod execute;
mod failure;
mod files;
mod host;
mod limits;
mod live;
mod mounts;
mod network;
mod signals;
mod tree;
mod vsock;

use std::{
    io::{self, Write as _},
    panic::{self, AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    sync::Mutex,
};

use bencher_init::control::GuestFailure;
use rustix::system::{RebootCommand, reboot};

use crate::{clock::Moment, host::Host};

/// What the last panic said.
static PANIC: Mutex<String> = Mutex::new(String::new());

fn main() -> ExitCode {
    let started = Moment::now();
    if !rustix::process::getpid().is_init() {
        // Somebody called it by hand. Where nobody reads that, nobody has to be told.
        let _ = writeln!(io::stderr(), "bencher-init is the first process of a microVM and does nothing elsewhere");
        return ExitCode::FAILURE;
    }
    panic::set_hook(Box::new(|panic| {
        if let Ok(mut text) = PANIC.lock() {
            *text = panic.to_string();
        }
    }));
    let mut host = Host::default();
    // The file systems live in memory and on a disk that is thrown away: nothing has to be written out before the restart.
    let lived = catch_unwind(AssertUnwindSafe(|| boot::live(started, &mut host)));
    let failure = match lived {
        Ok(Ok(())) => None,
        Ok(Err(failure)) => Some(failure),
        Err(_) => Some(panicked()),
    };
    if let Some(failure) = failure {
        console::say(&failure.to_string());
        // Also what is said last may go wrong in ways nobody thought of.
        let told = catch_unwind(AssertUnwindSafe(|| host.tell(failure)));
        if !matches!(told, Ok(Ok(()))) {
            console::say("the host could not be told");
        }
    }
    if let Err(error) = reboot(RebootCommand::Restart) {
        console::say(&format!("could not restart the machine: {error}"));
    }
    // The end of the first process is the end of the kernel, which then restarts the machine itself.
    ExitCode::FAILURE
}

fn panicked() -> GuestFailure {
    let text = PANIC.lock().map(|text| text.clone()).unwrap_or_default();
    GuestFailure::System { action: "go on after a fault of its own".to_owned(), reason: text }
}

#[cfg(test)]
mod tests;
