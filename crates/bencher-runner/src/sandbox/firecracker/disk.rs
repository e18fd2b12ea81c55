//! A machine's own disk, made from the image's, which is never written.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use rustix::{
    fs::{SeekFrom, copy_file_range, ioctl_ficlone, seek},
    io::Errno,
};

use crate::sandbox::InfrastructureError;

/// Makes `target`, which must not exist, a copy of `base`: sharing its blocks where the file system can, without its holes
/// where not. Blocking. Leaves nothing where it fails.
pub(super) fn clone(base: &Path, target: &Path) -> Result<File, InfrastructureError> {
    let source = File::open(base).map_err(InfrastructureError::io("open the image's disk", base))?;
    let created = File::options().read(true).write(true).create_new(true).open(target);
    let copy = created.map_err(InfrastructureError::io("create", target))?;
    if ioctl_ficlone(&copy, &source).is_ok() {
        return Ok(copy);
    }
    match copy_data(&source, &copy) {
        Ok(()) => Ok(copy),
        Err(error) => {
            let _ = fs::remove_file(target);
            Err(InfrastructureError::io("copy the image's disk to", target)(error))
        }
    }
}

fn copy_data(source: &File, copy: &File) -> io::Result<()> {
    let size = source.metadata()?.len();
    copy.set_len(size)?;
    let mut offset = 0;
    loop {
        let start = match seek(source, SeekFrom::Data(offset)) {
            Ok(start) => start,
            // There is only a hole up to the end.
            Err(Errno::NXIO) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        };
        offset = seek(source, SeekFrom::Hole(start))?;
        let (mut from, mut to) = (start, start);
        while from < offset {
            let room = usize::try_from(offset - from).unwrap_or(usize::MAX);
            if copy_file_range(source, Some(&mut from), copy, Some(&mut to), room)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Numbers of the whole disk that holds `path`, where there is one: control groups know no partitions.
pub(super) fn device_of(path: &Path) -> io::Result<(u32, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    let device = fs::metadata(path)?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let sys = fs::canonicalize(format!("/sys/dev/block/{major}:{minor}"))?;
    let disk = if sys.join("partition").exists() { sys.parent().unwrap_or(&sys).join("dev") } else { sys.join("dev") };
    let text = fs::read_to_string(disk)?;
    let numbers = text.trim().split_once(':').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    numbers.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests;
