//! What the kernel says of a written tree.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::Path,
};

use bencher_oci::sink::{
    TreeSink as _,
    folder::{FolderError, FolderSink, FolderWritten, Ownership},
};
use tokio_util::sync::CancellationToken;

use crate::support::{Layer, have_root, merge, read};

fn write(layers: Vec<Layer>, target: &Path, ownership: Ownership) -> FolderWritten {
    let tree = merge(layers).unwrap();
    FolderSink::new(target, ownership).write(&tree, &CancellationToken::new()).unwrap()
}

fn xattr(path: &Path, name: &str) -> Vec<u8> {
    let mut value = vec![0; 1000];
    let len = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
    value.truncate(len);
    value
}

#[test]
fn everything_an_image_can_hold_arrives() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let big = vec![9; 3_000_000];
    let layer = Layer::new()
        .dir("./", 0o750)
        .pax(&[("mtime", b"1.5"), ("gid", b"7")])
        .dir("sub", 0o1777)
        .pax(&[("uid", b"1234"), ("mtime", b"4102444800.25"), ("SCHILY.xattr.user.note", b"a\nb")])
        .file("sub/big", &big)
        .file(b"sub/caf\xe9", "latin")
        .hard_link("also", "sub/big")
        .symlink("link", "sub/big")
        .hard_link("link2", "link")
        .fifo("pipe")
        .dir("locked", 0o000)
        .file("locked/in", "x")
        .pax(&[("SCHILY.xattr.security.capability", b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), ("uid", b"33")])
        .raw(setuid(), b"suid", None, b"");
    let written = write(vec![layer], dir.path(), Ownership::Exact);
    assert_eq!(written.skipped_devices + written.skipped_xattrs, 0);

    let root = dir.path();
    assert_eq!(fs::metadata(root).unwrap().mode() & 0o7777, 0o750);
    let sub = fs::metadata(root.join("sub")).unwrap();
    assert_eq!((sub.mode() & 0o7777, sub.gid(), sub.mtime(), sub.mtime_nsec()), (0o1777, 7, 1, 500_000_000));
    let file = fs::metadata(root.join("sub/big")).unwrap();
    assert_eq!((file.uid(), file.mtime(), file.mtime_nsec(), file.nlink()), (1234, 4_102_444_800, 250_000_000, 2));
    assert_eq!(file.ino(), fs::metadata(root.join("also")).unwrap().ino());
    assert_eq!(read(&root.join("also")), big);
    assert_eq!(xattr(&root.join("sub/big"), "user.note"), b"a\nb");
    assert_eq!(read(&root.join("sub").join(OsStr::from_bytes(b"caf\xe9"))), b"latin");
    let (link, link2) = (fs::symlink_metadata(root.join("link")).unwrap(), fs::symlink_metadata(root.join("link2")).unwrap());
    assert_eq!((link.ino(), link.nlink()), (link2.ino(), 2));
    assert_eq!(fs::metadata(root.join("locked")).unwrap().mode() & 0o7777, 0);
    let suid = fs::metadata(root.join("suid")).unwrap();
    assert_eq!((suid.mode() & 0o7777, suid.uid()), (0o4755, 33));
    assert_eq!(xattr(&root.join("suid"), "security.capability").len(), 20);
}

fn setuid() -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o4755);
    header.set_size(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

#[test]
fn without_roots_rights_files_are_the_callers_and_devices_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let layer = Layer::new().pax(&[("uid", b"4242")]).file("a", "1").device("null", 1, 3).hard_link("null2", "null");
    let written = write(vec![layer], dir.path(), Ownership::Caller);
    assert_eq!(written.skipped_devices, 1);
    assert_eq!(fs::metadata(dir.path().join("a")).unwrap().uid(), rustix::process::geteuid().as_raw());
    assert!(!dir.path().join("null").exists() && !dir.path().join("null2").exists());
}

#[test]
fn a_canceled_write_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let tree = merge(vec![Layer::new().file("a", "1")]).unwrap();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let written = FolderSink::new(dir.path(), Ownership::Caller).write(&tree, &cancel);
    assert!(matches!(written, Err(FolderError::Canceled)));
}

#[test]
fn a_deep_tree_needs_no_deep_stack() {
    let dir = tempfile::tempdir().unwrap();
    let path = vec!["d"; 250].join("/");
    write(vec![Layer::new().file(format!("{path}/f"), "deep")], dir.path(), Ownership::Caller);
    assert_eq!(read(&dir.path().join(path).join("f")), b"deep");
}
