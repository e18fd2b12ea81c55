//! Archives that try to reach the host. Each is merged and, where that succeeds, written to a disk image beside a canary;
//! afterwards there is that file and nothing else has changed.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use bencher_oci::{
    DiskSize,
    merge::{Kind, MergeError, Tree},
    sink::{
        TreeSink as _,
        ext4::{Ext4Options, Ext4Sink},
    },
};
use tokio_util::sync::CancellationToken;

use crate::support::{Layer, chain, merge, render};

struct Arena {
    dir: tempfile::TempDir,
}

impl Arena {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("host")).unwrap();
        fs::write(dir.path().join("host/canary"), "alive").unwrap();
        Self { dir }
    }

    fn host(&self) -> PathBuf {
        self.dir.path().join("host")
    }

    /// Writes layers to a disk and checks that the host did not notice. Returns what is on the disk.
    fn attack(&self, layers: Vec<Layer>) -> Result<Tree, String> {
        let disk = self.dir.path().join("disk");
        let outcome = merge(layers).map_err(|error: MergeError| chain(&error));
        if let Ok(tree) = &outcome {
            let sink = Ext4Sink::new(&disk, Ext4Options::of_size(DiskSize::Fitted));
            sink.write(tree, &CancellationToken::new()).unwrap();
        }
        let host: Vec<_> = fs::read_dir(self.host()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(host, ["canary"]);
        let canary = self.host().join("canary");
        assert_eq!(fs::read_to_string(&canary).unwrap(), "alive");
        assert_eq!(fs::metadata(&canary).unwrap().nlink(), 1);
        let beside = fs::read_dir(self.dir.path()).unwrap().count();
        assert_eq!(beside, if outcome.is_ok() { 2 } else { 1 });
        outcome
    }
}

/// Whether a tree holds what was written, at a path of the host as the image sees it.
fn holds(tree: &Tree, path: &str) -> bool {
    render(tree).contains(&format!("{path} 644 file \"owned\""))
}

fn refused(layers: Vec<Layer>, expected: &str) {
    let error = Arena::new().attack(layers).map(|tree| render(&tree)).unwrap_err();
    assert!(error.contains(expected), "{error}");
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_path_with_dots_leaves_nothing() {
    for name in ["../host/x", "a/../../host/x", "..", "a/..", "/../host/x", "./../host/canary"] {
        refused(vec![Layer::new().file(name, "owned")], "the path leaves the image");
        refused(vec![Layer::new().dir(name, 0o777)], "the path leaves the image");
    }
}

#[test]
fn an_absolute_path_is_one_inside_the_image() {
    let arena = Arena::new();
    let canary = text(&arena.host().join("canary"));
    let tree = arena.attack(vec![Layer::new().file(&canary, "owned")]).unwrap();
    assert!(holds(&tree, &canary));
}

#[test]
fn writing_through_a_link_stays_inside() {
    let arena = Arena::new();
    let host = text(&arena.host());
    let tree = arena.attack(vec![Layer::new().symlink("out", &host).file("out/canary", "owned")]).unwrap();
    assert!(holds(&tree, &format!("{host}/canary")));
}

#[test]
fn writing_through_a_relative_link_stays_inside() {
    let arena = Arena::new();
    let tree = arena.attack(vec![Layer::new().symlink("out", "../../../../../../host").file("out/canary", "owned")]).unwrap();
    assert!(holds(&tree, "/host/canary"));
}

#[test]
fn a_link_made_by_a_lower_layer_is_no_way_out_either() {
    let arena = Arena::new();
    let host = text(&arena.host());
    arena.attack(vec![Layer::new().symlink("a", &host), Layer::new().file("a/canary", "owned")]).unwrap();
}

#[test]
fn replacing_a_link_by_a_file_does_not_write_through_it() {
    let arena = Arena::new();
    let canary = text(&arena.host().join("canary"));
    let tree = arena.attack(vec![Layer::new().symlink("a", &canary).file("a", "owned")]).unwrap();
    assert!(holds(&tree, "/a"));
}

#[test]
fn a_hard_link_cannot_reach_the_host() {
    let arena = Arena::new();
    let canary = text(&arena.host().join("canary"));
    let error = arena.attack(vec![Layer::new().hard_link("a", &canary)]).map(|_| ()).unwrap_err();
    assert!(error.contains("which is not there"), "{error}");
    refused(vec![Layer::new().hard_link("a", "../host/canary")], "the path leaves the image");
}

#[test]
fn a_hard_link_through_a_link_cannot_reach_the_host() {
    let arena = Arena::new();
    let host = text(&arena.host());
    let error = arena.attack(vec![Layer::new().symlink("out", &host).hard_link("a", "out/canary")]).unwrap_err();
    assert!(error.contains("which is not there"), "{error}");
}

#[test]
fn a_whiteout_cannot_remove_from_the_host() {
    let arena = Arena::new();
    let host = text(&arena.host());
    arena.attack(vec![Layer::new().symlink("out", &host), Layer::new().file("out/.wh.canary", "")]).unwrap();
    refused(vec![Layer::new().file("../host/.wh.canary", "")], "the path leaves the image");
    refused(vec![Layer::new().file(".wh...", "")], "a whiteout names nothing");
    refused(vec![Layer::new().file("../host/.wh..wh..opq", "")], "the path leaves the image");
}

#[test]
fn names_with_nul_bytes_are_refused() {
    refused(vec![Layer::new().file(b"a\0b", "")], "NUL");
    refused(vec![Layer::new().symlink("a", b"b\0c")], "NUL");
}

#[test]
fn a_device_of_the_host_is_only_a_node_inside() {
    let tree = Arena::new().attack(vec![Layer::new().device("dev/mem", 1, 1).fifo("pipe")]).unwrap();
    assert!(render(&tree).contains(&"/dev/mem 666 char 1:1".to_owned()));
}

#[test]
fn attributes_of_a_link_are_not_set_on_what_it_points_to() {
    let arena = Arena::new();
    let canary = arena.host().join("canary");
    let before = fs::metadata(&canary).unwrap();
    let layer = Layer::new().pax(&[("uid", b"4242"), ("mtime", b"5")]).symlink("a", text(&canary));
    let tree = arena.attack(vec![layer]).unwrap();
    let after = fs::metadata(&canary).unwrap();
    assert_eq!((before.uid(), before.mtime(), before.mode()), (after.uid(), after.mtime(), after.mode()));
    let Kind::Folder(children) = &tree.inode(tree.root()).kind else { panic!("not a folder") };
    let link = &tree.inode(children[b"a".as_slice()]).meta;
    assert_eq!((link.uid, link.mtime.seconds), (4242, 5));
}

#[test]
fn attributes_that_would_command_an_overlay_are_dropped() {
    let records: [(&str, &[u8]); 3] = [
        ("SCHILY.xattr.trusted.overlay.redirect", b"/host"),
        ("SCHILY.xattr.user.overlay.opaque", b"y"),
        ("SCHILY.xattr.user.kept", b"1"),
    ];
    let tree = merge(vec![Layer::new().pax(&records).dir("./", 0o755)]).unwrap();
    let names: Vec<_> = tree.inode(tree.root()).meta.xattrs.keys().cloned().collect();
    assert_eq!(names, [b"user.kept".as_slice().into()]);
}

#[test]
fn unknown_member_types_are_refused_by_name() {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::new(b'Z'));
    header.set_size(0);
    header.set_mode(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    refused(vec![Layer::new().raw(header, b"odd", None, b"")], "entry `odd`: it is of the type `Z`");
}
