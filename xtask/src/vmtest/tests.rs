use super::*;

#[test]
fn the_numbers_are_those_of_all_tests() {
    let report = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="12" failures="2" errors="1" uuid="u" timestamp="t" time="1.5">
    <testsuite name="bencher-runner::it" tests="5" disabled="0" errors="0" failures="0"/>
</testsuites>"#;
    assert_eq!(counts(report), Some(Counts { passed: 9, failed: 3 }));
}

#[test]
fn what_is_no_report_has_no_numbers() {
    assert_eq!(counts(""), None);
    assert_eq!(counts(r#"<testsuites name="nextest-run" tests="1">"#), None);
}
