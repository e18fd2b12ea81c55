//! File systems the kernel has mounted, until the test is through with them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::run;

/// A mount, and the folder it is at.
pub(crate) struct Mounted {
    place: PathBuf,
    _dir: Option<tempfile::TempDir>,
}

impl Mounted {
    /// A disk image, read-only, at a place of its own.
    pub(crate) fn image(image: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().to_owned();
        run(Command::new("mount").args(["-t", "ext4", "-o", "loop,ro,noload"]).arg(image).arg(&place));
        Self { place, _dir: Some(dir) }
    }

    /// Any file system.
    pub(crate) fn at(place: &Path, kind: &str, options: &str, source: &Path) -> Self {
        run(Command::new("mount").args(["-t", kind, "-o", options]).arg(source).arg(place));
        Self { place: place.to_owned(), _dir: None }
    }

    pub(crate) fn tmpfs(place: &Path, options: &str) -> Self {
        Self::at(place, "tmpfs", options, Path::new("tmpfs"))
    }

    pub(crate) fn root(&self) -> &Path {
        &self.place
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        run(Command::new("umount").arg(&self.place));
    }
}
