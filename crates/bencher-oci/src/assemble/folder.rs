//! A folder's content as entries of a layer. Links are kept, not followed; several names of one file stay one file.

use std::{
    collections::HashMap,
    fs::{self, Metadata},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{FileTypeExt as _, MetadataExt as _},
    },
    path::{Path, PathBuf},
};

use super::{
    AssembleError,
    plan::{Entry, Plan, What, key},
};
use crate::error::IoError;

/// The attributes that belong to a file's meaning. Others are the host's.
const KEPT_XATTRS: [&str; 2] = ["user.", "security.capability"];

/// Adds the content of `dir` below `dest`.
pub(super) fn add(plan: &mut Plan, dir: &Path, dest: &str) -> Result<(), AssembleError> {
    let meta = fs::metadata(dir).map_err(IoError::on("look at", dir))?;
    if !meta.is_dir() {
        return Err(AssembleError::NotAFolder(dir.to_owned()));
    }
    let root = key(dest)?;
    if !root.is_empty() {
        plan.insert(root.clone(), Entry { mode: meta.mode() & 0o7777, what: What::Folder, xattrs: xattrs(dir)? })?;
    }
    let mut names = HashMap::new();
    let mut open = vec![(dir.to_owned(), root)];
    while let Some((dir, prefix)) = open.pop() {
        let on_list = IoError::on("list", &dir);
        // Sorted, so that of several names of a file the same one is the first, whatever order the disk has.
        let mut paths = fs::read_dir(&dir)
            .map_err(&on_list)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(&on_list)?;
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap_or_default().as_bytes();
            let separator: &[u8] = if prefix.is_empty() { b"" } else { b"/" };
            let key = [prefix.as_slice(), separator, name].concat();
            let meta = fs::symlink_metadata(&path).map_err(IoError::on("look at", &path))?;
            if meta.is_dir() {
                open.push((path.clone(), key.clone()));
            }
            add_entry(plan, path, key, &meta, &mut names)?;
        }
    }
    Ok(())
}

fn add_entry(
    plan: &mut Plan,
    path: PathBuf,
    key: Vec<u8>,
    meta: &Metadata,
    names: &mut HashMap<(u64, u64), Vec<u8>>,
) -> Result<(), AssembleError> {
    let kind = meta.file_type();
    let what = if kind.is_dir() {
        What::Folder
    } else if kind.is_symlink() {
        let target = fs::read_link(&path).map_err(IoError::on("read the link", &path))?;
        What::Symlink(target.as_os_str().as_bytes().to_vec())
    } else if kind.is_socket() {
        plan.skip(path);
        return Ok(());
    } else if meta.nlink() > 1
        && let Some(first) = names.get(&(meta.dev(), meta.ino()))
    {
        // An archive can only link to what comes before; the sorted plan is not in the order of this walk.
        return add_link(plan, &path, key, first.clone(), (meta.dev(), meta.ino()), names);
    } else if kind.is_file() {
        What::File { source: path.clone(), size: meta.len() }
    } else if kind.is_fifo() {
        What::Fifo
    } else {
        let (major, minor) = (rustix::fs::major(meta.rdev()), rustix::fs::minor(meta.rdev()));
        What::Device { block: kind.is_block_device(), major, minor }
    };
    if meta.nlink() > 1 && !kind.is_dir() {
        names.insert((meta.dev(), meta.ino()), key.clone());
    }
    let xattrs = if kind.is_symlink() { Vec::new() } else { xattrs(&path)? };
    plan.insert(key, Entry { mode: meta.mode() & 0o7777, what, xattrs })
}

/// Of two names of one file, the one that sorts first holds it and the other is the link.
fn add_link(
    plan: &mut Plan,
    path: &Path,
    key: Vec<u8>,
    first: Vec<u8>,
    inode: (u64, u64),
    names: &mut HashMap<(u64, u64), Vec<u8>>,
) -> Result<(), AssembleError> {
    let mode = fs::symlink_metadata(path).map_err(IoError::on("look at", path))?.mode() & 0o7777;
    if key > first {
        return plan.insert(key, Entry { mode, what: What::HardLink(first), xattrs: Vec::new() });
    }
    plan.move_file(&first, key.clone());
    names.insert(inode, key);
    Ok(())
}

fn xattrs(path: &Path) -> Result<Vec<(String, Vec<u8>)>, IoError> {
    let on_read = IoError::on("read the attributes of", path);
    let mut list = vec![0; 64 * 1024];
    let length = match rustix::fs::llistxattr(path, list.as_mut_slice()) {
        Ok(length) => length,
        Err(rustix::io::Errno::NOTSUP) => 0,
        Err(error) => return Err(on_read(error)),
    };
    let mut found = Vec::new();
    for name in list[..length].split(|byte| *byte == 0).filter_map(|name| std::str::from_utf8(name).ok()) {
        if KEPT_XATTRS.iter().any(|kept| name.starts_with(kept)) {
            let mut value = vec![0; 64 * 1024];
            let length = rustix::fs::lgetxattr(path, name, value.as_mut_slice()).map_err(&on_read)?;
            value.truncate(length);
            found.push((name.to_owned(), value));
        }
    }
    found.sort();
    Ok(found)
}
