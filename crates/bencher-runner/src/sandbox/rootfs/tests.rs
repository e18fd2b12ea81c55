use std::{fs, os::unix::fs::symlink};

use proptest::prelude::*;

use super::*;

/// A folder with a tree in it and a file beside the tree that nothing in the tree may reach.
fn tree() -> (tempfile::TempDir, AnchoredRoot) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::write(dir.path().join("outside"), "outside").unwrap();
    fs::write(root.join("a/b/file"), "inside").unwrap();
    fs::write(root.join("outside"), "decoy").unwrap();
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
    let anchored = AnchoredRoot::open(&root).unwrap();
    (dir, anchored)
}

fn check(path: &str, max_symlinks: u32, expected: &str) {
    let (_dir, root) = tree();
    let found = root.open_file(path, max_symlinks).map(|file| read_bounded(file, 100).unwrap().unwrap());
    let found = match found {
        Ok(bytes) => String::from_utf8(bytes).unwrap(),
        Err(error) if error.is_missing() => "missing".to_owned(),
        Err(error) => error.to_string(),
    };
    assert_eq!(found, expected, "{path}");
}

#[test]
fn links_are_followed_within_the_tree() {
    check("/a/b/file", 0, "inside");
    check("a//./b/../b/file", 0, "inside");
    check("two", 2, "inside");
    check("/a/dir/file", 1, "inside");
    check("self/self/one", 3, "inside");
}

#[test]
fn nothing_leads_outside() {
    check("../outside", 0, "decoy");
    check("a/up", 1, "decoy");
    check("/a/dir/../../../../outside", 1, "decoy");
}

#[test]
fn links_are_counted() {
    check("two", 1, "more than 1 symbolic links");
    check("loop", 40, "more than 40 symbolic links");
}

#[test]
fn what_is_no_file_is_refused() {
    check("a", 0, "not a regular file");
    check("/", 0, "not a regular file");
    check("", 0, "not a regular file");
    check("gone", 1, "missing");
    check("a/b/file/more", 0, "missing");
}

#[test]
fn a_file_over_the_bound_is_not_read() {
    let (_dir, root) = tree();
    assert_eq!(read_bounded(root.open_file("one", 1).unwrap(), 5).unwrap(), None);
    assert_eq!(read_bounded(root.open_file("one", 1).unwrap(), 6).unwrap().unwrap(), b"inside");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_path_reads_the_file_outside(parts in prop::collection::vec(
        prop::sample::select(vec!["a", "b", "..", ".", "up", "dir", "self", "outside", "one", "two", ""]), 0..8,
    )) {
        let (_dir, root) = tree();
        if let Ok(file) = root.open_file(&parts.join("/"), 40) {
            prop_assert_ne!(read_bounded(file, 100).unwrap().unwrap(), b"outside");
        }
    }
}
