use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::symlink},
};

use proptest::prelude::*;

use super::*;

/// A folder with a tree in it and a file beside the tree that nothing in the tree may reach.
fn tree() -> (tempfile::TempDir, Tree) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::write(dir.path().join("outside"), "outside").unwrap();
    fs::write(root.join("a/b/file"), "inside").unwrap();
    fs::write(root.join("outside"), "decoy").unwrap();
    fs::write(root.join(OsStr::from_bytes(b"a/\xff")), "bytes").unwrap();
    symlink(OsStr::from_bytes(b"a/\xff"), root.join("strange")).unwrap();
    let links = [
        ("one", "a/b/file"),
        ("two", "/one"),
        ("a/up", "../../../outside"),
        ("a/dir", "/a/b"),
        ("loop", "loop"),
        ("gone", "/nowhere"),
        ("self", "."),
    ];
    for (name, target) in links {
        symlink(target, root.join(name)).unwrap();
    }
    let tree = Tree::open(&root).unwrap();
    (dir, tree)
}

fn check(path: &[u8], max_symlinks: u32, expected: &str) {
    let (_dir, tree) = tree();
    let found = tree.open_file(path, max_symlinks).map(|file| read_bounded(file, 100).unwrap().unwrap());
    let found = match found {
        Ok(bytes) => String::from_utf8(bytes).unwrap(),
        Err(error) if error.is_missing() => "missing".to_owned(),
        Err(error) => error.to_string(),
    };
    assert_eq!(found, expected, "{}", String::from_utf8_lossy(path));
}

#[test]
fn links_are_followed_within_the_tree() {
    check(b"/a/b/file", 0, "inside");
    check(b"a//./b/../b/file", 0, "inside");
    check(b"two", 2, "inside");
    check(b"/a/dir/file", 1, "inside");
    check(b"self/self/one", 3, "inside");
}

#[test]
fn nothing_leads_outside() {
    check(b"../outside", 0, "decoy");
    check(b"a/up", 1, "decoy");
    check(b"/a/dir/../../../../outside", 1, "decoy");
}

#[test]
fn links_are_counted() {
    check(b"two", 1, "more than 1 symbolic links");
    check(b"loop", 40, "more than 40 symbolic links");
}

#[test]
fn names_are_bytes() {
    check(b"a/\xff", 0, "bytes");
    check(b"strange", 1, "bytes");
}

#[test]
fn what_is_no_file_is_told_from_what_is_missing() {
    check(b"a", 0, "not a regular file");
    check(b"", 0, "not a regular file");
    check(b"gone", 1, "missing");
    check(b"a/b/file/more", 0, "missing");
}

#[test]
fn a_pipe_is_refused_unopened() {
    let (dir, tree) = tree();
    nix::unistd::mkfifo(&dir.path().join("root/fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(matches!(tree.open_file(b"fifo", 0), Err(LocateError::NotRegular)));
}

#[test]
fn the_names_of_a_folder_are_bounded() {
    let (_dir, tree) = tree();
    let mut names = tree.names(b"a", 0, 100).unwrap();
    names.sort();
    assert_eq!(names, [&b"b"[..], b"dir", b"up", b"\xff"]);
    assert_eq!(tree.names(b"/", 0, 3).unwrap().len(), 3);
    assert!(tree.names(b"a/b/file", 0, 3).is_err_and(|error| error.is_missing()));
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let (_dir, tree) = tree();
    assert_eq!(read_bounded(tree.open_file(b"a/b/file", 0).unwrap(), 5).unwrap(), None);
    assert_eq!(read_bounded(tree.open_file(b"a/b/file", 0).unwrap(), 6).unwrap().unwrap(), b"inside");
}

proptest! {
    #[test]
    fn any_path_ends_inside(path in prop::collection::vec(prop::sample::select(b"ab/.ufile\xff".to_vec()), 0..30)) {
        let (_dir, tree) = tree();
        if let Ok(file) = tree.open_file(&path, 40) {
            prop_assert_ne!(read_bounded(file, 100).unwrap().unwrap(), b"outside".to_vec());
        }
    }
}
