//! Stopping a job that runs.

use reqwest::Method;
use serde_json::Value;

use crate::support::{BMF, PROJECT, World, machine, until};

#[tokio::test]
async fn a_running_job_can_be_canceled_from_the_command_line() {
    let Some(world) = World::start().await else { return };
    let runner = world.start_runner().await;
    let image = world.push_busybox("bench").await;
    let submitted = world.submit(world.script(&image, "while :; do sleep 3600; done")).await;
    runner.until_runs(&world.marker).await;
    let canceled = world.bencher(&["job", "cancel", PROJECT, &submitted.job, "--format", "json"]).await.json();
    assert_eq!(canceled["status"], "canceled");
    until("the benchmark is gone", async || machine::processes_with(&world.marker).is_empty().then_some(())).await;

    let next = world.submit(world.script(&image, &format!("echo '{BMF}'"))).await;
    world.until_status(&next.job, "processed").await;
    assert_eq!(world.job(&submitted.job).await["status"], "canceled", "whatever the runner said of it later");
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn a_job_that_waits_can_be_canceled_and_never_runs() {
    let Some(world) = World::start().await else { return };
    let image = world.push_busybox("bench").await;
    let waiting = world.submit(world.script(&image, &format!("echo '{BMF}'"))).await;
    let path = format!("/v0/projects/{PROJECT}/jobs/{}/cancel", waiting.job);
    world.call(Method::POST, &path, Value::Null).await;
    let runner = world.start_runner().await;
    let next = world.submit(world.script(&image, &format!("echo '{BMF}'"))).await;
    world.until_status(&next.job, "processed").await;
    let job = world.job(&waiting.job).await;
    assert_eq!(job["status"], "canceled");
    assert!(job["runner"].is_null(), "{job:#}");
    runner.stop(&world.marker).await;
}
