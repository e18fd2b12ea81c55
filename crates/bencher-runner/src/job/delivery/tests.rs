use std::collections::BTreeMap;

use bencher_types::{
    JobFailure, JobUuid,
    wire::channel::{FromRunner, Timings},
};
use bytes::Bytes;
use proptest::prelude::*;

use super::{CUT_DOWN_SIZE, METRICS_KEY, cut_down, message};
use crate::job::{
    limits::MIN_MESSAGE_SIZE,
    outcome::{IterationResult, JobOutcome, KeptFile},
};

const LARGE: usize = 4 << 20;

fn printed(stdout: impl Into<Bytes>) -> IterationResult {
    IterationResult { stdout: stdout.into(), ..IterationResult::default() }
}

fn parse(message: &str) -> FromRunner {
    serde_json::from_str(message).expect("a message of the wire")
}

#[test]
fn a_result_goes_out_as_the_wire_describes_it() {
    let job = JobUuid::random();
    let result = IterationResult {
        exit_code: 0,
        stdout: Bytes::from_static(b"out"),
        stderr: Bytes::new(),
        notes: Vec::new(),
        files: BTreeMap::from([("a".to_owned(), Bytes::from_static(b"\xffb"))]),
        artifacts: Vec::new(),
        metrics: Some("{}".to_owned()),
        timings: Some(Timings { run_ns: Some(7), ..Timings::default() }),
    };
    let text = message(job, JobOutcome::Completed { results: vec![result], warmups: Vec::new() }, LARGE);
    assert_eq!(
        text,
        format!(
            r#"{{"event":"completed","job":"{job}","results":[{{"exit_code":0,"stdout":"out","output":{{"\u0000bencher":"{{}}","a":"{}b"}},"timings":{{"run_ns":7}}}}]}}"#,
            '\u{fffd}'
        )
    );
    assert_eq!(METRICS_KEY.len(), 8);
}

#[test]
fn artifacts_arrive_byte_for_byte_and_give_way_to_results() {
    let job = JobUuid::random();
    let kept = |path: &str, bytes: &'static [u8]| KeptFile {
        path: path.to_owned(),
        name: Some("graph".to_owned()),
        bytes: Bytes::from_static(bytes),
    };
    let with = |artifacts| {
        let result = IterationResult { artifacts, ..printed("out") };
        JobOutcome::Completed { results: vec![result], warmups: Vec::new() }
    };
    let text = message(job, with(vec![kept("/a.svg", b"<svg>"), kept("/b", b"\xff\0")]), LARGE);
    let FromRunner::Completed { results, .. } = parse(&text) else { panic!("it is completed: {text}") };
    let arrived: Vec<_> =
        results[0].artifacts.iter().flatten().map(|one| (one.path.as_str(), one.bytes().expect("base 64"))).collect();
    assert_eq!(arrived, [("/a.svg", b"<svg>".to_vec()), ("/b", b"\xff\0".to_vec())]);
    assert_eq!(results[0].output, None);

    let large: &[u8] = vec![b'x'; MIN_MESSAGE_SIZE].leak();
    let text = message(job, with(vec![kept("/large", large)]), MIN_MESSAGE_SIZE);
    let FromRunner::Completed { results, .. } = parse(&text) else { panic!("it is completed: {text:.200}") };
    assert_eq!((results[0].stdout.as_deref(), &results[0].artifacts), (Some("out"), &None));
    assert!(results[0].stderr.as_deref().is_some_and(|stderr| stderr.contains("1 artifacts of")), "{results:?}");
}

