//! The disk below the data folder.

use std::{io::Write as _, path::Path};

use rustix::fs::{Access, access, ioctl_ficlone, statvfs};

use super::{Check, nearest_existing};

const GIB: u64 = 1 << 30;
/// The smallest disk in bytes; images, caches and what benchmarks write are on it.
const MIN_DISK: u64 = 100_000_000_000;
/// Free space in bytes below which the next image will not fit.
const MIN_FREE: u64 = GIB;
/// Free space in bytes below which it gets tight.
const LOW_FREE: u64 = 20 * GIB;

pub(super) fn checks(data_dir: &Path) -> Vec<Check> {
    vec![folder(data_dir), space(data_dir), reflink(data_dir)]
}

fn folder(data_dir: &Path) -> Check {
    let check = Check::new("data folder", "writable for the runner");
    let there = nearest_existing(data_dir);
    let found = if there == data_dir { data_dir.display().to_string() } else { format!("{}, to be created", data_dir.display()) };
    match access(there, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => check.ok(found),
        Err(error) => check.fail(format!("{found}: {error}"), "choose another folder with --data-dir, or run as its owner"),
    }
}

fn space(data_dir: &Path) -> Check {
    let check = Check::new("disk", "100 GB or more, 20 GiB free or more; NVMe recommended");
    let stat = match statvfs(nearest_existing(data_dir)) {
        Ok(stat) => stat,
        Err(error) => return check.warn(error.to_string(), "look whether the data folder's disk is well"),
    };
    let (total, free) = (stat.f_blocks * stat.f_frsize, stat.f_bavail * stat.f_frsize);
    let found = format!("{}, {} free", crate::verbs::size(total), crate::verbs::size(free));
    if free < MIN_FREE {
        check.fail(found, "make room: no image fits; `runner cache clear` empties the runner's own cache")
    } else if total < MIN_DISK || free < LOW_FREE {
        check.warn(found, "keep the image cache small with --image-cache-size, or use a larger disk")
    } else {
        check.ok(found)
    }
}

/// Tries it, with two files that have no name.
fn reflink(data_dir: &Path) -> Check {
    let check = Check::new("reflink", "the data folder's file system shares blocks between files (XFS, Btrfs): disks in no time");
    let there = nearest_existing(data_dir);
    let attempt = || -> std::io::Result<()> {
        let (mut base, clone) = (tempfile::tempfile_in(there)?, tempfile::tempfile_in(there)?);
        base.write_all(&[1; 4096])?;
        Ok(ioctl_ficlone(&clone, &base)?)
    };
    match attempt() {
        Ok(()) => check.ok("works"),
        Err(error) => check.warn(
            format!("does not work: {error}"),
            "put data_dir on XFS (mkfs.xfs -m reflink=1) or Btrfs: until then each run of a microVM copies its disk",
        ),
    }
}
