use std::{
    collections::{BTreeMap, VecDeque},
    future::Future,
    path::PathBuf,
    sync::Mutex,
    time::Duration,
};

use bencher_types::wire::job::WantedArtifact;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::{Image, IterationResult, JobOutcome, Order, Prepared, Progress};
use crate::{
    config::Bounds,
    job::plan::{Failures, Measures, Reuse},
    sandbox::{
        CapturedStream, CollectedFile, Ended, ExecutionPlan, Exit, ImageError, IterationOutcome, Network, Phases, Resources,
        Sandbox, SandboxError, Session, SkipReason, SkippedFile, command::Overrides,
    },
};

/// Iterations end as the test says, in order.
struct Script(Mutex<VecDeque<Result<IterationOutcome, SandboxError>>>);

impl Script {
    fn new(outcomes: impl IntoIterator<Item = Result<IterationOutcome, SandboxError>>) -> Self {
        Self(Mutex::new(outcomes.into_iter().collect()))
    }

    fn left(&self) -> usize {
        self.0.lock().expect("no panic").len()
    }
}

impl Sandbox for Script {
    fn run(
        &self,
        _plan: &ExecutionPlan,
        _cancel: CancellationToken,
    ) -> impl Future<Output = Result<IterationOutcome, SandboxError>> + Send {
        let next = self.0.lock().expect("no panic").pop_front();
        std::future::ready(next.expect("no more iterations than the test expects"))
    }
}

fn stream(text: &str) -> CapturedStream {
    CapturedStream { bytes: Bytes::copy_from_slice(text.as_bytes()), total: text.len() as u64 }
}

fn ended(exit: Exit, stdout: &str) -> IterationOutcome {
    IterationOutcome {
        exit,
        ended: Ended::Exited,
        stdout: stream(stdout),
        stderr: CapturedStream::default(),
        files: BTreeMap::new(),
        skipped_files: Vec::new(),
        wall: Duration::from_secs(1),
        oom_killed: false,
        phases: None,
        warnings: Vec::new(),
    }
}

fn prepared(iterations: u32, failures: Failures, measures: Measures) -> Prepared {
    warmed_up(0, iterations, failures, measures)
}

fn warmed_up(warmups: u32, iterations: u32, failures: Failures, measures: Measures) -> Prepared {
    reusing(Reuse::Never, warmups, iterations, failures, measures)
}

fn reusing(reuse: Reuse, warmups: u32, iterations: u32, failures: Failures, measures: Measures) -> Prepared {
    let order = Order {
        overrides: Overrides { entrypoint: Some(vec!["/bench".to_owned()]), ..Overrides::default() },
        network: Network::None,
        resources: Resources::default(),
        timeout: Duration::from_secs(60),
        bounds: Bounds { max_output_bytes: 1000, max_file_count: 3, max_symlinks: 5, grace_period: Duration::from_secs(1) },
        file_paths: vec!["out".to_owned()],
        artifacts: Vec::new(),
        measures,
        iterations,
        warmups,
        reuse,
        failures,
    };
    let config = serde_json::from_value(serde_json::json!({
        "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": [] },
    }));
    let image = Image::without_lease(PathBuf::from("/image"), config.expect("an image's configuration"));
    Prepared::new(order, image).expect("there is a command")
}

async fn run(prepared: Prepared, script: &Script) -> JobOutcome {
    prepared.run(script, 10_000, &CancellationToken::new(), &Progress::new().0).await.outcome()
}

async fn fails(outcomes: Vec<Result<IterationOutcome, SandboxError>>) -> (Vec<String>, String) {
    let iterations = u32::try_from(outcomes.len()).expect("few") + 1;
    let outcome = run(prepared(iterations, Failures::Fatal, Measures::default()), &Script::new(outcomes)).await;
    let JobOutcome::Failed { results, error, .. } = outcome else { panic!("{outcome:?} is no failure") };
    (results.iter().map(|result| String::from_utf8_lossy(&result.stdout).into_owned()).collect(), error)
}

