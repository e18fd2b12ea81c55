//! Processes that go away in the middle of a job. No result is lost, and nothing is left behind.

use crate::{
    happy_path::metric,
    support::{BMF, World, machine, until},
};

#[tokio::test]
async fn a_result_waits_for_a_server_that_is_down() {
    let Some(mut world) = World::start().await else { return };
    let image = world.push_busybox("bench").await;
    let runner = world.start_runner().await;
    let submitted = world.submit(world.until_told(&image)).await;
    let number = runner.until_runs(&world.marker).await;
    world.stop_server().await;
    world.tell(number);
    until("the result is on the runner's disk", async || (runner.spooled() == 1).then_some(())).await;
    world.restart_server().await;
    world.until_status(&submitted.job, "processed").await;
    assert_eq!(metric(&world.report(&submitted.report).await, "checkout", "latency"), Some(1.5));
    until("the spool is empty", async || (runner.spooled() == 0).then_some(())).await;
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn a_server_that_restarts_in_the_middle_of_a_job_costs_nothing() {
    let Some(mut world) = World::start().await else { return };
    let image = world.push_busybox("bench").await;
    let runner = world.start_runner().await;
    let submitted = world.submit(world.until_told(&image)).await;
    let number = runner.until_runs(&world.marker).await;
    world.stop_server().await;
    world.restart_server().await;
    until("the job goes on at the new server", async || (world.runner_state().await == "running").then_some(())).await;
    assert_eq!(world.job(&submitted.job).await["status"], "running");
    world.tell(number);
    let job = world.until_status(&submitted.job, "processed").await;
    assert_eq!(job["attempt"], 1, "it ran once: {job:#}");
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn the_job_of_a_runner_that_was_killed_fails_and_the_next_one_runs() {
    let Some(world) = World::start().await else { return };
    let image = world.push_busybox("bench").await;
    let runner = world.start_runner().await;
    let submitted = world.submit(world.script(&image, "while :; do sleep 3600; done")).await;
    runner.until_runs(&world.marker).await;
    let data = runner.data.clone();
    let iterations = machine::iterations(&data);
    runner.child.kill().await;
    until("the benchmark dies with its runner", async || machine::processes_with(&world.marker).is_empty().then_some(())).await;

    let runner = world.start_runner().await;
    let job = world.until_status(&submitted.job, "failed").await;
    assert!(job["message"].as_str().is_some_and(|message| message.contains("restarted")), "{job:#}");
    let next = world.submit(world.script(&image, &format!("echo '{BMF}'"))).await;
    world.until_status(&next.job, "processed").await;
    for iteration in iterations {
        assert_eq!(machine::control_groups(&iteration), [""; 0], "control groups are left");
    }
    runner.stop(&world.marker).await;
}
