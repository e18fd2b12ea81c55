//! Every kind of file, with every attribute one can have.

use bencher_oci::{Limits, merge::Kind};

use super::disk::{Disk, can_mount, prove, prove_tree, tree};
use crate::support::{Layer, merge_with};
use bencher_oci::sink::ext4::DiskSize;

#[test]
fn devices_with_small_and_large_numbers_arrive() {
    let layer = Layer::new()
        .device("null", 1, 3)
        .device("small", 255, 255)
        .device("major", 256, 0)
        .device("minor", 0, 256)
        .block_device("disk", 8, 17)
        .block_device("large", 4095, 0xf_ffff)
        .fifo("pipe")
        .hard_link("null2", "null");
    prove(vec![layer]);
}

#[test]
fn hard_links_of_every_kind_but_folders_arrive() {
    let layer = Layer::new()
        .file("dir/file", vec![1; 5000])
        .hard_link("other/file", "dir/file")
        .symlink("link", "dir/file")
        .hard_link("dir/link", "link")
        .symlink("long", "x/".repeat(100))
        .hard_link("dir/long", "long")
        .fifo("pipe")
        .hard_link("pipe2", "pipe");
    prove(vec![layer]);
}

#[test]
fn a_file_of_as_many_names_as_allowed_arrives() {
    prove(vec![(1..65_000).fold(Layer::new().file("a", "1"), |layer, n| layer.hard_link(format!("links/{n}"), "a"))]);
}

#[test]
fn symbolic_links_of_any_length_arrive() {
    let layer = [1, 58, 59, 60, 61, 255, 4000]
        .into_iter()
        .fold(Layer::new(), |layer, length| layer.symlink(format!("link-{length}"), "t".repeat(length)));
    prove(vec![layer.symlink("bytes", b"caf\xe9/\xff")]);
}

#[test]
fn names_that_are_no_text_and_names_of_full_length_arrive() {
    let layer = Layer::new()
        .file(b"caf\xe9", "latin")
        .file([b"d/".as_slice(), &[0xff; 255]].concat(), "1")
        .file("n".repeat(255), "2")
        .file(b"control\x01\n\x7f", "3")
        .dir("d/ \u{202e}", 0o700);
    prove(vec![layer]);
}

#[test]
fn modes_and_large_owners_arrive() {
    let layer = Layer::new()
        .pax(&[("uid", b"4294967294"), ("gid", b"65536")])
        .file("owned", "1")
        .pax(&[("uid", b"65535"), ("gid", b"2147483648")])
        .dir("d", 0o7777)
        .pax(&[("uid", b"70000")])
        .symlink("link", "owned");
    prove(vec![(0..8).fold(layer, |layer, n| layer.dir(format!("mode-{n}"), 0o1111 * n))]);
}

/// Times at both ends, and wherever a bit more is needed.
const TIMES: [&str; 14] = [
    "-2147483648",
    "-2147483647.5",
    "-1.25",
    "-0.000000001",
    "0",
    "0.999999999",
    "2147483647.123456789",
    "2147483648",
    "4294967295",
    "4294967296.5",
    "6442450944",
    "10737418239",
    "13569465600",
    "15032385535.5",
];

#[test]
fn times_from_1901_to_2446_arrive() {
    let layer = TIMES.iter().fold(Layer::new(), |layer, time| {
        let time = [("mtime", time.as_bytes())];
        layer.pax(&time).file(format!("file{}", String::from_utf8_lossy(time[0].1)), "1")
    });
    let layer = layer.pax(&[("mtime", b"7000000000.75")]).dir("d", 0o755).pax(&[("mtime", b"-5.5")]).symlink("l", "x");
    prove(vec![layer.pax(&[("mtime", b"4102444800.25")]).dir("./", 0o755)]);
}

#[test]
fn times_beyond_are_the_nearest_that_can_be_told() {
    if !can_mount() {
        return;
    }
    let layer =
        Layer::new().pax(&[("mtime", b"99999999999.5")]).file("late", "1").pax(&[("mtime", b"-99999999999")]).file("early", "1");
    let disk = Disk::new(&tree(vec![layer]), DiskSize::Fitted);
    disk.check();
    let mount = disk.mount("ro");
    let time = |name| std::os::unix::fs::MetadataExt::mtime(&std::fs::metadata(mount.point.join(name)).unwrap());
    assert_eq!((time("late"), time("early")), (15_032_385_535, -2_147_483_648));
}

