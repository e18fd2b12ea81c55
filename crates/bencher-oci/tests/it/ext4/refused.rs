//! What no disk can hold is refused with the name of the file, and nothing is left half done.

use bencher_oci::{
    Blame, Limits,
    sink::{
        TreeSink as _,
        ext4::{DiskSize, Ext4Error, Ext4Options, Ext4Sink},
    },
};
use tokio_util::sync::CancellationToken;

use super::disk::{sink, tree};
use crate::support::{Layer, chain, merge_with};

fn check(layer: Layer, expected: &str) {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { name_bytes: 300, path_bytes: 5000, image_bytes: 1 << 60, ..Limits::default() };
    let tree = merge_with(vec![layer], &limits).unwrap();
    let error = sink(&tree, &dir.path().join("disk"), DiskSize::Fitted).unwrap_err();
    assert_eq!(chain(&error), expected);
    assert_eq!(error.blame(), Blame::Image);
    assert!(!dir.path().join("disk").exists());
}

#[test]
fn attributes_that_do_not_fit_are_refused() {
    check(
        Layer::new().pax(&[("SCHILY.xattr.user.large", &[1; 5000])]).file("d/f", "1"),
        "`/d/f` cannot be stored: its extended attributes need 5024 bytes, 4060 fit; `large` is the largest",
    );
    let large = Layer::new().pax(&[("SCHILY.xattr.trusted.a", &[1; 4000]), ("SCHILY.xattr.trusted.b", &[2; 100])]);
    check(large.dir("./", 0o755), "`/` cannot be stored: its extended attributes need 4140 bytes, 4060 fit; `a` is the largest");
}

#[test]
fn a_malformed_access_control_list_is_refused() {
    for acl in [b"".as_slice(), b"\x01\0\0\0", b"\x02\0\0\0\x01\0\x07\0", b"\x02\0\0\0\x03\0\x07\0\xff\xff\xff\xff"] {
        check(
            Layer::new().pax(&[("SCHILY.xattr.system.posix_acl_access", acl)]).file("f", "1"),
            "`/f` cannot be stored: its access control list is malformed",
        );
    }
}

#[test]
fn too_many_names_are_refused() {
    check(
        (1..65_001).fold(Layer::new().file("a", "1"), |layer, n| layer.hard_link(format!("links/{n}"), "a")),
        "`/a` cannot be stored: it has 65001 names, a file can have 65000; store it more than once",
    );
}

#[test]
fn a_name_too_long_is_refused() {
    let name = "n".repeat(256);
    check(
        Layer::new().file(&name, "1"),
        &format!("`/{}` cannot be stored: its name is 256 bytes long, 255 are allowed", &name[..199]),
    );
}

#[test]
fn a_device_out_of_range_is_refused() {
    check(Layer::new().device("d", 4096, 1), "`/d` cannot be stored: the device number 4096:1 is out of range");
}

#[test]
fn a_link_longer_than_a_block_is_refused() {
    check(
        Layer::new().symlink("l", "t".repeat(4096)),
        "`/l` cannot be stored: its target has 4096 bytes; a symbolic link's has 1 to 4095, and none of them is zero",
    );
}

#[test]
fn a_file_larger_than_the_format_allows_is_refused() {
    check(
        Layer::new().sparse("huge", 1 << 45, &[]),
        "`/huge` cannot be stored: it has 35184372088832 bytes, a file can have 17592186040320",
    );
}

#[test]
fn a_disk_larger_than_the_format_allows_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let error = sink(&tree(vec![]), &dir.path().join("disk"), DiskSize::Bytes(1 << 44)).unwrap_err();
    assert!(matches!(error, Ext4Error::DiskTooLarge { given: 17_592_186_044_416, .. }), "{error}");
}

#[test]
fn a_canceled_write_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let sink = Ext4Sink::new(&dir.path().join("disk"), Ext4Options::of_size(DiskSize::Fitted));
    assert!(matches!(sink.write(&tree(vec![Layer::new().file("a", "1")]), &cancel), Err(Ext4Error::Canceled)));
}

#[test]
fn a_file_that_is_there_is_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk");
    std::fs::write(&path, "precious").unwrap();
    let error = sink(&tree(vec![]), &path, DiskSize::Fitted).unwrap_err();
    assert!(matches!(error, Ext4Error::Disk { action: "create", .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

#[test]
fn a_full_disk_is_told_as_one() {
    if !crate::support::have_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    crate::support::run(std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "small"]).arg(dir.path()));
    let tree = tree(vec![Layer::new().file("a", vec![1; 3_000_000])]);
    let result = sink(&tree, &dir.path().join("disk"), DiskSize::Bytes(16 << 20));
    crate::support::run(std::process::Command::new("umount").arg(dir.path()));
    let error = result.unwrap_err();
    assert!(error.is_disk_full() && error.blame() == Blame::Host, "{}", chain(&error));
}
