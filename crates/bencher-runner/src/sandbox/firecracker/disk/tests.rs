use std::os::unix::fs::{FileExt, MetadataExt};

use super::*;

#[test]
fn a_clone_has_the_content_and_the_holes_and_is_nobody_elses() {
    let dir = tempfile::tempdir().unwrap();
    let (base, target) = (dir.path().join("base"), dir.path().join("clone"));
    let file = File::create(&base).unwrap();
    file.write_all_at(b"start", 0).unwrap();
    file.write_all_at(b"middle", 5 << 20).unwrap();
    file.set_len(64 << 20).unwrap();
    let copy = clone(&base, &target).unwrap();
    assert_eq!(fs::read(&target).unwrap(), fs::read(&base).unwrap());
    assert!(fs::metadata(&target).unwrap().blocks() * 512 < 1 << 20);
    copy.write_all_at(b"other", 0).unwrap();
    assert_eq!(&fs::read(&base).unwrap()[..5], b"start");
    let error = clone(&base, &target).unwrap_err().to_string();
    assert!(error.starts_with("could not create"), "{error}");
}
