use super::{AskError, find, is_lock_of};
use crate::{control::SOCKET, data_dir::DataDir};

#[test]
fn a_lock_is_known_by_its_process_and_its_file() {
    let line = "3: FLOCK  ADVISORY  WRITE 4242 fe:01:777 0 EOF";
    assert!(is_lock_of(line, 4242, "777"));
    assert!(!is_lock_of(line, 424, "777") && !is_lock_of(line, 4242, "77"));
    assert!(!is_lock_of("3: POSIX  ADVISORY  WRITE 4242 fe:01:777 0 EOF", 4242, "777"));
    assert!(!is_lock_of("", 1, "1"));
}

#[tokio::test]
async fn a_folder_that_is_not_there_has_no_runner() {
    let dir = tempfile::tempdir().expect("a folder");
    assert!(find(&dir.path().join("none")).await.expect("it can be looked for").is_none());
}

#[tokio::test]
async fn a_killed_runners_socket_is_no_runner() {
    let dir = tempfile::tempdir().expect("a folder");
    drop(std::os::unix::net::UnixListener::bind(dir.path().join(SOCKET)).expect("a socket"));
    assert!(dir.path().join(SOCKET).exists());
    assert!(find(dir.path()).await.expect("it can be looked for").is_none());
}

#[tokio::test]
async fn a_runner_that_has_the_folder_and_does_not_listen_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let _held = DataDir::open(dir.path().to_owned()).expect("it is free");
    let error = find(dir.path()).await.expect_err("somebody has it");
    assert!(matches!(error, AskError::Silent { pid, .. } if pid == std::process::id()), "{error}");
}
