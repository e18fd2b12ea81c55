//! A file system that shares blocks between files, for as long as it is needed.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

/// From here on mounts are those of this process and its children alone: the kernel removes them, and the loop devices
/// under them, with the last of these, however it ends. Not for those who may not.
pub(crate) fn leave_the_hosts_mounts() -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    unshare(CloneFlags::CLONE_NEWNS).context("could not make a mount namespace")?;
    let none: Option<&str> = None;
    // The host's later mounts still come in, ours do not go out.
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SLAVE, none).context("could not part from the host's mounts")
}

/// XFS in a file.
pub(crate) struct Xfs(PathBuf);

impl Xfs {
    /// Of this size at most, in a folder that it may fill.
    pub(crate) fn mount(dir: &Path, size: u64) -> Result<Self> {
        let (disk, place) = (dir.join("disk"), dir.join("xfs"));
        File::create(&disk)?.set_len(size)?;
        fs::create_dir(&place)?;
        run(Command::new("mkfs.xfs").args(["-q", "-m", "reflink=1"]).arg(&disk))?;
        run(Command::new("mount").args(["-t", "xfs", "-o", "loop"]).args([&disk, &place]))?;
        Ok(Self(place))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Xfs {
    fn drop(&mut self) {
        run(Command::new("umount").arg(&self.0)).ok();
    }
}

/// Runs a program and expects success.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("could not start {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
