use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;

use super::metrics;
use crate::{
    job::plan::Measures,
    sandbox::{CapturedStream, CollectedFile, Ended, Exit, IterationOutcome},
};

fn outcome() -> IterationOutcome {
    IterationOutcome {
        exit: Exit::Code(0),
        ended: Ended::Exited,
        stdout: CapturedStream::default(),
        stderr: CapturedStream::default(),
        files: BTreeMap::from([("target/app".to_owned(), CollectedFile { size: 12_345, bytes: Bytes::new() })]),
        skipped_files: Vec::new(),
        wall: Duration::from_millis(2500),
        oom_killed: false,
        phases: None,
        warnings: Vec::new(),
    }
}

fn measured(build_time: bool, file_size: bool) -> Option<String> {
    metrics(Measures { build_time, file_size }, &["cargo".to_owned(), "build".to_owned()], &outcome())
}

#[test]
fn durations_and_sizes_are_named_after_what_they_are_of() {
    assert_eq!(measured(false, false), None);
    assert_eq!(measured(true, false).as_deref(), Some(r#"{"cargo build":{"build-time":{"value":2.5}}}"#));
    assert_eq!(measured(false, true).as_deref(), Some(r#"{"target/app":{"file-size":{"value":12345}}}"#));
    assert!(measured(true, true).is_some_and(|both| both.contains("build-time") && both.contains("file-size")));
}

#[test]
fn a_long_command_is_still_a_benchmarks_name() {
    let command = vec!["ä".repeat(2000)];
    let text = metrics(Measures { build_time: true, file_size: false }, &command, &outcome()).expect("it is measured");
    let parsed: BTreeMap<String, serde_json::Value> = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(parsed.keys().next().map(String::len), Some(1024));
}
