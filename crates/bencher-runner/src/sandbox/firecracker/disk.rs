//! The disk of the host that machines are on.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

/// Numbers of the whole disk that holds `path`, where there is one: control groups know no partitions.
pub(super) fn device_of(path: &Path) -> io::Result<(u32, u32)> {
    let device = fs::metadata(path)?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let sys = fs::canonicalize(format!("/sys/dev/block/{major}:{minor}"))?;
    let disk = if sys.join("partition").exists() { sys.parent().unwrap_or(&sys).join("dev") } else { sys.join("dev") };
    let text = fs::read_to_string(disk)?;
    let numbers = text.trim().split_once(':').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    numbers.ok_or_else(|| io::ErrorKind::InvalidData.into())
}
