//! Archives that try to reach the host. Each is merged and, where that succeeds, written as root into a folder beside a
//! canary; afterwards nothing outside that folder has changed.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, symlink},
    path::{Path, PathBuf},
};

use bencher_oci::{
    merge::MergeError,
    sink::{
        TreeSink as _,
        folder::{FolderError, FolderSink, Ownership},
    },
};
use tokio_util::sync::CancellationToken;

use crate::support::{Layer, chain, have_root, merge};

struct Arena {
    dir: tempfile::TempDir,
}

impl Arena {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("target")).unwrap();
        fs::create_dir(dir.path().join("host")).unwrap();
        fs::write(dir.path().join("host/canary"), "alive").unwrap();
        Self { dir }
    }

    fn target(&self) -> PathBuf {
        self.dir.path().join("target")
    }

    fn host(&self) -> PathBuf {
        self.dir.path().join("host")
    }

    /// Writes layers to the target and checks that the host did not notice.
    fn attack(&self, layers: Vec<Layer>) -> Result<(), String> {
        let outcome = merge(layers).map_err(|error: MergeError| chain(&error)).and_then(|tree| {
            let sink = FolderSink::new(&self.target(), Ownership::possible());
            sink.write(&tree, &CancellationToken::new()).map_err(|error: FolderError| chain(&error))
        });
        let host: Vec<_> = fs::read_dir(self.host()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(host, ["canary"]);
        let canary = self.host().join("canary");
        assert_eq!(fs::read_to_string(&canary).unwrap(), "alive");
        assert_eq!(fs::metadata(&canary).unwrap().nlink(), 1);
        let beside: Vec<_> = fs::read_dir(self.dir.path()).unwrap().collect();
        assert_eq!(beside.len(), 2);
        outcome.map(|_| ())
    }
}

fn refused(layers: Vec<Layer>, expected: &str) {
    let error = Arena::new().attack(layers).unwrap_err();
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
    arena.attack(vec![Layer::new().file(&canary, "owned")]).unwrap();
    assert_eq!(fs::read_to_string(arena.target().join(canary.trim_start_matches('/'))).unwrap(), "owned");
}

#[test]
fn writing_through_a_link_stays_inside() {
    let arena = Arena::new();
    let host = text(&arena.host());
    arena.attack(vec![Layer::new().symlink("out", &host).file("out/canary", "owned")]).unwrap();
    assert_eq!(fs::read_to_string(arena.target().join(host.trim_start_matches('/')).join("canary")).unwrap(), "owned");
}

#[test]
fn writing_through_a_relative_link_stays_inside() {
    let arena = Arena::new();
    arena.attack(vec![Layer::new().symlink("out", "../../../../../../host").file("out/canary", "owned")]).unwrap();
    assert_eq!(fs::read_to_string(arena.target().join("host/canary")).unwrap(), "owned");
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
    arena.attack(vec![Layer::new().symlink("a", &canary).file("a", "owned")]).unwrap();
    assert!(fs::symlink_metadata(arena.target().join("a")).unwrap().is_file());
}

#[test]
fn a_hard_link_cannot_reach_the_host() {
    let arena = Arena::new();
    let canary = text(&arena.host().join("canary"));
    let error = arena.attack(vec![Layer::new().hard_link("a", &canary)]).unwrap_err();
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
    if !have_root() {
        return;
    }
    let arena = Arena::new();
    arena.attack(vec![Layer::new().device("dev/mem", 1, 1).fifo("pipe")]).unwrap();
    let meta = fs::symlink_metadata(arena.target().join("dev/mem")).unwrap();
    assert_eq!(meta.rdev(), rustix::fs::makedev(1, 1));
}

#[test]
fn attributes_of_a_link_are_not_set_on_what_it_points_to() {
    if !have_root() {
        return;
    }
    let arena = Arena::new();
    let canary = arena.host().join("canary");
    let before = fs::metadata(&canary).unwrap();
    let layer = Layer::new().pax(&[("uid", b"4242"), ("mtime", b"5")]).symlink("a", text(&canary));
    arena.attack(vec![layer]).unwrap();
    let after = fs::metadata(&canary).unwrap();
    assert_eq!((before.uid(), before.mtime(), before.mode()), (after.uid(), after.mtime(), after.mode()));
    let link = fs::symlink_metadata(arena.target().join("a")).unwrap();
    assert_eq!((link.uid(), link.mtime()), (4242, 5));
}

#[test]
fn a_target_that_is_a_link_or_not_empty_is_refused() {
    let arena = Arena::new();
    let tree = merge(vec![Layer::new().file("a", "1")]).unwrap();
    let link = arena.target().join("link");
    symlink(arena.host(), &link).unwrap();
    let written = FolderSink::new(&link, Ownership::possible()).write(&tree, &CancellationToken::new());
    assert!(matches!(written, Err(FolderError::Target { .. })));
    let written = FolderSink::new(&arena.target(), Ownership::possible()).write(&tree, &CancellationToken::new());
    assert!(matches!(written, Err(FolderError::NotEmpty { .. })));
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
