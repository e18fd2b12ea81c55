use std::{fs, os::unix::fs::PermissionsExt as _};

use bencher_types::Secret;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{DockerError, write};

fn secret() -> Secret {
    Secret::new("bencher_user_x")
}

#[test]
fn a_log_in_is_added_to_what_there_is() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("docker/config.json");
    write(&path, "localhost:6610", "ada@example.com", &secret()).unwrap();
    write(&path, "other:1", "bob@example.com", &secret()).unwrap();
    let config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    // base64 of `ada@example.com:bencher_user_x`
    assert_eq!(config["auths"]["localhost:6610"], json!({ "auth": "YWRhQGV4YW1wbGUuY29tOmJlbmNoZXJfdXNlcl94" }));
    assert_eq!(config["auths"].as_object().unwrap().len(), 2);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_file_with_other_settings_keeps_them_and_one_that_is_no_object_is_left_alone() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("config.json");
    fs::write(&path, r#"{"proxies": {"default": {}}, "auths": {"docker.io": {"auth": "eA=="}}}"#).unwrap();
    write(&path, "localhost:6610", "ada@example.com", &secret()).unwrap();
    let config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(config["proxies"], json!({ "default": {} }));
    assert_eq!(config["auths"]["docker.io"]["auth"], "eA==");

    fs::write(&path, "[1]").unwrap();
    assert!(matches!(write(&path, "a", "b", &secret()), Err(DockerError::Syntax { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "[1]");
}

#[test]
fn where_a_store_keeps_log_ins_the_command_that_reaches_it_is_told() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("config.json");
    fs::write(&path, r#"{"credsStore": "desktop"}"#).unwrap();
    let error = write(&path, "localhost:6610", "ada@example.com", &secret()).unwrap_err().to_string();
    assert!(error.ends_with("`docker login --username ada@example.com --password-stdin localhost:6610`"), "{error}");
}
