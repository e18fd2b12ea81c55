//! The conversation on port [`crate::port::CONTROL`].

use serde::{Deserialize, Serialize};

use crate::{config::Token, limits::MAX_MESSAGE};

/// What the guest says. Times are nanoseconds since its kernel started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromGuest {
    /// The first message: the guest is up and has its configuration.
    Hello {
        version: u16,
        token: Token,
        /// When the first process started.
        init_ns: u64,
        /// When it was ready to run the benchmark.
        ready_ns: u64,
    },
    /// The benchmark's process exists.
    Started { run: u32, at_ns: u64 },
    /// The benchmark and everything it started is gone.
    Ended {
        run: u32,
        exit: GuestExit,
        /// From the start of the benchmark's process to its end.
        wall_ns: u64,
        /// Whether the guest's kernel killed a process of the benchmark for want of memory.
        oom_killed: bool,
    },
    /// Output and files of the run were sent and closed.
    Delivered { run: u32 },
    /// The guest cannot go on; it reboots after this.
    Failed { failure: GuestFailure },
}

/// What the host says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
pub enum ToGuest {
    /// Run the configured command. `run` counts from 0 and comes back with everything that belongs to it.
    Run { run: u32 },
    /// End the benchmark: SIGTERM, and SIGKILL after the grace period. What it wrote until then is delivered.
    Stop,
    /// Nothing more is wanted: reboot.
    Finish,
}

/// How the benchmark's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestExit {
    Code(i32),
    Signal(i32),
}

/// Why the guest could not run the benchmark, or not deliver what it left. Texts are cut to [`crate::limits::MAX_MESSAGE`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "failure", rename_all = "snake_case", deny_unknown_fields)]
pub enum GuestFailure {
    // What is wrong with the image or with how it is to be run.
    #[error("no command was given")]
    NoCommand,
    #[error("command `{command}` not found in the image; looked in {}", looked_in.join(", "))]
    CommandNotFound { command: String, looked_in: Vec<String> },
    #[error("command `{command}` is in the image at {path} but is not an executable file")]
    NotExecutable { command: String, path: String },
    #[error("command `{command}` could not be executed in the image: {reason}")]
    ExecFailed { command: String, reason: String },
    #[error("the image has no user `{user}` in /etc/passwd")]
    UnknownUser { user: String },
    #[error("the image has no group `{group}` in /etc/group")]
    UnknownGroup { group: String },
    #[error("could not read {path} of the image: {reason}")]
    ImageUnreadable { path: String, reason: String },
    // What the guest itself could not do.
    #[error("the configuration drive cannot be used: {reason}")]
    Config { reason: String },
    #[error(
        "the runner speaks version {runner} of the guest's protocol, the guest {guest}; use the `bencher-init` that came with the runner"
    )]
    Version { runner: u16, guest: u16 },
    #[error("could not load the kernel module {module}: {reason}")]
    Module { module: String, reason: String },
    #[error("could not mount {what}: {reason}")]
    Mount { what: String, reason: String },
    #[error("could not {action}: {reason}")]
    System { action: String, reason: String },
}

impl GuestFailure {
    /// With every text cut to what fits a message.
    #[must_use]
    pub fn cut(mut self) -> Self {
        match &mut self {
            Self::NoCommand | Self::Version { .. } => {}
            Self::CommandNotFound { command, looked_in } => {
                cut(command);
                let mut left = MAX_MESSAGE;
                looked_in.retain(|folder| {
                    left = left.saturating_sub(folder.len() + 1);
                    left > 0
                });
            }
            Self::UnknownUser { user: text } | Self::UnknownGroup { group: text } | Self::Config { reason: text } => cut(text),
            Self::NotExecutable { command: one, path: other }
            | Self::ExecFailed { command: one, reason: other }
            | Self::ImageUnreadable { path: one, reason: other }
            | Self::Module { module: one, reason: other }
            | Self::Mount { what: one, reason: other }
            | Self::System { action: one, reason: other } => {
                cut(one);
                cut(other);
            }
        }
        self
    }

    /// Whether the image or the job's settings are at fault: the same again fails again, on any machine.
    #[must_use]
    pub fn is_of_image(&self) -> bool {
        match self {
            Self::NoCommand
            | Self::CommandNotFound { .. }
            | Self::NotExecutable { .. }
            | Self::ExecFailed { .. }
            | Self::UnknownUser { .. }
            | Self::UnknownGroup { .. }
            | Self::ImageUnreadable { .. } => true,
            Self::Config { .. } | Self::Version { .. } | Self::Module { .. } | Self::Mount { .. } | Self::System { .. } => false,
        }
    }
}

/// Cuts at a character, and says so.
fn cut(text: &mut String) {
    const MARK: char = '…';
    if text.len() > MAX_MESSAGE {
        text.truncate(text.floor_char_boundary(MAX_MESSAGE - MARK.len_utf8()));
        text.push(MARK);
    }
}

#[cfg(test)]
mod tests;
