//! Clones of a cached image, as each iteration in a microVM gets one.

use std::{
    fs::{self, File},
    path::Path,
    time::Instant,
};

use anyhow::Result;
use bencher_oci::{CloneKind, clone_disk};
use tokio_util::sync::CancellationToken;

use crate::{figures::Figure, xfs::Xfs};

const STORED: u64 = 300 << 20;
/// The disk is a sparse file of this size.
const DISK: u64 = 10 << 30;
const RUNS: usize = 20;

/// Clones of a disk of 10 GiB that stores 300 MiB: where the temporary folder is, and on XFS in a file of it, as root.
pub(crate) fn clones() -> Result<Vec<Figure>> {
    let dir = tempfile::tempdir()?;
    let mut figures = vec![clones_in(dir.path(), "in the temporary folder")?];
    if nix::unistd::geteuid().is_root() {
        let xfs = Xfs::mount(dir.path(), 2 << 30)?;
        figures.push(clones_in(xfs.path(), "on XFS in a file")?);
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
    let name = format!("clone of a disk of 10 GiB with 300 MiB in it, {place} ({way})");
    Ok(Figure::durations(name, samples).aim(aim_of(kind)))
}

/// What a clone of 300 MiB may take.
pub(crate) fn aim_of(kind: CloneKind) -> &'static str {
    match kind {
        CloneKind::Reflink => "under 20 ms",
        CloneKind::SparseCopy => "under 200 ms",
    }
}