#[tokio::test]
async fn every_iteration_is_a_result() {
    let script = Script::new((0..3).map(|n| Ok(ended(Exit::Code(0), &n.to_string()))));
    let outcome = run(prepared(3, Failures::Fatal, Measures::default()), &script).await;
    let JobOutcome::Completed { results, .. } = outcome else { panic!("{outcome:?} is not completed") };
    assert_eq!(results.iter().map(|result| &result.stdout[..]).collect::<Vec<_>>(), [b"0", b"1", b"2"]);
}

#[tokio::test]
async fn an_exit_code_fails_the_job_with_what_there_is_of_results() {
    let (results, error) = fails(vec![Ok(ended(Exit::Code(0), "one")), Ok(ended(Exit::Code(7), "two"))]).await;
    assert_eq!(results, ["one", "two"]);
    assert_eq!(error, "Benchmark exited with non-zero exit code: 7");
}

#[tokio::test]
async fn an_allowed_failure_is_a_result_like_another() {
    let script = Script::new([Ok(ended(Exit::Code(7), "one")), Ok(ended(Exit::Signal(9), "two"))]);
    let outcome = run(prepared(2, Failures::Allowed, Measures::default()), &script).await;
    let JobOutcome::Completed { results, .. } = outcome else { panic!("{outcome:?} is not completed") };
    assert_eq!(results.iter().map(|result| result.exit_code).collect::<Vec<_>>(), [7, 137]);
}

#[tokio::test]
async fn a_signal_is_named_and_want_of_memory_explained() {
    let killed = IterationOutcome { oom_killed: true, ..ended(Exit::Signal(9), "") };
    let (_, error) = fails(vec![Ok(killed)]).await;
    assert_eq!(error, "Benchmark was killed by signal 9 (SIGKILL); it used more memory than its spec has");
}

#[tokio::test]
async fn a_timeout_delivers_what_was_written_until_then_and_says_so() {
    let late = IterationOutcome { ended: Ended::TimedOut, ..ended(Exit::Signal(15), "so far") };
    // Allowing failures does not allow hanging.
    let outcome = run(prepared(2, Failures::Allowed, Measures::default()), &Script::new([Ok(late)])).await;
    let JobOutcome::Failed { results, error, .. } = outcome else { panic!("{outcome:?} is no failure") };
    assert_eq!(error, "Benchmark did not finish within 60 seconds");
    assert_eq!(&results[0].stdout[..], b"so far");
    assert!(results[0].notes[0].contains("partial"), "{:?}", results[0].notes);
}

#[tokio::test]
async fn a_cancel_ends_the_job_during_and_between_iterations() {
    let canceled = IterationOutcome { ended: Ended::Canceled, ..ended(Exit::Signal(15), "so far") };
    let outcome = run(prepared(2, Failures::Fatal, Measures::default()), &Script::new([Ok(canceled)])).await;
    let JobOutcome::Canceled { results, .. } = outcome else { panic!("{outcome:?} is not canceled") };
    assert_eq!(&results[0].stdout[..], b"so far");
    assert!(results[0].notes[0].contains("partial"), "{:?}", results[0].notes);

    let unborn = IterationOutcome { ended: Ended::Canceled, wall: Duration::ZERO, ..ended(Exit::Signal(9), "") };
    let outcome = run(prepared(2, Failures::Fatal, Measures::default()), &Script::new([Ok(unborn)])).await;
    assert!(matches!(outcome, JobOutcome::Canceled { results, .. } if results.is_empty()));

    let cancel = CancellationToken::new();
    cancel.cancel();
    let script = Script::new([]);
    let outcome =
        prepared(2, Failures::Fatal, Measures::default()).run(&script, 10_000, &cancel, &Progress::new().0).await.outcome();
    assert!(matches!(outcome, JobOutcome::Canceled { results, .. } if results.is_empty()));
}

#[tokio::test]
async fn a_failure_says_whether_the_image_or_this_machine_is_to_blame() {
    let error = ImageError::CommandNotFound { command: "bench".to_owned(), looked_in: vec!["/bin".to_owned()] };
    let (_, text) = fails(vec![Err(error.into())]).await;
    assert_eq!(text, "command `bench` not found in the image; looked in /bin");
    let (_, text) = fails(vec![Err(crate::sandbox::InfrastructureError::SetUpLost.into())]).await;
    assert!(text.starts_with("this runner could not run the benchmark: "), "{text}");
}

