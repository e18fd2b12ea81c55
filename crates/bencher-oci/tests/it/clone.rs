//! Clones of disks, on file systems that can share blocks and on such that cannot.

use std::{
    fs::{self, File},
    os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use bencher_oci::{CloneError, CloneKind, clone_disk};
use tokio_util::sync::CancellationToken;

use crate::support::{chain, have_root, have_tool, mounted::Mounted, run};

const MIB: u64 = 1 << 20;

/// A sparse disk with something at both ends and in between, which nobody may write to.
fn base(dir: &Path) -> PathBuf {
    let path = dir.join("base");
    let file = File::create(&path).unwrap();
    file.set_len(100 * MIB).unwrap();
    for (at, len) in [(0, 5000), (30 * MIB + 4096, 3 * MIB), (100 * MIB - 10, 10)] {
        let bytes: Vec<u8> = (0..len).map(|n| u8::try_from(n % 251).unwrap() + 1).collect();
        file.write_all_at(&bytes, at).unwrap();
    }
    file.set_permissions(fs::Permissions::from_mode(0o400)).unwrap();
    path
}

fn clone(base: &Path, target: &Path) -> Result<CloneKind, CloneError> {
    clone_disk(base, target, &CancellationToken::new())
}

fn same(one: &Path, other: &Path) -> bool {
    Command::new("cmp").arg("--silent").args([one, other]).status().unwrap().success()
}

#[test]
fn a_clone_has_the_bytes_and_the_holes_and_can_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let (base, target) = (base(dir.path()), dir.path().join("clone"));
    clone(&base, &target).unwrap();
    assert!(same(&base, &target));
    let metadata = fs::metadata(&target).unwrap();
    assert_eq!((metadata.len(), metadata.mode() & 0o777), (100 * MIB, 0o600));
    assert!(metadata.blocks() * 512 < 10 * MIB, "the holes are gone: {} blocks", metadata.blocks());
    File::options().write(true).open(&target).unwrap().write_all_at(b"changed", 0).unwrap();
    assert!(!same(&base, &target));
    assert_eq!(fs::read(&base).unwrap()[..3], [1, 2, 3]);
}

#[test]
fn a_disk_without_content_and_one_without_length_are_cloned() {
    let dir = tempfile::tempdir().unwrap();
    for len in [0, 100 * MIB + 1] {
        let (base, target) = (dir.path().join(format!("base{len}")), dir.path().join(format!("clone{len}")));
        File::create(&base).unwrap().set_len(len).unwrap();
        clone(&base, &target).unwrap();
        assert_eq!(fs::metadata(&target).unwrap().len(), len);
    }
}

#[test]
fn blocks_are_shared_where_the_file_system_can() {
    if !have_root() || !have_tool("mkfs.xfs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (disk, place) = (dir.path().join("disk"), dir.path().join("xfs"));
    File::create(&disk).unwrap().set_len(512 * MIB).unwrap();
    run(Command::new("mkfs.xfs").args(["-q", "-m", "reflink=1"]).arg(&disk));
    fs::create_dir(&place).unwrap();
    let xfs = Mounted::at(&place, "xfs", "loop", &disk);
    let (base, target) = (base(xfs.root()), xfs.root().join("clone"));
    run(Command::new("sync").arg("--file-system").arg(&place));
    let free = || rustix::fs::statvfs(&place).unwrap().f_bfree;
    let before = free();
    assert_eq!(clone(&base, &target).unwrap(), CloneKind::Reflink);
    assert!(same(&base, &target));
    let taken = (before - free()) * rustix::fs::statvfs(&place).unwrap().f_frsize;
    assert!(taken < MIB, "{taken} bytes for a clone of {MIB} and more");
    File::options().write(true).open(&target).unwrap().write_all_at(b"changed", 0).unwrap();
    assert_eq!(fs::read(&base).unwrap()[..3], [1, 2, 3]);
}

#[test]
fn a_disk_is_cloned_to_another_file_system() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let base = base(dir.path());
    let place = dir.path().join("memory");
    fs::create_dir(&place).unwrap();
    let memory = Mounted::tmpfs(&place, "size=20m");
    let target = memory.root().join("clone");
    assert_eq!(clone(&base, &target).unwrap(), CloneKind::SparseCopy);
    assert!(same(&base, &target));
}

#[test]
fn a_clone_that_does_not_fit_leaves_nothing_and_says_how_much_it_needs() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let base = base(dir.path());
    let place = dir.path().join("memory");
    fs::create_dir(&place).unwrap();
    let memory = Mounted::tmpfs(&place, "size=1m");
    let error = clone(&base, &memory.root().join("clone")).unwrap_err();
    let CloneError::DiskFull { needed, .. } = &error else { panic!("{}", chain(&error)) };
    assert!((3 * MIB..10 * MIB).contains(needed), "{needed}");
    assert!(error.to_string().contains("has no room; make some"), "{error}");
    assert_eq!(fs::read_dir(memory.root()).unwrap().count(), 0);
}

#[test]
fn nothing_is_overwritten_and_a_cancel_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (base, target) = (base(dir.path()), dir.path().join("clone"));
    fs::write(&target, "mine").unwrap();
    assert!(matches!(clone(&base, &target), Err(CloneError::Io(_))));
    assert_eq!(fs::read(&target).unwrap(), b"mine");
    fs::remove_file(&target).unwrap();
    let cancel = CancellationToken::new();
    cancel.cancel();
    match clone_disk(&base, &target, &cancel) {
        Err(CloneError::Canceled) => assert!(!target.exists()),
        // There is nothing to cancel in a single call of the kernel.
        Ok(CloneKind::Reflink) => {}
        other => panic!("{other:?}"),
    }
}
