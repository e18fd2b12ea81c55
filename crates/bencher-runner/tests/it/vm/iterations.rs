//! More than one iteration, one after the other and at the same time.

use std::time::Duration;

use bencher_runner::sandbox::{Ended, Sandbox as _, Session as _, firecracker::FirecrackerSandbox};
use tokio_util::sync::CancellationToken;

use super::harness::{Harness, text};

#[tokio::test]
async fn a_session_keeps_its_guest_until_a_benchmark_has_to_be_stopped() {
    let Some(harness) = Harness::new().await else { return };
    let mut plan = harness.shell("echo x >> /runs; grep -c x /runs; test $(grep -c x /runs) = 3 && sleep 600");
    plan.timeout = Duration::from_secs(5);
    plan.grace_period = Duration::from_millis(100);
    let mut session = harness.sandbox.session(&plan);
    let mut told = Vec::new();
    let mut boots = Vec::new();
    for _ in 0..4 {
        let outcome = session.run(CancellationToken::new()).await.unwrap();
        told.push((text(&outcome.stdout.bytes), outcome.ended));
        boots.push(!outcome.phases.unwrap().boot.is_zero());
    }
    session.close().await;
    harness.assert_clean();
    assert_eq!(told[0], ("1\n".to_owned(), Ended::Exited));
    assert_eq!(told[1], ("2\n".to_owned(), Ended::Exited));
    assert_eq!(told[2].1, Ended::TimedOut);
    assert_eq!(boots[..2], [true, false]);
}

#[tokio::test]
async fn a_session_that_is_dropped_leaves_nothing() {
    let Some(harness) = Harness::new().await else { return };
    let plan = harness.shell("echo once");
    let mut session = harness.sandbox.session(&plan);
    session.run(CancellationToken::new()).await.unwrap();
    drop(session);
    harness.assert_clean();
    // In the middle of an iteration, too.
    let plan = harness.shell("sleep 600");
    let mut session = harness.sandbox.session(&plan);
    let abandoned = tokio::time::timeout(Duration::from_secs(10), session.run(CancellationToken::new())).await;
    assert!(abandoned.is_err());
    drop(session);
    harness.assert_clean();
}

#[tokio::test]
async fn two_runners_of_one_host_do_not_meet() {
    let Some(harness) = Harness::new().await else { return };
    let again = FirecrackerSandbox::open(harness.config.clone()).await.unwrap_err().to_string();
    assert!(again.contains("another runner uses the state folder"), "{again}");
    let mut config = harness.config.clone();
    config.state_dir = harness.dir.path().join("other");
    let other = FirecrackerSandbox::open(config).await.unwrap();
    let script = "echo $WHO > /mine; sleep 1; cat /mine";
    let plan_of = |who: &str| {
        let mut plan = harness.shell(script);
        plan.env.push(("WHO".to_owned(), who.to_owned()));
        plan
    };
    let (one, two) = (plan_of("one"), plan_of("two"));
    let (first, second) =
        tokio::join!(harness.sandbox.run(&one, CancellationToken::new()), other.run(&two, CancellationToken::new()));
    assert_eq!((text(&first.unwrap().stdout.bytes), text(&second.unwrap().stdout.bytes)), ("one\n".into(), "two\n".into()));
    harness.assert_clean();
}