#[tokio::test]
async fn iterations_stop_when_their_results_cannot_be_delivered_any_more() {
    let large = "x".repeat(6000);
    let script = Script::new((0..5).map(|_| Ok(ended(Exit::Code(0), &large))));
    let outcome = run(prepared(5, Failures::Fatal, Measures::default()), &script).await;
    assert!(matches!(outcome, JobOutcome::Completed { results, .. } if results.len() == 2));
    assert_eq!(script.left(), 3);
}

#[tokio::test]
async fn artifacts_are_kept_beside_the_results_as_far_as_there_is_room() {
    let wanted = || {
        let mut prepared = prepared(2, Failures::Fatal, Measures::default());
        prepared.order.artifacts = vec![WantedArtifact { path: "/keep/*".to_owned(), name: None }];
        prepared
    };
    let with = |bytes: usize| {
        let file = |bytes: usize| CollectedFile { size: bytes as u64, bytes: vec![b'x'; bytes].into() };
        let files = BTreeMap::from([("out".to_owned(), file(3)), ("/keep/a".to_owned(), file(bytes))]);
        Ok(IterationOutcome { files, ..ended(Exit::Code(0), "") })
    };
    let outcome = run(wanted(), &Script::new([with(6000), with(6000)])).await;
    let JobOutcome::Completed { results, .. } = outcome else { panic!("{outcome:?} is not completed") };
    assert_eq!(results.len(), 2, "no iteration is left out for the sake of artifacts");
    let kept: Vec<_> = results.iter().map(|result| (result.files.len(), result.artifacts.len(), result.notes.len())).collect();
    assert_eq!(kept, [(1, 1, 0), (1, 0, 1)]);
    assert!(results[1].notes[0].contains("1 artifacts of 6000 bytes were not kept"), "{:?}", results[1].notes);
}

