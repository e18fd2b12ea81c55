use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use bencher_types::Secret;

use super::{CREDENTIAL, KeyError, resolve};

const KEY: &str = "bencher_runner_abcdefghijklmnopqrstuvwxyz0123";

fn file(dir: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
    path
}

#[test]
fn a_key_file_may_end_with_a_line_break() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = file(dir.path(), "key", &format!("{KEY}\n"), 0o600);
    assert_eq!(resolve(None, Some(&path), None).expect("a key").expose(), KEY);
}

#[test]
fn a_key_file_that_others_can_read_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().expect("a folder");
    for mode in [0o640, 0o604, 0o644] {
        let path = file(dir.path(), "key", KEY, mode);
        let error = resolve(None, Some(&path), None).expect_err("others can read it").to_string();
        assert!(error.contains(&format!("mode {mode:o}")) && error.contains("chmod 600"), "{error}");
    }
}

#[test]
fn systemds_credential_is_the_last_resort_whatever_its_mode() {
    let dir = tempfile::tempdir().expect("a folder");
    file(dir.path(), CREDENTIAL, KEY, 0o444);
    assert_eq!(resolve(None, None, Some(dir.path())).expect("a key").expose(), KEY);
    let other = KEY.replace("abc", "xyz");
    assert_eq!(resolve(Some(&Secret::new(other.clone())), None, Some(dir.path())).expect("a key").expose(), other);
}

#[test]
fn a_missing_key_says_where_it_may_be() {
    let dir = tempfile::tempdir().expect("a folder");
    let error = resolve(None, None, Some(dir.path())).expect_err("there is none");
    assert!(matches!(error, KeyError::Missing) && error.to_string().contains("--key-file"), "{error}");
}

#[test]
fn a_file_with_something_else_is_named_and_not_repeated() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = file(dir.path(), "key", "bencher_user_secretsecret", 0o600);
    let error = resolve(None, Some(&path), None).expect_err("it is none").to_string();
    assert!(error.contains("/key)") && !error.contains("secret"), "{error}");
}
