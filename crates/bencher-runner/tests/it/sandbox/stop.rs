//! Timeout and cancel: all of a benchmark ends, and what it said until then is kept.

use std::time::Duration;

use bencher_runner::sandbox::{Ended, Exit, Resources, Sandbox as _};
use tokio_util::sync::CancellationToken;

use super::harness::{Harness, eventually, processes_with, text};

#[tokio::test]
async fn a_timeout_kills_forked_deaf_and_detached_processes() {
    let Some(harness) = Harness::new().await else { return };
    let marker = "8640017";
    let script = format!(
        "echo before; trap '' TERM; (trap '' TERM; sleep {marker}) & setsid sh -c 'sleep {marker} & sleep {marker}' & sleep {marker}; sleep {marker}"
    );
    let mut plan = harness.shell(&script);
    plan.timeout = Duration::from_millis(300);
    plan.grace_period = Duration::from_millis(100);
    plan.file_paths = vec!["/data/input".to_owned()];
    let outcome = harness.run(&plan).await.unwrap();
    assert_eq!((outcome.ended, outcome.exit), (Ended::TimedOut, Exit::Signal(9)));
    assert!(outcome.is_partial() && outcome.wall >= plan.timeout);
    assert_eq!(text(&outcome.stdout.bytes), "before\n");
    assert_eq!(outcome.files.len(), 1);
    assert_eq!(processes_with(marker), Vec::<String>::new());
}

#[tokio::test]
async fn a_benchmark_that_obeys_sigterm_ends_by_itself() {
    let Some(harness) = Harness::new().await else { return };
    let mut plan = harness.shell("trap 'echo bye; exit 3' TERM; while true; do sleep 0.05; done");
    plan.timeout = Duration::from_millis(300);
    plan.grace_period = super::harness::LONG;
    let outcome = harness.run(&plan).await.unwrap();
    assert_eq!((outcome.ended, outcome.exit), (Ended::TimedOut, Exit::Code(3)));
    assert_eq!(text(&outcome.stdout.bytes), "bye\n");
}

#[tokio::test]
async fn what_outlives_the_benchmark_is_killed_after_the_grace_period() {
    let Some(harness) = Harness::new().await else { return };
    let marker = "8640018";
    let mut plan = harness.shell(&format!("setsid sleep {marker} & setsid sleep {marker} & exit 0"));
    plan.grace_period = Duration::from_millis(50);
    let outcome = harness.run(&plan).await.unwrap();
    assert_eq!((outcome.ended, outcome.exit), (Ended::Exited, Exit::Code(0)));
    assert_eq!(processes_with(marker), Vec::<String>::new());
}

#[tokio::test]
async fn a_cancel_stops_a_running_benchmark() {
    let Some(harness) = Harness::new().await else { return };
    let marker = "8640019";
    let plan = harness.shell(&format!("echo before; sleep {marker}"));
    let cancel = CancellationToken::new();
    let canceler = async {
        eventually("the benchmark runs", || processes_with(marker).iter().any(|line| line.starts_with("sleep"))).await;
        cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(harness.sandbox.run(&plan, cancel.clone()), canceler);
    let outcome = outcome.unwrap();
    assert_eq!((outcome.ended, outcome.exit), (Ended::Canceled, Exit::Signal(15)));
    assert_eq!(text(&outcome.stdout.bytes), "before\n");
    assert_eq!(processes_with(marker), Vec::<String>::new());
    harness.assert_clean().await;
}

#[tokio::test]
async fn a_cancel_before_the_start_runs_nothing() {
    let Some(harness) = Harness::new().await else { return };
    let cancel = CancellationToken::new();
    cancel.cancel();
    let outcome = harness.sandbox.run(&harness.shell("echo ran"), cancel).await.unwrap();
    assert_eq!((outcome.ended, outcome.stdout.total), (Ended::Canceled, 0));
    harness.assert_clean().await;
}

#[tokio::test]
async fn dropping_the_future_kills_the_benchmark() {
    let Some(harness) = Harness::new().await else { return };
    let marker = "8640020";
    let mut plan = harness.shell(&format!("sleep {marker}; true"));
    plan.resources = Resources { cpus: Some(1), memory_bytes: Some(1 << 28), disk_bytes: Some(1 << 25), pids: Some(50) };
    tokio::select! {
        outcome = harness.sandbox.run(&plan, CancellationToken::new()) => panic!("ended: {outcome:?}"),
        () = eventually("the benchmark runs", || processes_with(marker).iter().any(|line| line.starts_with("sleep"))) => {}
    }
    assert_eq!(processes_with(marker), Vec::<String>::new());
    harness.assert_clean().await;
}
