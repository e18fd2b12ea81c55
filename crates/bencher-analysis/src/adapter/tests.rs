use bencher_types::wire::adapter::{Adapter, Average};
use proptest::prelude::*;

use super::{AdapterError, ORDER, normalize, parse, testing};
use crate::limits::MAX_OUTPUT_BYTES;

/// One benchmark `a` in each format.
const SAMPLES: [(Adapter, &str); 19] = [
    (Adapter::Json, r#"{"a": {"latency": {"value": 1}}}"#),
    (
        Adapter::CSharpDotNet,
        r#"{"Benchmarks": [{"Method": "a", "Statistics": {"Mean": 1, "StandardDeviation": 1, "Median": 1, "InterquartileRange": 1}}]}"#,
    ),
    (Adapter::CppGoogle, r#"{"context": {}, "benchmarks": [{"name": "a", "real_time": 1, "time_unit": "ns"}]}"#),
    (Adapter::CppCatch2, "benchmark name  samples  iterations  mean\n----\na  1  1  1 ns\n"),
    (Adapter::DartBenchmarkHarness, "a(RunTime): 1 us."),
    (Adapter::GoBench, "Benchmark 1 1 ns/op"),
    (Adapter::JavaJmh, r#"[{"benchmark": "a", "primaryMetric": {"score": 1, "scoreUnit": "ns/op"}}]"#),
    (Adapter::JsBenchmark, "a x 1 ops/sec ±1% (1 run sampled)"),
    (Adapter::JsTime, "a: 1ms"),
    (Adapter::JsVitest, r#"{"files": [{"groups": [{"fullName": "a", "benchmarks": [{"name": "a", "mean": 1}]}]}]}"#),
    (Adapter::PythonAsv, "[1%] ··· a  1±1ms"),
    (Adapter::PythonPytest, r#"{"benchmarks": [{"fullname": "a", "stats": {"mean": 1, "stddev": 1, "median": 1, "iqr": 1}}]}"#),
    (Adapter::RubyBenchmark, "a  1 1 1 (1)"),
    (Adapter::RustBench, "test a ... bench: 1 ns/iter (+/- 1)"),
    (Adapter::RustCriterion, "a  time:   [1 ns 2 ns 3 ns]"),
    (Adapter::RustIai, "a\n  Instructions: 1"),
    (Adapter::RustGungraunStdout, "a\n  Instructions: 1|N/A (***)"),
    (
        Adapter::RustGungraunJson,
        r#"{"module_path": "a", "profiles": [{"tool": "DHAT", "data": {"total": {"metrics": {"TotalBytes": {"values": {"new": 1}}}}}}]}"#,
    ),
    (Adapter::ShellHyperfine, r#"{"results": [{"command": "a", "mean": 1, "median": 1, "min": 1, "max": 1}]}"#),
];

#[test]
fn each_adapter_reads_its_own_format_only() {
    for (adapter, _) in SAMPLES {
        for (of, text) in SAMPLES {
            let parsed = parse(adapter, None, text);
            assert_eq!(parsed.is_ok(), adapter == of, "{adapter} on the output of {of}: {parsed:?}");
        }
    }
}

#[test]
fn json_that_ends_too_early_is_refused_wherever_it_ends() {
    for (adapter, text) in SAMPLES.into_iter().filter(|(_, text)| text.ends_with(['}', ']'])) {
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let parsed = parse(adapter, None, &text[..end]);
            assert!(parsed.is_err(), "{adapter} on `{}`: {parsed:?}", &text[..end]);
        }
    }
}

#[test]
fn magic_and_languages_read_every_format() {
    assert_eq!(SAMPLES.map(|(adapter, _)| adapter), ORDER);
    for (of, text) in SAMPLES {
        for average in [None, Some(Average::Mean), Some(Average::Median)] {
            let own = parse(of, average, text).unwrap_or_default();
            for adapter in [Adapter::Magic, Adapter::Rust, Adapter::Cpp, Adapter::Go, Adapter::Shell, Adapter::Dart] {
                assert_eq!(parse(adapter, average, text).unwrap_or_default(), own, "{of} read by {adapter}");
            }
        }
    }
}

#[test]
fn gungraun_is_read_in_either_of_its_formats() {
    for (of, text) in SAMPLES {
        let own = matches!(of, Adapter::RustGungraunStdout | Adapter::RustGungraunJson);
        assert_eq!(parse(Adapter::RustGungraun, None, text).is_ok(), own, "{of}");
    }
}

#[test]
fn every_adapter_but_gungrauns_and_the_languages_is_tried_by_magic() {
    for &adapter in Adapter::ALL {
        let whole = matches!(normalize(adapter), Adapter::Magic | Adapter::RustGungraun);
        assert_eq!(ORDER.contains(&adapter), !whole, "{adapter}");
    }
}

#[test]
fn output_nobody_understands_names_who_was_asked() {
    let error = parse(Adapter::Magic, None, "hello\nworld").unwrap_err();
    let message = testing::chain(&error);
    assert!(
        message.starts_with(
            r"no adapter understands the output, found `hello\nworld`: name the harness's own adapter to be told what it expects, one of `json`, `c_sharp_dot_net`,"
        ),
        "{message}"
    );
    let AdapterError::NoneMatched { attempts, .. } = error else { panic!("{message}") };
    assert_eq!(attempts.iter().map(AdapterError::adapter).collect::<Vec<_>>(), ORDER);
}

#[test]
fn magic_repeats_what_the_adapter_said_that_knew_the_format() {
    let doubled = "a  time:   [1 ns 2 ns 3 ns]\n".repeat(2);
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

/// The samples with far more benchmarks than may be, as far as they are a line each.
#[test]
fn two_million_benchmarks_are_refused() {
    let many = |line: &dyn Fn(u32) -> String| (0..2_000_000).map(line).collect::<String>();
    let texts = [
        (Adapter::PythonAsv, many(&|n| format!("[1%] ··· {n} 1s\n"))),
        (Adapter::GoBench, many(&|n| format!("Benchmark{n} 1 1 ns/op\n"))),
        (Adapter::JsTime, many(&|n| format!("{n}: 1ms\n"))),
        (Adapter::JavaJmh, format!("[{}0]", "0,".repeat(2_000_000))),
        (Adapter::CppGoogle, format!(r#"{{"context": {{}}, "benchmarks": [{}{{}}]}}"#, r#"{"name": ""},"#.repeat(2_000_000))),
    ];
    for (adapter, text) in &texts {
        let message = testing::chain(&parse(*adapter, None, text).unwrap_err());
        assert!(message.contains("more than 65536") || message.contains("invalid type"), "{adapter}: {message}");
    }
}

proptest! {
    #[test]
    fn no_adapter_panics_or_repeats_the_output(text in "(?s).{0,4000}") {
        for &adapter in Adapter::ALL {
            if let Err(error) = parse(adapter, None, &text) {
                prop_assert!(testing::chain(&error).len() < 4000);
            }
        }
    }
}
