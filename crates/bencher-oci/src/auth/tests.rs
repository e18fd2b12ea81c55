use super::*;

fn check(header: &str, expected: Option<(&str, Option<&str>, Option<&str>)>) {
    let expected = expected.map(|(realm, service, scope)| Challenge::Bearer {
        realm: realm.to_owned(),
        service: service.map(str::to_owned),
        scope: scope.map(str::to_owned),
    });
    assert_eq!(Challenge::parse(header), expected, "{header}");
}

#[test]
fn a_bearer_challenge_is_read() {
    check(
        r#"Bearer realm="https://a.example/token",service="a.example",scope="repository:x/y:pull,push""#,
        Some(("https://a.example/token", Some("a.example"), Some("repository:x/y:pull,push"))),
    );
    check(r#"bearer Realm=https://a.example/token , SERVICE="q\"q""#, Some(("https://a.example/token", Some("q\"q"), None)));
}

#[test]
fn what_cannot_be_answered_is_no_challenge() {
    check("Bearer service=x", None);
    check("Negotiate", None);
    check("", None);
    check(r#"Bearer realm="unclosed"#, Some(("unclosed", None, None)));
}

#[test]
fn a_basic_challenge_is_read() {
    assert_eq!(Challenge::parse(r#"Basic realm="x""#), Some(Challenge::Basic));
    assert_eq!(Challenge::parse("BASIC"), Some(Challenge::Basic));
}

#[test]
fn credentials_do_not_show_in_debug_output() {
    let credentials = Credentials::Basic { user: "u".to_owned(), password: Secret::new("hunter2") };
    assert!(!format!("{credentials:?}").contains("hunter2"));
    assert!(!format!("{:?}", bearer(&Secret::new("hunter2"))).contains("hunter2"));
}
