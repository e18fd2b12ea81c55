use bencher_types::BenchmarkName;

use super::{Alerts, IGNORE_SUFFIX, SUFFIXES, split_ignore_suffix};

fn check(name: &str, base: &str, alerts: Alerts) {
    let name = BenchmarkName::new(name).unwrap();
    assert_eq!(split_ignore_suffix(&name), (BenchmarkName::new(base).unwrap(), alerts));
}

#[test]
fn each_style_suppresses_alerts_and_keeps_the_name() {
    check("flakyNetworkBencherIgnore", "flakyNetwork", Alerts::Suppressed);
    check("flaky_network_bencher_ignore", "flaky_network", Alerts::Suppressed);
    check("flaky-network-bencher-ignore", "flaky-network", Alerts::Suppressed);
}

#[test]
fn other_names_raise_alerts() {
    check("flaky_network", "flaky_network", Alerts::Raised);
    check("bencher_ignore_first", "bencher_ignore_first", Alerts::Raised);
    check("flakyBENCHERIGNORE", "flakyBENCHERIGNORE", Alerts::Raised);
    check("flakybencherIgnore", "flakybencherIgnore", Alerts::Raised);
    check("flaky bencher_ignore", "flaky bencher_ignore", Alerts::Raised);
}

#[test]
fn suffix_is_taken_off_once() {
    check("a_bencher_ignore_bencher_ignore", "a_bencher_ignore", Alerts::Suppressed);
}

#[test]
fn name_that_is_only_the_suffix_keeps_it() {
    check("BencherIgnore", "BencherIgnore", Alerts::Suppressed);
    check(" _bencher_ignore", " _bencher_ignore", Alerts::Suppressed);
}

#[test]
fn written_suffix_is_the_shortest() {
    assert!(SUFFIXES.iter().all(|suffix| IGNORE_SUFFIX.len() <= suffix.len()));
}
