//! What a runner that was killed left in its state folder, and its removal.
//!
//! Little can be left: the processes die with the runner and the mounts with the processes. Folders and empty
//! control groups stay, and a process that hangs in the kernel may take its time.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rustix::mount::{UnmountFlags, unmount};

use crate::sandbox::{InfrastructureError, cgroup::CgroupHost, pidns::end_noted_warden};

/// How the folders of iterations begin.
pub(super) const PREFIX: &str = "iteration-";

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
        // Deleting through a mount would delete the image: first there must be none.
        unmount_below(&dir)?;
        cgroups.remove_leftover(name).await;
        fs::remove_dir_all(&dir).map_err(InfrastructureError::io("remove", &dir))?;
    }
    Ok(leftovers.len())
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
