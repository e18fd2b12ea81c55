use super::*;

#[test]
fn a_failed_program_gives_its_exit_code() {
    let error = run(Command::new("sh").args(["-c", "exit 7"])).unwrap_err();
    assert_eq!(error.to_string(), "`sh -c exit 7` failed (exit status: 7)");
    assert_eq!(exit_code_of(&error), ExitCode::from(7));
}

#[test]
fn an_error_with_context_keeps_the_exit_code() {
    let error = run(Command::new("sh").args(["-c", "exit 7"])).context("while testing").unwrap_err();
    assert_eq!(exit_code_of(&error), ExitCode::from(7));
}

#[test]
fn any_other_error_exits_with_one() {
    assert_eq!(exit_code_of(&anyhow::anyhow!("no")), ExitCode::FAILURE);
}

#[test]
fn output_tells_what_the_program_complained_about() {
    let error = output(Command::new("sh").args(["-c", "echo no such thing >&2; exit 1"])).unwrap_err();
    assert!(format!("{error:#}").starts_with("no such thing: `sh"), "{error:#}");
}

#[test]
fn find_takes_only_executables() {
    assert!(find("sh").is_some());
    assert!(find("no-such-program-anywhere").is_none());
}
