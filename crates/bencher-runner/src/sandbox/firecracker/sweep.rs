//! What a runner that was killed left of its machines, and its removal.
//!
//! Little can be left: the processes die with the runner. Folders and empty control groups stay, and a process that hangs in
//! the kernel may take its time.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::time::{Instant, timeout_at};

use crate::{
    limits,
    sandbox::{
        InfrastructureError, cgroup::CgroupHost, host::sweep::unmount_below, pidns::end_noted_warden, process::WatchedProcess,
    },
};

/// Ends and removes every machine below `jails`, and returns how many there were.
///
/// The caller holds the state folder's lock, so none of them belongs to a living runner.
pub(super) async fn sweep(jails: &Path, cgroups: &CgroupHost) -> Result<usize, InfrastructureError> {
    let mut found = 0;
    for program in folders(jails)? {
        for dir in folders(&program)? {
            tracing::warn!(folder = %dir.display(), "removing what an earlier runner left of a microVM");
            end_noted_warden(&dir).await?;
            end_processes_in(&dir).await?;
            // Deleting through a mount would delete what is mounted: first there must be none.
            unmount_below(&dir)?;
            if let Some(name) = dir.file_name().and_then(|name| name.to_str()) {
                cgroups.remove_leftover(name).await;
            }
            fs::remove_dir_all(&dir).map_err(InfrastructureError::io("remove", &dir))?;
            found += 1;
        }
    }
    Ok(found)
}

fn folders(of: &Path) -> Result<Vec<PathBuf>, InfrastructureError> {
    let entries = match fs::read_dir(of) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(InfrastructureError::io("list", of))?,
    };
    let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    Ok(folders.map(|entry| entry.path()).collect())
}

/// Kills every process whose root or working directory is in the folder, and waits for their end.
async fn end_processes_in(dir: &Path) -> Result<(), InfrastructureError> {
    let dir = fs::canonicalize(dir).map_err(InfrastructureError::io("find", dir))?;
    let deadline = Instant::now() + limits::KILL_TIMEOUT;
    for pid in processes() {
        let is_inside = || {
            let link = |name: &str| fs::read_link(format!("/proc/{}/{name}", pid.as_raw_nonzero()));
            ["root", "cwd"].into_iter().any(|name| link(name).is_ok_and(|path| path.starts_with(&dir)))
        };
        if !is_inside() {
            continue;
        }
        let Ok(handle) = pidfd_open(pid, PidfdFlags::NONBLOCK) else { continue };
        // The handle is open, so from here on the number cannot change its owner unnoticed.
        if !is_inside() {
            continue;
        }
        let _ = pidfd_send_signal(&handle, Signal::KILL);
        let watched = WatchedProcess::new(handle).map_err(InfrastructureError::kernel("watch a process"))?;
        let late =
            |_| InfrastructureError::TimedOut { step: "the end of an earlier runner's microVM", after: limits::KILL_TIMEOUT };
        let ended = timeout_at(deadline, watched.ended()).await.map_err(late)?;
        ended.map_err(InfrastructureError::kernel("wait for a process"))?;
    }
    Ok(())
}

fn processes() -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw)).collect()
}

#[cfg(test)]
mod tests;
