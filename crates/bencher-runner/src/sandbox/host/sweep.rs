//! What a runner that was killed left in its state folder, and its removal.
//!
//! Little can be left: the processes die with the runner, the mounts with the processes and the loop devices with the
//! mounts. Folders and empty control groups stay, and a process that hangs in the kernel may take its time.

use std::{
    ffi::OsString,
    fs,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use rustix::{
    mount::{UnmountFlags, unmount},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use tokio::time::Instant;

use super::{
    cgroup::CgroupHost,
    loop_device,
    pidns::{self, PidNamespace},
};
use crate::{limits, sandbox::InfrastructureError};

/// How the folders of iterations begin.
pub(super) const PREFIX: &str = "iteration-";

/// The file in an iteration's folder that says which process is the warden.
const WARDEN_FILE: &str = "warden";

/// The file in an iteration's folder that says which image is attached for it.
const BASE_FILE: &str = "base";

/// Notes which image is about to be attached, for the case that this process does not live to detach it.
pub(super) fn note_base(dir: &Path, image: &Path) -> Result<(), InfrastructureError> {
    let path = dir.join(BASE_FILE);
    let image = fs::canonicalize(image).map_err(InfrastructureError::io("find the image", image))?;
    fs::write(&path, image.as_os_str().as_bytes()).map_err(InfrastructureError::io("write", path))
}

/// Notes who the warden is, for the case that this process does not live to end it.
pub(super) fn note_warden(dir: &Path, pid: i32) -> Result<(), InfrastructureError> {
    let path = dir.join(WARDEN_FILE);
    let ticks = pidns::start_ticks(pid).unwrap_or_default();
    fs::write(&path, format!("{pid} {ticks}\n")).map_err(InfrastructureError::io("write", path))
}

/// Ends and removes what earlier owners of `state_dir` left, and returns the number of iterations found.
///
/// The caller holds the folder's lock, so none of it belongs to a living runner.
pub(super) async fn sweep(state_dir: &Path, cgroups: &CgroupHost) -> Result<usize, InfrastructureError> {
    let listed = fs::read_dir(state_dir).map_err(InfrastructureError::io("list", state_dir))?;
    let names = listed.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let leftovers: Vec<String> = names.filter(|name| name.starts_with(PREFIX)).collect();
    for name in &leftovers {
        let dir = state_dir.join(name);
        tracing::warn!(folder = %dir.display(), "removing what an earlier runner left");
        end_warden(&dir).await?;
        // Deleting through a mount would delete the image: first there must be none.
        unmount_below(&dir)?;
        detach(&dir)?;
        cgroups.remove_leftover(name).await;
        fs::remove_dir_all(&dir).map_err(InfrastructureError::io("remove", &dir))?;
    }
    Ok(leftovers.len())
}

/// Loop devices end with their users; this is for users that ended in no orderly way.
fn detach(dir: &Path) -> Result<(), InfrastructureError> {
    let dir = fs::canonicalize(dir).map_err(InfrastructureError::io("find", dir))?;
    let base = fs::read(dir.join(BASE_FILE)).ok().map(|path| PathBuf::from(OsString::from_vec(path)));
    loop_device::release(|file| file.starts_with(&dir) || base.as_deref() == Some(file))
}

async fn end_warden(dir: &Path) -> Result<(), InfrastructureError> {
    let Ok(text) = fs::read_to_string(dir.join(WARDEN_FILE)) else { return Ok(()) };
    let mut words = text.split_whitespace();
    let (pid, ticks) = (words.next().and_then(|word| word.parse().ok()), words.next().and_then(|word| word.parse().ok()));
    let (Some(pid), Some(ticks)) = (pid, ticks) else { return Ok(()) };
    let Some(handle) = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else { return Ok(()) };
    // The handle is open, so from here on the number cannot change its owner unnoticed.
    if pidns::start_ticks(pid) != Some(ticks) {
        return Ok(());
    }
    let Ok(namespace) = PidNamespace::of(pid) else { return Ok(()) };
    let _ = pidfd_send_signal(&handle, Signal::KILL);
    // Not the warden's own end: it waits for zombies, and their new parent may be one that never reaps.
    let deadline = Instant::now() + limits::KILL_TIMEOUT;
    while !namespace.is_dead_but_for(pid) {
        if Instant::now() >= deadline {
            return Err(InfrastructureError::TimedOut {
                step: "the end of an earlier runner's benchmark",
                after: limits::KILL_TIMEOUT,
            });
        }
        tokio::time::sleep(pidns::REAP_PAUSE).await;
    }
    Ok(())
}

/// Detaches every mount in the folder that the calling thread can see.
pub(super) fn unmount_below(dir: &Path) -> Result<(), InfrastructureError> {
    let dir = fs::canonicalize(dir).map_err(InfrastructureError::io("find", dir))?;
    let mountinfo = "/proc/thread-self/mountinfo";
    let text = fs::read_to_string(mountinfo).map_err(InfrastructureError::io("read", mountinfo))?;
    let points = text.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from);
    let mut points: Vec<PathBuf> = points.filter(|point| point.starts_with(&dir)).collect();
    points.sort_unstable();
    for point in points.iter().rev() {
        unmount(point, UnmountFlags::DETACH).map_err(|errno| InfrastructureError::io("unmount", point)(errno.into()))?;
    }
    Ok(())
}
