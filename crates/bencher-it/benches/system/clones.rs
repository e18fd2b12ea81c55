//! Clones of a cached image, as each iteration in a microVM gets one.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
    time::Instant,
};

use anyhow::{Result, ensure};
use bencher_oci::{CloneKind, clone_disk};
use tokio_util::sync::CancellationToken;

use crate::figures::Figure;

const STORED: u64 = 300 << 20;
/// The disk is a sparse file of this size.
const DISK: u64 = 10 << 30;
const RUNS: usize = 20;

/// Clones of a disk of 10 GiB that stores 300 MiB: where the temporary folder is, and on XFS in a file of it, as root.
pub(crate) fn clones() -> Result<Vec<Figure>> {
    let dir = tempfile::tempdir()?;
    let mut figures = vec![clones_in(dir.path(), "in the temporary folder")?];
    if nix::unistd::geteuid().is_root() {
        let xfs = Xfs::mount(dir.path())?;
        figures.push(clones_in(&xfs.0, "on XFS in a file")?);
    }
    Ok(figures)
}

fn clones_in(dir: &Path, place: &str) -> Result<Figure> {
    let (base, target) = (dir.join("base"), dir.join("clone"));
    let mut file = File::create(&base)?;
    std::io::copy(&mut std::io::Read::take(File::open("/dev/urandom")?, STORED), &mut file)?;
    file.set_len(DISK)?;
    file.sync_all()?;
    let (mut samples, mut kind) = (Vec::new(), CloneKind::SparseCopy);
    for run in 0..=RUNS {
        let begun = Instant::now();
        kind = clone_disk(&base, &target, &CancellationToken::new())?;
        if run > 0 {
            samples.push(begun.elapsed());
        }
        fs::remove_file(&target)?;
    }
    fs::remove_file(&base)?;
    let way = match kind {
        CloneKind::Reflink => "shared",
        CloneKind::SparseCopy => "copied",
    };
    Ok(Figure::durations(format!("clone of a disk of 10 GiB with 300 MiB in it, {place} ({way})"), samples))
}

struct Xfs(std::path::PathBuf);

impl Xfs {
    fn mount(dir: &Path) -> Result<Self> {
        let (disk, place) = (dir.join("disk"), dir.join("xfs"));
        File::create(&disk)?.set_len(2 << 30)?;
        fs::create_dir(&place)?;
        run(Command::new("mkfs.xfs").args(["-q", "-m", "reflink=1"]).arg(&disk))?;
        run(Command::new("mount").args(["-t", "xfs", "-o", "loop"]).args([&disk, &place]))?;
        Ok(Self(place))
    }
}

impl Drop for Xfs {
    fn drop(&mut self) {
        run(Command::new("umount").arg(&self.0)).ok();
    }
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status()?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
