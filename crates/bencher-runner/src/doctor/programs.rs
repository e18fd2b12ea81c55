//! Programs that a sandbox starts.

use std::{path::PathBuf, process::Stdio, time::Duration};

use super::Check;
use crate::sandbox::command::DEFAULT_PATH;

/// How long a program may take to say its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn checks() -> Vec<Check> {
    let crun = Check::new("crun", "installed, for execution on the host");
    let crun = match version("crun").await {
        Some(version) => crun.ok(version),
        None => crun.fail("missing", "install the package `crun`"),
    };
    let mkfs = Check::new("mkfs.ext4", "installed, to bound what a benchmark may write");
    let mkfs = match find("mkfs.ext4") {
        Some(path) => mkfs.ok(path.display().to_string()),
        None => mkfs.warn("missing", "install the package `e2fsprogs`: until then, the disk size of a spec may not be applied"),
    };
    vec![crun, mkfs]
}

/// From where a runner looks for it.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    DEFAULT_PATH.split(':').map(|folder| PathBuf::from(folder).join(name)).find(|path| path.is_file())
}

/// Version and path of a program.
async fn version(name: &str) -> Option<String> {
    let path = find(name)?;
    let mut command = tokio::process::Command::new(&path);
    command.arg("--version").env_clear().env("PATH", DEFAULT_PATH).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(VERSION_TIMEOUT, command.output()).await.ok()?.ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next().unwrap_or("of unknown version").trim().to_owned();
    Some(format!("{line} ({})", path.display()))
}
