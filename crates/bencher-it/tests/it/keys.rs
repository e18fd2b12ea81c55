//! Runner keys that are wrong, withdrawn or replaced.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    happy_path::metric,
    support::{BMF, RUNNER, World, text, until},
};

#[tokio::test]
async fn a_runner_with_a_wrong_key_says_what_to_do_and_gets_no_job() {
    let Some(world) = World::start().await else { return };
    let image = world.push_busybox("bench").await;
    let submitted = world.submit(world.script(&image, &format!("echo '{BMF}'"))).await;
    let runner = world.spawn_runner(&format!("bencher_runner_{}", "0".repeat(30)));
    until("the runner tells of its key", async || runner.child.log().contains("key").then_some(())).await;
    assert!(!runner.child.has_ended(), "the key may be mended at the server: {}", runner.child.log());
    assert_eq!(world.job(&submitted.job).await["status"], "pending");
    assert_eq!(world.runner_state().await, "offline");
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn an_archived_runner_is_turned_away_and_told() {
    let Some(world) = World::start().await else { return };
    let image = world.push_busybox("bench").await;
    let runner = world.start_runner().await;
    world.call(Method::PATCH, &format!("/v0/runners/{RUNNER}"), json!({ "archived": true })).await;
    until("the runner tells that it is archived", async || runner.child.log().contains("archived").then_some(())).await;
    let submitted = world.submit(world.script(&image, &format!("echo '{BMF}'"))).await;
    assert_eq!(world.job(&submitted.job).await["status"], "pending");
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn the_result_of_a_job_survives_the_replacement_of_the_key() {
    let Some(world) = World::start().await else { return };
    let image = world.push_busybox("bench").await;
    let runner = world.start_runner().await;
    let submitted = world.submit(world.until_told(&image)).await;
    let number = runner.until_runs(&world.marker).await;
    let key = text(&world.call(Method::POST, &format!("/v0/runners/{RUNNER}/key"), Value::Null).await, "key");
    // The old key is void at once: the connection ends, and it opens none.
    until("the runner is turned away", async || runner.child.log().contains("key").then_some(())).await;
    world.tell(number);
    until("the result is on the runner's disk", async || (runner.spooled() == 1).then_some(())).await;
    assert!(world.job(&submitted.job).await["output"].is_null(), "nothing was taken under the old key");
    // It would wait for a while for the server to take the result.
    runner.child.kill().await;

    let runner = world.spawn_runner(&key);
    world.until_status(&submitted.job, "processed").await;
    assert_eq!(metric(&world.report(&submitted.report).await, "checkout", "latency"), Some(1.5));
    until("the spool is empty", async || (runner.spooled() == 0).then_some(())).await;
    runner.stop(&world.marker).await;
}
