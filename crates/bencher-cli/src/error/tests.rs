use super::CliError;

#[test]
fn an_error_cannot_control_the_terminal() {
    let report = CliError::Usage("\u{1b}[2Jgone".to_owned()).report();
    assert_eq!(report, "error: \u{fffd}[2Jgone");
}
