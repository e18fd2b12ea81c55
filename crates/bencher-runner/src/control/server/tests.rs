use super::parse;
use crate::control::Ask;

#[test]
fn requests_are_read() {
    assert_eq!(parse("{\"version\":1,\"request\":\"status\"}\n"), Ok(Ask::Status));
    assert_eq!(parse("{\"version\":1,\"request\":\"stop\"}"), Ok(Ask::Stop { cancel: false }));
    assert_eq!(parse("{\"version\":1,\"request\":\"stop\",\"cancel\":true}"), Ok(Ask::Stop { cancel: true }));
}

#[test]
fn another_version_is_refused_by_name_whatever_it_asks() {
    let problem = parse("{\"version\":2,\"request\":\"sing\"}").expect_err("another version");
    assert!(problem.contains("version 1 of the control protocol, not 2"), "{problem}");
}

#[test]
fn what_is_no_request_is_refused() {
    for line in ["", "\n", "status", "{}", "{\"version\":1}", "{\"version\":1,\"request\":\"sing\"}", "[1,\"status\"]"] {
        assert!(parse(line).is_err(), "{line:?}");
    }
}
