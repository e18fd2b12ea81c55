use super::*;

#[track_caller]
fn check_one(text: &str, expected: &[&str]) {
    let found = super::check(&[TextFile { path: "crates/x/Cargo.toml".to_owned(), text: text.to_owned() }]);
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}

#[test]
fn an_inherited_dependency_is_allowed_with_features_too() {
    check_one(
        "[lints]\nworkspace = true\n[dependencies]\nserde.workspace = true\nnix = { workspace = true, features = [\"pty\"] }\n# a note\n",
        &[],
    );
}

#[test]
fn a_version_in_a_member_is_found() {
    check_one(
        "[lints]\nworkspace = true\n[dev-dependencies]\nserde = \"1\"\n",
        &["crates/x/Cargo.toml:4: declare `serde` in the workspace and write `serde.workspace = true` here"],
    );
    check_one(
        "[lints]\nworkspace = true\n[target.'cfg(unix)'.dependencies]\nnix = { version = \"1\" }\n",
        &["crates/x/Cargo.toml:4: declare `nix` in the workspace and write `nix.workspace = true` here"],
    );
}

#[test]
fn a_dependency_with_a_section_of_its_own_is_found() {
    check_one(
        "[lints]\nworkspace = true\n[dependencies.serde]\nversion = \"1\"\n",
        &["crates/x/Cargo.toml:3: write a dependency on one line: `NAME.workspace = true`"],
    );
}

#[test]
fn a_member_without_the_lints_is_found() {
    check_one(
        "[dependencies]\n",
        &["crates/x/Cargo.toml: does not take the workspace's lints: add `[lints]` and `workspace = true`"],
    );
}

#[test]
fn the_fuzz_targets_are_no_member() {
    let text = "[workspace]\n[dependencies]\nserde = \"1\"\n".to_owned();
    assert_eq!(super::check(&[TextFile { path: "fuzz/Cargo.toml".to_owned(), text }]), []);
}
