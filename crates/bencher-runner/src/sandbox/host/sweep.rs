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
    fs::{Mode, OFlags, open},
    mount::{UnmountFlags, unmount},
};

use super::{container::RUNTIME, loop_device};
use crate::sandbox::{InfrastructureError, cgroup::CgroupHost, pidns::end_noted_warden};

/// How the folders of iterations begin.
pub(super) const PREFIX: &str = "iteration-";

/// The file in an iteration's folder that says which image is attached for it.
const BASE_FILE: &str = "base";

/// Notes which image is about to be attached, for the case that this process does not live to detach it.
pub(super) fn note_base(dir: &Path, image: &Path) -> Result<(), InfrastructureError> {
    let path = dir.join(BASE_FILE);
    let image = fs::canonicalize(image).map_err(InfrastructureError::io("find the image", image))?;
    fs::write(&path, image.as_os_str().as_bytes()).map_err(InfrastructureError::io("write", path))
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
        end_noted_warden(&dir).await?;
        release_starts(&dir);
        // Deleting through a mount would delete the image: first there must be none.
        unmount_below(&dir)?;
        detach(&dir)?;
        cgroups.remove_leftover(name).await;
        fs::remove_dir_all(&dir).map_err(InfrastructureError::io("remove", &dir))?;
    }
    Ok(leftovers.len())
}

/// Lets go on to its end what was starting a container. The runtime's `start` writes into a FIFO that the container's process reads, and
/// waits for ever where that process died with the runner; a reader that comes and goes ends the waiting.
fn release_starts(dir: &Path) {
    for container in fs::read_dir(dir.join(RUNTIME)).into_iter().flatten().flatten() {
        let fifo = container.path().join("exec.fifo");
        let reader = open(&fifo, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
        if reader.is_ok() {
            tracing::debug!(fifo = %fifo.display(), "whatever waited to start a container does no longer");
        }
    }
}

/// Loop devices end with their users; this is for users that ended in no orderly way.
fn detach(dir: &Path) -> Result<(), InfrastructureError> {
    let dir = fs::canonicalize(dir).map_err(InfrastructureError::io("find", dir))?;
    let base = fs::read(dir.join(BASE_FILE)).ok().map(|path| PathBuf::from(OsString::from_vec(path)));
    loop_device::release(|file| file.starts_with(&dir) || base.as_deref() == Some(file))
}

/// Detaches every mount in the folder that the calling thread can see.
pub(in crate::sandbox) fn unmount_below(dir: &Path) -> Result<(), InfrastructureError> {
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
