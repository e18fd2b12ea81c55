use super::*;

#[test]
fn paths_are_below_the_clone_and_know_the_platform() {
    let arm = Platform::new("linux", "arm64");
    let clone = tempfile::tempdir().unwrap();
    let root = clone.path().to_str().unwrap();
    let located =
        |path: &str, root: Option<&str>| located(Path::new(path), root.map(Path::new), &arm).unwrap().display().to_string();
    assert_eq!(located("target/{machine}/bench", None), "target/aarch64/bench");
    assert_eq!(located("bench-{arch}", Some(root)), format!("{root}/bench-arm64"));
    assert_eq!(located(".", Some(root)), root);
    assert_eq!(located("/abs", Some(root)), "/abs");
}

#[test]
fn a_password_does_not_get_into_a_label() {
    assert_eq!(without_password("https://ada:secret@example.com/shop.git"), "https://example.com/shop.git");
    assert_eq!(without_password("https://token@example.com/shop.git"), "https://example.com/shop.git");
    assert_eq!(without_password("git@example.com:shop.git"), "git@example.com:shop.git");
    assert_eq!(without_password("../shop"), "../shop");
}