#[tokio::test]
async fn sizes_of_files_are_measured_instead_of_delivering_them() {
    let file = CollectedFile { size: 5, bytes: Bytes::from_static(b"bytes") };
    let with_files =
        || IterationOutcome { files: BTreeMap::from([("out".to_owned(), file.clone())]), ..ended(Exit::Code(0), "") };
    let measures = Measures { build_time: false, file_size: true };
    let outcome = run(prepared(1, Failures::Fatal, measures), &Script::new([Ok(with_files())])).await;
    let JobOutcome::Completed { results, .. } = outcome else { panic!("{outcome:?} is not completed") };
    assert!(results[0].files.is_empty());
    assert_eq!(results[0].metrics.as_deref(), Some(r#"{"out":{"file-size":{"value":5}}}"#));

    let outcome = run(prepared(1, Failures::Fatal, Measures::default()), &Script::new([Ok(with_files())])).await;
    let JobOutcome::Completed { results, .. } = outcome else { panic!("{outcome:?} is not completed") };
    assert_eq!(results[0].files["out"], "bytes");
}

#[tokio::test]
async fn what_is_missing_or_cut_is_noted() {
    let outcome = IterationOutcome {
        stdout: CapturedStream { bytes: Bytes::from_static(b"ab"), total: 5 },
        skipped_files: vec![SkippedFile { path: "out".to_owned(), reason: SkipReason::Missing }],
        warnings: vec!["no cgroups".to_owned()],
        ..ended(Exit::Code(0), "")
    };
    let outcome = run(prepared(1, Failures::Fatal, Measures::default()), &Script::new([Ok(outcome)])).await;
    let JobOutcome::Completed { results, .. } = outcome else { panic!("{outcome:?} is not completed") };
    assert_eq!(
        results[0].notes,
        ["stdout was 5 bytes; the first 2 are kept", "file `out` was not collected: the file does not exist", "no cgroups"]
    );
}

#[tokio::test]
async fn warm_up_runs_come_first_and_do_not_count() {
    let script = Script::new(["w1", "w2", "1"].map(|stdout| Ok(ended(Exit::Code(0), stdout))));
    let outcome = run(warmed_up(2, 1, Failures::Fatal, Measures::default()), &script).await;
    let JobOutcome::Completed { results, warmups } = outcome else { panic!("{outcome:?} is not completed") };
    let printed = |of: &[IterationResult]| of.iter().map(|result| result.stdout.clone()).collect::<Vec<_>>();
    assert_eq!((printed(&results), printed(&warmups)), (vec![Bytes::from("1")], vec![Bytes::from("w1"), Bytes::from("w2")]));
    assert_eq!(results[0].timings.and_then(|timings| timings.run_ns), Some(1_000_000_000));
}

#[tokio::test]
async fn a_failing_warm_up_run_fails_the_job_and_says_that_it_was_one() {
    let failing = || Script::new([Ok(ended(Exit::Code(0), "")), Ok(ended(Exit::Code(3), "oh"))]);
    let outcome = run(warmed_up(2, 1, Failures::Fatal, Measures::default()), &failing()).await;
    let JobOutcome::Failed { results, warmups, error, .. } = outcome else { panic!("{outcome:?} is no failure") };
    assert_eq!(error, "warm-up run 2 of 2 failed: Benchmark exited with non-zero exit code: 3");
    assert!(results.is_empty() && warmups[1].stdout == "oh", "{warmups:?}");
    // Where failures are allowed, a warm-up run may fail as well.
    let script = Script::new([Ok(ended(Exit::Code(3), "")), Ok(ended(Exit::Code(0), ""))]);
    let outcome = run(warmed_up(1, 1, Failures::Allowed, Measures::default()), &script).await;
    assert!(matches!(outcome, JobOutcome::Completed { .. }), "{outcome:?}");
}

#[tokio::test]
async fn of_warm_up_runs_no_more_output_is_kept_than_could_be_delivered() {
    let large = "x".repeat(6000);
    let script = Script::new((0..3).map(|_| Ok(ended(Exit::Code(0), &large))));
    let outcome = run(warmed_up(2, 1, Failures::Fatal, Measures::default()), &script).await;
    let JobOutcome::Completed { results, warmups } = outcome else { panic!("{outcome:?} is not completed") };
    assert_eq!((results[0].stdout.len(), warmups[0].stdout.len(), warmups[1].stdout.len()), (6000, 6000, 0));
    assert!(warmups[1].notes[0].contains("6000 bytes"), "{:?}", warmups[1].notes);
}

/// Tells a place that is kept from places that are made anew.
struct Places(Script);

impl Sandbox for Places {
    fn run(
        &self,
        plan: &ExecutionPlan,
        cancel: CancellationToken,
    ) -> impl Future<Output = Result<IterationOutcome, SandboxError>> + Send {
        self.0.run(plan, cancel)
    }

    fn session(&self, plan: &ExecutionPlan) -> impl Session {
        Kept { sandbox: &self.0, plan: plan.clone(), runs: 0 }
    }
}

struct Kept<'a> {
    sandbox: &'a Script,
    plan: ExecutionPlan,
    runs: usize,
}

impl Session for Kept<'_> {
    async fn run(&mut self, cancel: CancellationToken) -> Result<IterationOutcome, SandboxError> {
        self.runs += 1;
        let mut outcome = self.sandbox.run(&self.plan, cancel).await?;
        outcome.warnings.push(format!("run {} of this place", self.runs));
        outcome.phases = Some(Phases { boot: Duration::from_micros(5), ..Phases::default() });
        Ok(outcome)
    }

    async fn close(self) {}
}

#[tokio::test]
async fn runs_share_a_place_only_where_that_was_asked_for() {
    let notes = async |reuse| {
        let sandbox = Places(Script::new((0..3).map(|_| Ok(ended(Exit::Code(0), "")))));
        let prepared = reusing(reuse, 1, 2, Failures::Fatal, Measures::default());
        let ran = prepared.run(&sandbox, 10_000, &CancellationToken::new(), &Progress::new().0).await;
        let JobOutcome::Completed { results, .. } = ran.outcome() else { panic!("it is completed") };
        let boot = results[1].timings.and_then(|timings| timings.boot_ns);
        (results.into_iter().flat_map(|result| result.notes).collect::<Vec<_>>(), boot)
    };
    assert_eq!(notes(Reuse::Never).await, (vec![], None));
    let shared = notes(Reuse::WholeJob).await;
    assert_eq!(shared, (vec!["run 2 of this place".to_owned(), "run 3 of this place".to_owned()], Some(5000)));
}
