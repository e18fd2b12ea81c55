use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;

/// A folder with one file of log-ins.
struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

/// `USER PASSWORD`, or nothing.
async fn of(paths: &[PathBuf], registry: &str, repository: &str) -> String {
    match Logins::read(paths).unwrap().of(registry, repository).await.unwrap() {
        Credentials::Basic { user, password } => format!("{user} {}", password.expose()),
        _ => String::new(),
    }
}

fn auth(text: &str) -> String {
    format!(r#"{{"auth": "{}"}}"#, BASE64_STANDARD.encode(text))
}

#[tokio::test]
async fn the_most_telling_name_counts() {
    let files = Files::new();
    let text = format!(r#"{{"auths": {{"r:5000": {}, "r:5000/a/b": {}}}}}"#, auth("all:1"), auth("some:2:3"));
    let path = [files.write("auth.json", &text)];
    assert_eq!(of(&path, "r:5000", "a/b/c").await, "some 2:3");
    assert_eq!(of(&path, "r:5000", "a/bc").await, "all 1");
    assert_eq!(of(&path, "other", "a").await, "");
}

#[tokio::test]
async fn the_names_that_docker_writes_are_understood() {
    let files = Files::new();
    let text = format!(r#"{{"auths": {{"https://index.docker.io/v1/": {}}}}}"#, auth("ada:x"));
    assert_eq!(of(&[files.write("config.json", &text)], "docker.io", "library/busybox").await, "ada x");
}

#[tokio::test]
async fn the_first_file_that_knows_a_registry_counts_and_missing_and_empty_ones_are_passed_over() {
    let files = Files::new();
    let one = files.write("one", &format!(r#"{{"auths": {{"a": {}}}}}"#, auth("one:1")));
    let two = files.write("two", &format!(r#"{{"auths": {{"a": {}, "b": {}}}}}"#, auth("two:2"), auth("two:2")));
    let paths = [files.dir.path().join("missing"), files.write("empty", "\n"), one, two];
    assert_eq!(of(&paths, "a", "x").await, "one 1");
    assert_eq!(of(&paths, "b", "x").await, "two 2");
}

#[tokio::test]
async fn what_cannot_be_used_is_said_with_its_file() {
    let files = Files::new();
    let path = files.write("auth.json", "[");
    assert!(matches!(Logins::read(&[path]), Err(LoginError::Syntax { .. })));
    for (entry, expected) in [
        (r#"{"auth": "!"}"#, "is not NAME:PASSWORD in base64"),
        (r#"{"auth": "eA==", "identitytoken": "t"}"#, "is an identity token"),
    ] {
        let path = files.write("auth.json", &format!(r#"{{"auths": {{"a": {entry}}}}}"#));
        let error = Logins::read(std::slice::from_ref(&path)).unwrap().of("a", "x").await.unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(&path.display().to_string()), "{error}");
    }
}

#[tokio::test]
async fn a_helper_that_is_missing_or_is_no_name_is_said() {
    let files = Files::new();
    for (helper, expected) in
        [("no-such-helper-here", "docker-credential-no-such-helper-here"), ("../x", "docker-credential-../x")]
    {
        let path = files.write("config.json", &format!(r#"{{"credHelpers": {{"a": "{helper}"}}}}"#));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = Logins::read(&[path]).unwrap().of("a", "x").await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
