use std::os::unix::fs::symlink;

use super::*;

#[test]
fn plain_files_are_collected_by_name_and_links_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path();
    fs::create_dir(base.join("b")).unwrap();
    for name in ["c", "b/2", "b/1", "a"] {
        fs::write(base.join(name), name).unwrap();
    }
    symlink("a", base.join("link")).unwrap();
    let mut files = Vec::new();
    collect(base, &mut files).unwrap();
    let names: Vec<_> = files.iter().map(|file| file.strip_prefix(base).unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["a", "b/1", "b/2", "c"]);
}

#[test]
fn what_is_not_there_adds_nothing() {
    let mut files = Vec::new();
    collect(Path::new("/no/such/folder"), &mut files).unwrap();
    assert!(files.is_empty());
}
