use std::os::unix::fs::symlink;

use super::*;

#[test]
fn folders_that_cannot_be_emptied_are_made_removable_and_links_are_left_alone() {
    let outside = TempDir::new().unwrap();
    fs::set_permissions(outside.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let dir = TempDir::new().unwrap();
    fs::create_dir_all(dir.path().join("a/b")).unwrap();
    symlink(outside.path(), dir.path().join("a/link")).unwrap();
    for closed in ["a/b", "a"] {
        fs::set_permissions(dir.path().join(closed), fs::Permissions::from_mode(0o000)).unwrap();
    }
    make_removable(dir.path()).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dir.path().join("a")), mode(&dir.path().join("a/b"))), (0o700, 0o700));
    assert_eq!(mode(outside.path()), 0o555);
}

#[test]
fn a_link_out_of_a_clone_is_told_and_one_within_is_followed() {
    let outside = TempDir::new().unwrap();
    fs::write(outside.path().join("secret"), "").unwrap();
    let clone = TempDir::new().unwrap();
    fs::create_dir(clone.path().join("out")).unwrap();
    fs::write(clone.path().join("out/bench"), "").unwrap();
    symlink("out/bench", clone.path().join("inner")).unwrap();
    symlink(outside.path().join("secret"), clone.path().join("outer")).unwrap();
    symlink(outside.path(), clone.path().join("folder")).unwrap();
    for good in ["", "inner", "out/bench", "missing"] {
        within(clone.path(), &clone.path().join(good)).unwrap();
    }
    for bad in ["outer", "folder", "folder/secret", "out/../../"] {
        assert!(matches!(within(clone.path(), &clone.path().join(bad)), Err(ImageError::LeavesClone { .. })), "{bad}");
    }
}
