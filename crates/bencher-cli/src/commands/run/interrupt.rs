//! Ctrl-C while a job runs: a question where somebody can answer it, a hint where nobody can.

use std::io::{self, Write as _};

use tokio::{signal, sync::oneshot};

use super::RunError;

/// Requests to stop, as they come.
pub(super) struct Interrupts {
    #[cfg(unix)]
    terminate: signal::unix::Signal,
}

/// Who wants us to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interrupt {
    /// Somebody at a terminal.
    CtrlC,
    /// A machine.
    Terminate,
}

/// What is to become of the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Cancel,
    Wait,
    Leave,
}

impl Interrupts {
    pub(super) fn listen() -> Result<Self, RunError> {
        Ok(Self {
            #[cfg(unix)]
            terminate: signal::unix::signal(signal::unix::SignalKind::terminate()).map_err(RunError::Signals)?,
        })
    }

    /// The next request. Safe to drop and call again.
    pub(super) async fn next(&mut self) -> Interrupt {
        #[cfg(unix)]
        let terminate = self.terminate.recv();
        #[cfg(not(unix))]
        let terminate = std::future::pending::<Option<()>>();
        tokio::select! {
            pressed = signal::ctrl_c() => match pressed {
                Ok(()) => Interrupt::CtrlC,
                // Without a handler the signal ends the process, as it does everywhere else.
                Err(_) => std::future::pending().await,
            },
            Some(()) = terminate => Interrupt::Terminate,
        }
    }

    /// Asks on the terminal. A second Ctrl-C leaves the job alone.
    pub(super) async fn ask(&mut self) -> Wish {
        let _ = write!(io::stderr().lock(), "\ncancel the job? [y/N] ");
        let (answer, answered) = oneshot::channel();
        // A thread of its own: a read from a terminal cannot be called off.
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = io::stdin().read_line(&mut line);
            let _ = answer.send(read.map(|_| line));
        });
        tokio::select! {
            line = answered => match line {
                Ok(Ok(line)) if matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes") => Wish::Cancel,
                Ok(Ok(_)) => Wish::Wait,
                _ => Wish::Leave,
            },
            _ = self.next() => {
                let _ = writeln!(io::stderr().lock());
                Wish::Leave
            }
        }
    }
}