#[test]
fn a_cancel_carries_what_there_is_and_stays_one() {
    let job = JobUuid::random();
    assert_eq!(message(job, JobOutcome::canceled(), LARGE), format!(r#"{{"event":"canceled","job":"{job}"}}"#));
    let of = |bytes: usize| JobOutcome::Canceled { results: vec![printed(vec![b'x'; bytes])], warmups: Vec::new() };
    let text = message(job, of(3), LARGE);
    assert_eq!(text, format!(r#"{{"event":"canceled","job":"{job}","results":[{{"exit_code":0,"stdout":"xxx"}}]}}"#));

    let large = message(job, of(100_000), LARGE);
    for text in [message(job, of(100_000), MIN_MESSAGE_SIZE), cut_down(&large).expect("it is a result")] {
        assert!(text.len() <= MIN_MESSAGE_SIZE.max(CUT_DOWN_SIZE));
        let FromRunner::Canceled { results, .. } = parse(&text) else { panic!("it is canceled: {text:.200}") };
        assert!(results[0].stdout.as_deref().unwrap_or_default().contains("bytes left out"));
    }
}

#[test]
fn notes_of_the_runner_follow_stderr() {
    let result =
        IterationResult { stderr: Bytes::from_static(b"x"), notes: vec!["one".to_owned(), "two".to_owned()], ..printed("") };
    let FromRunner::Completed { results, .. } =
        parse(&message(JobUuid::random(), JobOutcome::Completed { results: vec![result], warmups: Vec::new() }, LARGE))
    else {
        panic!("it is completed")
    };
    assert_eq!(results[0].stderr.as_deref(), Some("x\n[runner] one\n[runner] two\n"));
    assert_eq!(results[0].stdout, None);
}

#[test]
fn a_result_larger_than_the_message_fails_the_job_and_says_both_sizes() {
    let outcome = JobOutcome::Completed { results: vec![printed(vec![b'x'; 100_000])], warmups: Vec::new() };
    let text = message(JobUuid::random(), outcome, MIN_MESSAGE_SIZE);
    assert!(text.len() <= MIN_MESSAGE_SIZE);
    let FromRunner::Failed { results, error, .. } = parse(&text) else { panic!("it is failed") };
    assert!(error.starts_with("the result is 100") && error.contains("at most 65536"), "{error}");
    let stdout = results[0].stdout.as_deref().unwrap_or_default();
    assert!(stdout.len() > 20_000 && stdout.contains("bytes left out"), "{} bytes", stdout.len());
}

#[test]
fn a_failure_that_is_too_large_keeps_its_own_reason_first() {
    let outcome = JobOutcome::Failed {
        results: vec![printed(vec![b'x'; 100_000])],
        warmups: Vec::new(),
        error: "exit code 7".to_owned(),
        failure: JobFailure::User,
    };
    let FromRunner::Failed { error, .. } = parse(&message(JobUuid::random(), outcome, MIN_MESSAGE_SIZE)) else {
        panic!("it is failed")
    };
    assert!(error.starts_with("exit code 7; moreover, the result is"), "{error}");
}

#[test]
fn a_stored_message_that_no_server_takes_is_cut_down() {
    let job = JobUuid::random();
    let stored = message(job, JobOutcome::Completed { results: vec![printed(vec![b'x'; 1 << 20])], warmups: Vec::new() }, LARGE);
    let cut = cut_down(&stored).expect("it is a result");
    assert!(cut.len() <= CUT_DOWN_SIZE);
    assert!(matches!(parse(&cut), FromRunner::Failed { job: same, .. } if same == job));
    assert_eq!(cut_down("?"), None);
}

#[test]
fn warm_up_runs_go_along_and_give_way_to_results() {
    let warm = |bytes: usize| vec![printed(vec![b'w'; bytes]), printed("second")];
    let sent = |results: usize, warmups: usize| {
        let outcome = JobOutcome::Completed { results: vec![printed(vec![b'x'; results])], warmups: warm(warmups) };
        let text = message(JobUuid::random(), outcome, MIN_MESSAGE_SIZE);
        assert!(text.len() <= MIN_MESSAGE_SIZE);
        let FromRunner::Completed { results, warmups, .. } = parse(&text) else { panic!("it is completed: {text:.200}") };
        (results[0].stdout.clone().unwrap(), warmups)
    };
    let (_, warmups) = sent(10, 10);
    assert_eq!(warmups.unwrap()[0].stdout.as_deref(), Some("wwwwwwwwww"));
    let (result, warmups) = sent(40_000, 40_000);
    assert_eq!(result.len(), 40_000, "what counts is whole");
    let warmups = warmups.unwrap();
    assert!(warmups[0].stdout.as_deref().unwrap().contains("bytes left out"));
    assert_eq!(warmups[1].stdout.as_deref(), Some("second"));
    let (result, warmups) = sent(65_000, 40_000);
    assert_eq!((result.len(), warmups), (65_000, None));
}

proptest! {
    #[test]
    fn whatever_came_of_a_job_fits(
        results in prop::collection::vec((any::<i32>(), prop::collection::vec(any::<u8>(), 0..200), 0_usize..3000), 0..300),
        warmups in prop::collection::vec(0_usize..40_000, 0..5),
        canceled in any::<bool>(),
        error in prop::option::of("\\PC{0,40}"),
        error_times in 1_usize..2000,
    ) {
        let results = results
            .into_iter()
            .map(|(exit_code, bytes, times)| IterationResult { exit_code, ..printed(bytes.repeat(times / 100)) })
            .collect();
        let warmups = warmups.into_iter().map(|bytes| printed(vec![1_u8; bytes])).collect();
        let outcome = match error {
            Some(error) => JobOutcome::Failed { results, warmups, error: error.repeat(error_times), failure: JobFailure::User },
            None if canceled => JobOutcome::Canceled { results, warmups },
            None => JobOutcome::Completed { results, warmups },
        };
        let text = message(JobUuid::random(), outcome, MIN_MESSAGE_SIZE);
        prop_assert!(text.len() <= MIN_MESSAGE_SIZE, "{} bytes", text.len());
        parse(&text);
    }
}
