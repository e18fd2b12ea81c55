use bencher_types::oci::manifest::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};
use http::{HeaderMap, HeaderValue, header};
use proptest::prelude::*;

use super::{Accept, KINDS};

fn accept(values: &[&str]) -> Accept {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(header::ACCEPT, HeaderValue::from_str(value).unwrap());
    }
    Accept::of(&headers)
}

fn check(values: &[&str], expected: &[&str]) {
    let accept = accept(values);
    let taken: Vec<&str> = KINDS.into_iter().filter(|kind| accept.takes(kind)).collect();
    assert_eq!(taken, expected, "{values:?}");
}

#[test]
fn who_names_no_kind_of_manifest_takes_all() {
    check(&[], &KINDS);
    check(&[""], &KINDS);
    check(&["*/*"], &KINDS);
    check(&["text/html,application/xhtml+xml,*/*;q=0.8"], &KINDS);
    check(&["text/plain;q=0.1"], &KINDS);
    check(&["application/json"], &KINDS);
    check(&["nonsense, ;;, =,"], &KINDS);
}

#[test]
fn who_names_kinds_takes_those() {
    check(&[OCI_MANIFEST], &[OCI_MANIFEST]);
    check(&[OCI_INDEX, OCI_MANIFEST], &[OCI_MANIFEST, OCI_INDEX]);
    check(&[&format!("{DOCKER_MANIFEST};q=0.5 , {DOCKER_LIST}")], &[DOCKER_MANIFEST, DOCKER_LIST]);
    check(&[&OCI_MANIFEST.to_uppercase()], &[OCI_MANIFEST]);
    check(&[OCI_INDEX, "text/html"], &[OCI_INDEX]);
}

#[test]
fn who_takes_anything_else_too_takes_all_but_what_is_refused() {
    check(&[OCI_MANIFEST, "*/*"], &KINDS);
    check(&[&format!("{OCI_MANIFEST}, application/json")], &KINDS);
    check(&[&format!("{OCI_INDEX};q=0, application/*")], &[OCI_MANIFEST, DOCKER_MANIFEST, DOCKER_LIST]);
    check(&[&format!("{OCI_INDEX}; q=0.000"), "*/*;q=0"], &[]);
}

proptest! {
    #[test]
    fn a_header_that_names_no_kind_refuses_none(values in proptest::collection::vec("[ -~]{0,60}", 0..4)) {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        prop_assert!(KINDS.into_iter().all(|kind| accept(&values).takes(kind)));
    }
}
