use super::*;

fn check(exit: Exit, stderr: &str, expected: Option<&str>) {
    let found = exec_failure("foo", exit, stderr.as_bytes());
    let reason = found.map(|error| match error {
        SandboxError::Image(ImageError::ExecFailed { reason, .. }) => reason,
        other => other.to_string(),
    });
    assert_eq!(reason.as_deref(), expected, "{stderr}");
}

const REFUSED: &str = r#"{"msg":"exec container process (missing dynamic library?) `/bin/foo`: No such file or directory","level":"error","time":"2026-01-01T00:00:00.0Z"}"#;

#[test]
fn a_refused_exec_is_told_from_a_failed_command() {
    check(Exit::Code(1), REFUSED, Some("No such file or directory"));
    check(Exit::Code(1), "exec container process `/bin/foo`: Exec format error\n", Some("Exec format error"));
    check(Exit::Code(2), REFUSED, None);
    check(Exit::Code(1), &format!("{REFUSED}\nmore"), None);
    check(Exit::Code(1), "", None);
    check(Exit::Code(1), "failed", None);
}
