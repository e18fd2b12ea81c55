//! The process from outside, without a guest: arguments, exit codes, what it leaves behind.

use std::{fs, process::Command};

use crate::support::{FIRECRACKER, KERNEL, StandIn, eventually};

fn ends_with(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(FIRECRACKER).args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn arguments_that_are_none_have_an_exit_code_of_their_own() {
    assert_eq!(ends_with(&["--bogus"]).0, Some(153));
    assert_eq!(ends_with(&["--no-api"]).0, Some(153));
    assert_eq!(ends_with(&["--level", "Loud"]).0, Some(152));
}

#[test]
fn the_version_is_one_that_the_runner_supports() {
    let output = Command::new(FIRECRACKER).arg("--version").output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "Firecracker v1.16.1\n\n");
}

#[test]
fn whatever_is_at_the_path_of_the_socket_stays_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("api");
    fs::write(&path, "a plain file").unwrap();
    let (code, text) = ends_with(&["--api-sock", path.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    let expected = format!("Failed to open the API socket at: {}. Check that it is not already used.", path.display());
    assert!(text.contains(&expected), "{text}");
    assert_eq!(fs::read_to_string(path).unwrap(), "a plain file");
}

#[test]
fn a_configuration_with_an_unknown_key_ends_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.json");
    fs::write(&path, format!(r#"{{"boot-source": {{"kernel_image_path": "{KERNEL}"}}, "bogus": 1}}"#)).unwrap();
    let (code, text) = ends_with(&["--no-api", "--config-file", path.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(text.contains("unknown field `bogus`"), "{text}");
}

#[test]
fn killed_before_the_start_it_leaves_its_sockets_and_no_process() {
    if !crate::support::has_guests() {
        return;
    }
    let mut stand_in = StandIn::start();
    stand_in.vsock();
    assert!(stand_in.processes().iter().any(|line| line.contains("vhost-device-vsock")), "{:?}", stand_in.processes());
    stand_in.child.kill().unwrap();
    stand_in.child.wait().unwrap();
    eventually("the end of every process", || stand_in.processes().is_empty());
    assert!(stand_in.path("api").exists() && stand_in.path("v").exists());
}
