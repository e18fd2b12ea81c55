//! `runner start`: by the system's service manager or not at all.

use std::{io, path::Path};

use super::talk;
use crate::exit::Exit;

/// The unit of the package.
pub const UNIT: &str = "runner.service";

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "this system was not started by systemd, so there is no service to start; run `runner up` under your own supervisor, or in \
         the background with `setsid runner up >runner.log 2>&1 &`"
    )]
    NoSystemd,
    #[error("there is no unit {UNIT}: copy it to /etc/systemd/system, run `systemctl daemon-reload`, then `runner start` again")]
    NoUnit,
    #[error("could not run systemctl")]
    Systemctl(#[source] io::Error),
    #[error("systemctl could not start {UNIT}; `systemctl status {UNIT}` and `journalctl -u {UNIT}` say more")]
    Failed,
}

/// # Errors
/// Nothing was started, and why.
pub fn run() -> Result<Exit, StartError> {
    if !Path::new("/run/systemd/system").is_dir() {
        return Err(StartError::NoSystemd);
    }
    let systemctl = |args: &[&str]| {
        let status = std::process::Command::new("systemctl").args(args).stdout(std::process::Stdio::null()).status();
        status.map(|status| status.success()).map_err(StartError::Systemctl)
    };
    if !systemctl(&["cat", UNIT])? {
        return Err(StartError::NoUnit);
    }
    // Ends when the runner has said that it is ready.
    if !systemctl(&["start", UNIT])? {
        return Err(StartError::Failed);
    }
    talk("started; `runner status` shows what it does");
    Ok(Exit::Success)
}
