//! From a program to a report, with the commands that a person types.

use serde_json::Value;

use crate::support::{BMF, PROJECT, SPEC, World, image::BUSYBOX, text, until};

/// The value of a measure of a benchmark in a report of one iteration.
pub(crate) fn metric(report: &Value, benchmark: &str, measure: &str) -> Option<f64> {
    let results = report["results"][0].as_array()?;
    let result = results.iter().find(|result| result["benchmark"]["name"] == benchmark)?;
    let measures = result["measures"].as_array()?;
    measures.iter().find(|found| found["measure"]["slug"] == measure)?["metric"]["value"].as_f64()
}

#[tokio::test]
async fn a_program_becomes_an_image_then_a_job_then_a_report() {
    let Some(world) = World::start().await else { return };
    let runner = world.start_runner().await;
    let image = format!("{PROJECT}/bench:v1");
    world.bencher(&["image", "build", "--tag", &image, BUSYBOX]).await.done();
    world.bencher(&["image", "push", &image]).await.done();
    let script = format!("echo '{BMF}'");
    let arguments = ["run", "--project", PROJECT, "--branch", "main", "--spec", SPEC, "--adapter", "json", "--image", &image];
    let command = ["--format", "json", "--", "sh", "-c", &script];
    let report = world.bencher(&[&arguments[..], &command].concat()).await.json();
    assert_eq!(metric(&report, "checkout", "latency"), Some(1.5), "{report:#}");

    let job = world.job(&text(&report, "job")).await;
    assert_eq!(job["status"], "processed");
    assert_eq!(job["attempt"], 1);
    let shown = world.bencher(&["report", "view", PROJECT, &text(&report, "uuid")]).await.done();
    assert!(shown.stdout.contains("checkout"), "{shown:#?}");
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn each_iteration_starts_from_the_image() {
    let Some(world) = World::start().await else { return };
    let runner = world.start_runner().await;
    let image = world.push_busybox("bench").await;
    let mut job = world.script(&image, &format!("[ ! -e /left ] || exit 9; : > /left; echo '{BMF}'"));
    job["iter"] = 3.into();
    let submitted = world.submit(job).await;
    world.until_status(&submitted.job, "processed").await;
    let report = world.report(&submitted.report).await;
    assert_eq!(report["results"].as_array().map(Vec::len), Some(3), "{report:#}");
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn results_can_come_from_a_file() {
    let Some(world) = World::start().await else { return };
    let runner = world.start_runner().await;
    let image = world.push_busybox("bench").await;
    let mut job = world.script(&image, &format!("echo '{BMF}' > /tmp/results.json; echo noise"));
    job["file_paths"] = serde_json::json!(["/tmp/results.json"]);
    let submitted = world.submit(job).await;
    world.until_status(&submitted.job, "processed").await;
    assert_eq!(metric(&world.report(&submitted.report).await, "checkout", "latency"), Some(1.5));
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn the_environment_of_a_job_reaches_the_benchmark() {
    let Some(world) = World::start().await else { return };
    let runner = world.start_runner().await;
    let image = world.push_busybox("bench").await;
    let mut job = world.script(&image, r#"echo "{\"checkout\":{\"latency\":{\"value\":$LATENCY}}}""#);
    job["env"] = serde_json::json!({ "LATENCY": "42" });
    let submitted = world.submit(job).await;
    world.until_status(&submitted.job, "processed").await;
    assert_eq!(metric(&world.report(&submitted.report).await, "checkout", "latency"), Some(42.0));
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn a_runner_that_stops_is_offline_at_once() {
    let Some(world) = World::start().await else { return };
    let runner = world.start_runner().await;
    runner.stop(&world.marker).await;
    until("the runner is offline", async || (world.runner_state().await == "offline").then_some(())).await;
}
