//! Bounds on output, memory, processes and disk.

use bencher_runner::sandbox::{Exit, IterationOutcome};

use super::harness::{Harness, text};

/// Whether a limit was applied; where it was not, the outcome must say so.
fn applied(outcome: &IterationOutcome, what: &str) -> bool {
    !outcome.warnings.iter().any(|warning| warning.starts_with(&format!("no {what} limit")))
}

#[tokio::test]
async fn output_beyond_the_bound_is_counted_and_does_not_block() {
    let Some(harness) = Harness::new().await else { return };
    let mut plan = harness.shell("head -c 104857600 /dev/zero; echo done >&2");
    plan.output.max_output_size = 1024 * 1024;
    let outcome = harness.run(&plan).await.unwrap();
    assert_eq!(outcome.exit, Exit::Code(0));
    assert_eq!((outcome.stdout.bytes.len(), outcome.stdout.total), (1024 * 1024, 104_857_600));
    assert!(outcome.stdout.is_truncated());
    assert_eq!(text(&outcome.stderr.bytes), "done\n");
}

#[tokio::test]
async fn a_benchmark_over_its_memory_is_killed_and_it_shows() {
    let Some(harness) = Harness::new().await else { return };
    let mut plan = harness.shell("x=$(head -c 200000000 /dev/zero | busybox tr '\\0' x); echo ${#x}");
    plan.resources.memory_bytes = Some(64 * 1024 * 1024);
    let outcome = harness.run(&plan).await.unwrap();
    if applied(&outcome, "memory") {
        assert!(outcome.oom_killed, "{outcome:?}");
    }
    let small = harness.run_shell("true").await;
    assert!(!small.oom_killed);
}

#[tokio::test]
async fn processes_are_bounded() {
    let Some(harness) = Harness::new().await else { return };
    let mut plan = harness.shell("for i in $(busybox seq 50); do sleep 30 & done; echo all");
    plan.resources.pids = Some(20);
    plan.grace_period = std::time::Duration::from_millis(1);
    let outcome = harness.run(&plan).await.unwrap();
    if applied(&outcome, "pids") {
        assert!(text(&outcome.stderr.bytes).contains("fork"), "{}", text(&outcome.stderr.bytes));
    }
}

#[tokio::test]
async fn the_disk_is_bounded() {
    let Some(harness) = Harness::new().await else { return };
    let mut plan = harness.shell("dd if=/dev/zero of=/tmp/fill bs=1000000 count=100");
    plan.resources.disk_bytes = Some(32 * 1024 * 1024);
    let outcome = harness.run(&plan).await.unwrap();
    if applied(&outcome, "disk") {
        assert!(text(&outcome.stderr.bytes).contains("No space left"), "{}", text(&outcome.stderr.bytes));
    }
}

#[tokio::test]
async fn a_limit_on_cpus_lets_the_benchmark_run() {
    let Some(harness) = Harness::new().await else { return };
    let mut plan = harness.shell("echo ran");
    plan.resources.cpus = Some(1);
    assert_eq!(text(&harness.run(&plan).await.unwrap().stdout.bytes), "ran\n");
}
