use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Condition, range_applies, weigh};

const TAG: &str = "\"sha256:ab\"";

fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
    all.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())).collect()
}

fn check(all: &[(&'static str, &str)], expected: Condition) {
    assert_eq!(weigh(&headers(all), TAG), expected, "{all:?}");
}

#[test]
fn content_that_the_client_has_is_not_sent_again() {
    check(&[("if-none-match", TAG)], Condition::NotModified);
    check(&[("if-none-match", "W/\"sha256:ab\"")], Condition::NotModified);
    check(&[("if-none-match", "\"sha256:cd\", \"sha256:ab\"")], Condition::NotModified);
    check(&[("if-none-match", "*")], Condition::NotModified);
    check(&[("if-none-match", "\"sha256:cd\"")], Condition::Holds);
    check(&[("if-none-match", "sha256:ab")], Condition::Holds);
    check(&[], Condition::Holds);
}

#[test]
fn content_that_the_client_does_not_want_is_not_sent() {
    check(&[("if-match", TAG)], Condition::Holds);
    check(&[("if-match", "*")], Condition::Holds);
    check(&[("if-match", "\"sha256:cd\"")], Condition::Failed);
    // Weak tags do not match strongly.
    check(&[("if-match", "W/\"sha256:ab\"")], Condition::Failed);
    check(&[("if-match", "\"sha256:cd\""), ("if-none-match", TAG)], Condition::Failed);
}

#[test]
fn a_range_may_be_of_one_content_only() {
    assert!(range_applies(&headers(&[]), TAG));
    assert!(range_applies(&headers(&[("if-range", TAG)]), TAG));
    for other in ["\"sha256:cd\"", "W/\"sha256:ab\"", "Sun, 06 Nov 1994 08:49:37 GMT"] {
        assert!(!range_applies(&headers(&[("if-range", other)]), TAG), "{other}");
    }
}
