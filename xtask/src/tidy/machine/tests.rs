use super::*;

#[track_caller]
fn check_one(path: &str, text: &str, expected: &[&str]) {
    let mirrors = BTreeSet::from(["mirror.example".to_owned()]);
    let found = super::check(&[TextFile { path: path.to_owned(), text: text.to_owned() }], &mirrors);
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}

#[test]
fn a_path_of_one_machine_is_found() {
    let path = ABSOLUTE[0];
    check_one("docs/a.md", &format!("see `{path}main`"), &[&format!("docs/a.md:1: `{path}…` is a path of one machine")]);
    check_one("docs/a.md", &format!("see target{path}main and https://example.org{path}x"), &[]);
}

#[test]
fn a_mirror_of_this_machine_is_found() {
    check_one(
        "docs/a.md",
        "\nhttp://mirror.example/debian",
        &["docs/a.md:2: `mirror.example` is where this machine gets its packages; others get them elsewhere"],
    );
}

#[test]
fn a_package_from_elsewhere_is_found() {
    check_one("Cargo.lock", &format!("source = \"{CRATES_IO}\""), &[]);
    check_one("Cargo.lock", "source = \"git+https://example.org/x\"", &["Cargo.lock:1: a package that is not from crates.io"]);
}

#[test]
fn hosts_are_read_from_any_setting() {
    let text = "URIs: http://a.example/debian\nindex-url = https://user:word@b.example:8443/simple\nregistry = \"sparse+https://c.example/\"";
    assert_eq!(hosts(text), ["a.example", "b.example", "c.example"]);
    assert!(hosts("no address here").is_empty());
}