/// The tool takes these years for ones before 1970 that an old kernel stored wrongly; the kernel reads them as they are.
#[test]
fn times_between_2310_and_2378_arrive_in_the_kernel() {
    if !can_mount() {
        return;
    }
    let tree = tree(vec![
        Layer::new().pax(&[("mtime", b"10737418240")]).file("from", "1").pax(&[("mtime", b"12884901887.5")]).file("to", "1"),
    ]);
    Disk::new(&tree, DiskSize::Fitted).compare(&tree);
}

const CAPABILITY: &[u8] = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
const ID: [u8; 4] = [0xff; 4];

/// An access control list with the entries every one has, two named users and a named group.
fn acl() -> Vec<u8> {
    let entry = |tag: u16, permissions: u16, id: [u8; 4]| [&tag.to_le_bytes()[..], &permissions.to_le_bytes(), &id].concat();
    [
        2_u32.to_le_bytes().to_vec(),
        entry(1, 6, ID),
        entry(2, 7, 1000_u32.to_le_bytes()),
        entry(2, 4, 70_000_u32.to_le_bytes()),
        entry(4, 4, ID),
        entry(8, 5, 33_u32.to_le_bytes()),
        entry(0x10, 7, ID),
        entry(0x20, 0, ID),
    ]
    .concat()
}

#[test]
fn capabilities_access_control_lists_and_attributes_arrive() {
    let acl = acl();
    let layer = Layer::new()
        .pax(&[("SCHILY.xattr.security.capability", CAPABILITY)])
        .file("capable", "1")
        .hard_link("also", "capable")
        .pax(&[("SCHILY.xattr.system.posix_acl_access", &acl), ("SCHILY.xattr.user.note", b"a\nb\0c")])
        .file("acl", "1")
        .pax(&[("SCHILY.xattr.system.posix_acl_access", &acl), ("SCHILY.xattr.system.posix_acl_default", &acl)])
        .dir("folder", 0o770)
        .pax(&[("SCHILY.xattr.trusted.overlay.opaque", b"y"), ("SCHILY.xattr.user.empty", b"")])
        .dir("trusted", 0o755)
        .pax(&[("SCHILY.xattr.security.selinux", b"system_u:object_r:bin_t:s0\0"), ("SCHILY.xattr.user.no", b"x")])
        .symlink("link", "x")
        .pax(&[("SCHILY.xattr.com.example.unknown", b"x"), ("SCHILY.xattr.system.unknown", b"x")])
        .file("unknown", "1")
        .pax(&[("SCHILY.xattr.user.root", b"1"), ("SCHILY.xattr.security.capability", CAPABILITY)])
        .dir("./", 0o755);
    let tree = prove(vec![layer]);
    let dir = tempfile::tempdir().unwrap();
    let written = super::sink(&tree, &dir.path().join("disk"), DiskSize::Fitted).unwrap();
    assert_eq!(written.skipped_xattrs, 3);
}

#[test]
fn attributes_that_fill_the_inode_and_its_block_arrive() {
    for length in [0, 1, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 100, 4000, 4028, 4040] {
        let value = vec![b'v'; length];
        prove(vec![Layer::new().pax(&[("SCHILY.xattr.user.n", &value)]).file("f", "1")]);
    }
    // Many, in no order of the format's, in inode and block.
    let names: Vec<String> =
        (0..60).map(|n| format!("SCHILY.xattr.{}.{}", ["user", "trusted", "security"][n % 3], "n".repeat(60 - n))).collect();
    let records: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"v".as_slice())).collect();
    prove(vec![Layer::new().pax(&records).file("f", "1")]);
    // A fast link with a block of its own: what it takes must not make it a slow one.
    prove(vec![Layer::new().pax(&[("SCHILY.xattr.trusted.large", &[1; 3000])]).symlink("l", "short")]);
}

#[test]
fn all_at_once_arrives_through_layers() {
    let tree = merge_with(
        vec![
            Layer::new().file("a/1", "1").file("a/2", vec![2; 20_000]).dir("b", 0o700).symlink("c", "a"),
            Layer::new().file("a/.wh.1", "").file("c/3", "through").device("b/null", 1, 3),
            Layer::new().hard_link("b/2", "a/2").file("b/.wh.nothing", ""),
        ],
        &Limits::default(),
    )
    .unwrap();
    assert!(matches!(tree.inode(tree.root()).kind, Kind::Folder(_)));
    prove_tree(&tree);
}
