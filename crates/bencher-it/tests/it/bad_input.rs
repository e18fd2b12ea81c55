//! Benchmarks that fail, hang, flood or print nonsense. The runner goes on.

use serde_json::{Value, json};

use crate::{
    happy_path::metric,
    support::{BMF, World, machine, until},
};

/// Why a job failed, in its own words.
#[track_caller]
fn reason(job: &Value) -> &str {
    job["message"].as_str().unwrap_or_else(|| panic!("the job says nothing: {job:#}"))
}

/// Whatever happened before: the next job runs, and nothing of any is left.
async fn next_job_runs(world: &World, image: &str) {
    let next = world.submit(world.script(image, &format!("echo '{BMF}'"))).await;
    world.until_status(&next.job, "processed").await;
    until("every process of the benchmarks is gone", async || machine::processes_with(&world.marker).is_empty().then_some(()))
        .await;
}

#[tokio::test]
async fn a_benchmark_that_exits_with_an_error_fails_its_job() {
    let Some(world) = World::start().await else { return };
    let runner = world.start_runner().await;
    let image = world.push_busybox("bench").await;
    let submitted = world.submit(world.script(&image, &format!("echo '{BMF}'; echo oh no >&2; exit 7"))).await;
    let job = world.until_status(&submitted.job, "failed").await;
    assert!(reason(&job).contains('7'), "{job:#}");
    assert_eq!(job["output"]["results"][0]["exit_code"], 7, "what there was is kept: {job:#}");
    assert_eq!(job["output"]["results"][0]["stderr"], "oh no\n");
    next_job_runs(&world, &image).await;
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn a_benchmark_may_exit_with_an_error_where_that_is_allowed() {
    let Some(world) = World::start().await else { return };
    let runner = world.start_runner().await;
    let image = world.push_busybox("bench").await;
    let mut job = world.script(&image, &format!("echo '{BMF}'; exit 7"));
    job["allow_failure"] = json!(true);
    let submitted = world.submit(job).await;
    let job = world.until_status(&submitted.job, "processed").await;
    assert_eq!(job["output"]["results"][0]["exit_code"], 7, "{job:#}");
    assert_eq!(metric(&world.report(&submitted.report).await, "checkout", "latency"), Some(1.5));
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn output_that_no_adapter_understands_is_told_with_the_output() {
    let Some(world) = World::start().await else { return };
    let runner = world.start_runner().await;
    let image = world.push_busybox("bench").await;
    let submitted = world.submit(world.script(&image, "echo all is well")).await;
    let job = world.until_status(&submitted.job, "failed").await;
    assert!(reason(&job).contains("json"), "names the adapter: {job:#}");
    assert_eq!(job["output"]["results"][0]["stdout"], "all is well\n", "what there was is kept: {job:#}");
    next_job_runs(&world, &image).await;
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn a_hundred_mebibytes_of_output_are_cut_off_and_told() {
    let Some(world) = World::start().await else { return };
    let runner = world.start_runner().await;
    let image = world.push_busybox("bench").await;
    let submitted = world.submit(world.script(&image, "dd if=/dev/zero bs=1M count=100 | tr '\\000' x")).await;
    let job = world.until_status(&submitted.job, "failed").await;
    let told = reason(&job).to_lowercase();
    assert!(["large", "limit", "bytes", "mib", "too much"].iter().any(|word| told.contains(word)), "says why: {}", reason(&job));
    next_job_runs(&world, &image).await;
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn a_benchmark_that_forks_and_hangs_is_ended_whole() {
    let Some(world) = World::start().await else { return };
    let runner = world.start_runner().await;
    let image = world.push_busybox("bench").await;
    let hang = format!("while :; do sleep 3600; done' {}", world.marker);
    let script =
        format!("echo begun; setsid /bin/busybox sh -c '{hang} & setsid /bin/busybox sh -c '{hang} & while :; do wait; done");
    let mut job = world.script(&image, &script);
    job["timeout"] = json!(2);
    let submitted = world.submit(job).await;
    runner.until_runs(&world.marker).await;
    let job = world.until_status(&submitted.job, "failed").await;
    assert!(reason(&job).contains('2'), "says how long it was allowed to take: {job:#}");
    assert_eq!(job["output"]["results"][0]["stdout"], "begun\n", "what came before the timeout is delivered: {job:#}");
    next_job_runs(&world, &image).await;
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn what_a_benchmark_leaves_running_does_not_outlive_it() {
    let Some(world) = World::start().await else { return };
    let runner = world.start_runner().await;
    let image = world.push_busybox("bench").await;
    let script = format!("setsid /bin/busybox sh -c 'while :; do sleep 3600; done' {} & echo '{BMF}'", world.marker);
    let submitted = world.submit(world.script(&image, &script)).await;
    world.until_status(&submitted.job, "processed").await;
    next_job_runs(&world, &image).await;
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn a_benchmark_that_is_killed_by_a_signal_fails_its_job_by_name() {
    let Some(world) = World::start().await else { return };
    let runner = world.start_runner().await;
    let image = world.push_busybox("bench").await;
    let submitted = world.submit(world.script(&image, "while :; do sleep 3600; done")).await;
    let number = runner.until_runs(&world.marker).await;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(number), nix::sys::signal::Signal::SIGKILL).expect("root may kill it");
    let job = world.until_status(&submitted.job, "failed").await;
    assert!(["signal", "SIGKILL", "137"].iter().any(|word| reason(&job).contains(word)), "{job:#}");
    next_job_runs(&world, &image).await;
    runner.stop(&world.marker).await;
}
