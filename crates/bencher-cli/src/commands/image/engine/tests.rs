use super::*;

#[track_caller]
fn check(text: &str, expected: Option<&str>) {
    assert_eq!(address(text).map(|address| address.to_string()).as_deref(), expected, "{text}");
}

#[test]
fn sockets_and_addresses_are_understood_and_nothing_else() {
    check("unix:///run/podman/podman.sock", Some("/run/podman/podman.sock"));
    check("tcp://127.0.0.1:2375", Some("http://127.0.0.1:2375/"));
    check("http://127.0.0.1:2375", Some("http://127.0.0.1:2375/"));
    check("unix://relative.sock", None);
    check("ssh://host", None);
    check("host", None);
}
