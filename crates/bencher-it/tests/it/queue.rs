//! Jobs that wait.

use serde_json::json;

use crate::support::{BMF, World};

#[tokio::test]
async fn a_job_without_a_runner_says_so_waits_and_runs_when_one_comes() {
    let Some(world) = World::start().await else { return };
    let image = world.push_busybox("bench").await;
    let submitted = world.submit(world.script(&image, &format!("echo '{BMF}'"))).await;
    let job = world.job(&submitted.job).await;
    assert_eq!(job["status"], "pending");
    let message = job["message"].as_str().unwrap_or_else(|| panic!("the job says nothing: {job:#}"));
    assert!(message.contains("runner"), "{message}");

    let runner = world.start_runner().await;
    world.until_status(&submitted.job, "processed").await;
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn a_runner_takes_no_job_of_a_spec_that_is_not_its_own() {
    let Some(world) = World::start().await else { return };
    world.create_spec("other").await;
    let image = world.push_busybox("bench").await;
    let runner = world.start_runner().await;
    let mut foreign = world.script(&image, &format!("echo '{BMF}'"));
    foreign["spec"] = json!("other");
    let foreign = world.submit(foreign).await;
    let own = world.submit(world.script(&image, &format!("echo '{BMF}'"))).await;
    world.until_status(&own.job, "processed").await;
    // It was there first, so a runner that took it would have run it before.
    assert_eq!(world.job(&foreign.job).await["status"], "pending");
    runner.stop(&world.marker).await;
}
