use super::*;

/// A shell that runs `script` as a service.
fn shell(folder: &Path, script: &str) -> Service {
    Service::start("shell", Path::new("sh"), &folder.join("shell.log"), |command| {
        command.args(["-c", script]);
    })
    .unwrap()
}

#[test]
fn the_log_tells_when_a_service_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = shell(folder.path(), "echo getting up; echo ready at port 1; exec tail -f /dev/null");
    assert_eq!(service.wait_for("ready").unwrap(), "ready at port 1");
    service.check().unwrap();
    service.stop().unwrap();
}

#[test]
fn a_service_that_ends_is_an_error_with_the_end_of_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = shell(folder.path(), "echo the disk is full >&2; exit 3");
    let error = service.wait_for("ready").unwrap_err().to_string();
    assert!(error.starts_with("the shell ended by itself (exit status: 3)"), "{error}");
    assert!(error.ends_with("the disk is full"), "{error}");
}

#[test]
fn dropping_a_service_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = shell(folder.path(), "echo ready; exec tail -f /dev/null");
    service.wait_for("ready").unwrap();
    let pid = service.pid;
    drop(service);
    assert_eq!(kill(pid, None), Err(nix::errno::Errno::ESRCH));
}

#[test]
fn the_log_of_the_time_before_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    shell(folder.path(), "echo first; exec tail -f /dev/null").wait_for("first").unwrap();
    shell(folder.path(), "echo second; exec tail -f /dev/null").wait_for("second").unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("shell.log.old")).unwrap(), "first\n");
}

#[test]
fn the_tail_is_the_last_lines() {
    assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
    assert_eq!(last_lines("a\n", 2), "a");
    assert_eq!(last_lines("", 2), "");
}
