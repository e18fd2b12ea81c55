use super::*;

#[test]
fn what_to_put_where_is_read() {
    let add: Add = "data/a:b:/in/image".parse().unwrap();
    assert_eq!((add.source.to_str().unwrap(), add.dest.as_str()), ("data/a:b", "/in/image"));
    for bad in ["", "data", "data:", "data:relative", ":/dest"] {
        assert!(bad.parse::<Add>().is_err(), "{bad}");
    }
}

#[test]
fn paths_of_an_image_are_absolute_and_free_of_dots() {
    assert_eq!(plan::key("/a//b/./c/").unwrap(), b"a/b/c");
    for bad in ["a", "", "/a/../b", "/.."] {
        assert!(matches!(plan::key(bad), Err(AssembleError::Dest(_))), "{bad}");
    }
}

#[test]
fn two_things_cannot_be_in_one_place() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["one", "two"] {
        std::fs::write(dir.path().join(name), name).unwrap();
    }
    let mut plan = Plan::default();
    let mut put = |name: &str| {
        let path = dir.path().join(name);
        plan.file("/x", &path, &std::fs::metadata(&path).unwrap())
    };
    put("one").unwrap();
    put("one").unwrap();
    assert!(matches!(put("two"), Err(AssembleError::Conflict { path, .. }) if path == "/x"));
}
