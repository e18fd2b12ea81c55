use bencher_types::wire::adapter::Adapter;
use proptest::prelude::*;

use super::{AdapterError, BUILT, chains, normalize, parse};
use crate::limits::MAX_OUTPUT_BYTES;

const BMF: &str = r#"{"a": {"latency": {"value": 1}}}"#;
const CRITERION: &str = "a  time:   [1 ns 2 ns 3 ns]";
const HYPERFINE: &str = r#"{"results": [{"command": "a", "mean": 1, "median": 1, "min": 1, "max": 1}]}"#;

fn names(adapter: Adapter, text: &str) -> Vec<String> {
    parse(adapter, None, text).unwrap().iter().map(|(name, _)| name.to_string()).collect()
}

#[test]
fn each_adapter_reads_its_own_format_only() {
    let formats = [(Adapter::Json, BMF), (Adapter::RustCriterion, CRITERION), (Adapter::ShellHyperfine, HYPERFINE)];
    for (adapter, _) in formats {
        for (of, text) in formats {
            let parsed = parse(adapter, None, text);
            assert_eq!(parsed.is_ok(), adapter == of, "{adapter} on the output of {of}: {parsed:?}");
        }
    }
}

#[test]
fn magic_and_languages_read_every_format() {
    for adapter in [Adapter::Magic, Adapter::Rust, Adapter::Shell, Adapter::Dart] {
        for text in [BMF, CRITERION, HYPERFINE] {
            assert_eq!(names(adapter, text), ["a"]);
        }
    }
}

#[test]
fn adapter_that_is_not_built_names_those_that_are() {
    let error = parse(Adapter::CppGoogle, None, "{}").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the `cpp_google` adapter is not available on this server: use one of `magic`, `json`, `rust_criterion`, `shell_hyperfine`"
    );
}

#[test]
fn every_adapter_is_built_or_says_that_it_is_not() {
    for &adapter in Adapter::ALL {
        let not_built = matches!(parse(adapter, None, ""), Err(AdapterError::NotBuilt { .. }));
        assert_eq!(!not_built, BUILT.contains(&normalize(adapter)), "{adapter}");
    }
}

#[test]
fn output_nobody_understands_tells_what_each_adapter_expected() {
    let error = parse(Adapter::Magic, None, "hello\nworld").unwrap_err().to_string();
    assert!(
        error.starts_with(r"no adapter understands the output, found `hello\nworld` (the `json` adapter expected"),
        "{error}"
    );
    assert!(error.contains("; the `rust_criterion` adapter expected a line such as"), "{error}");
    assert!(error.contains("; the `shell_hyperfine` adapter expected the JSON"), "{error}");
}

#[test]
fn magic_repeats_what_the_adapter_said_that_knew_the_format() {
    let doubled = CRITERION.to_owned() + "\n" + CRITERION;
    let error = parse(Adapter::Magic, None, &doubled).unwrap_err();
    assert!(matches!(error, AdapterError::Metric { adapter: Adapter::RustCriterion, .. }), "{error}");
}

#[test]
fn output_larger_than_the_bound_is_refused() {
    let text = " ".repeat(MAX_OUTPUT_BYTES + 1);
    let error = parse(Adapter::Magic, None, &text).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the `magic` adapter reads at most 67108864 bytes of output, found 67108865: name the results file, not the log"
    );
}

proptest! {
    #[test]
    fn no_adapter_panics_or_repeats_the_output(text in "(?s).{0,4000}") {
        for &adapter in Adapter::ALL {
            if let Err(error) = parse(adapter, None, &text) {
                prop_assert!(chains(&[error]).len() < 4000);
            }
        }
    }
}
