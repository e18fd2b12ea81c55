//! A line between the programs that delays, is cut anywhere, or falls silent. What was promised holds all the same.

use bad_line::{Conduct, Fate, Rough};

use crate::{
    happy_path::metric,
    support::{BMF, PROJECT, SPEC, World, image::architecture, text, until},
};

/// The default of a server, in seconds.
const HEARTBEAT_TIMEOUT: u64 = 90;

/// A line on which the next `connections` each carry so many bytes, a little late, and which is good afterwards.
fn rough(world: &World, seed: u64, bytes: std::ops::Range<u64>, connections: u64) -> Conduct {
    let good_from = world.line().accepted() + connections;
    Conduct::Rough(Rough { seed, cut_after: bytes, delay_ms: 0..10, refused_one_in: 6, silent_one_in: 0, good_from })
}

#[tokio::test]
async fn a_result_arrives_once_over_a_line_that_is_cut_anywhere() {
    let Some(world) = World::start_behind_a_line(HEARTBEAT_TIMEOUT).await else { return };
    let image = world.push_busybox("bench").await;
    let runner = world.start_runner().await;
    // The result is longer than what some connections carry, so that it is cut off in its middle.
    let script = format!("until [ -e /tmp/told ]; do sleep 0.05; done; head -c 20000 /dev/zero | tr '\\0' x >&2; echo '{BMF}'");
    for seed in 1..=4 {
        let submitted = world.submit(world.script(&image, &script)).await;
        let number = runner.until_runs(&world.marker).await;
        let cuts = world.line().cuts();
        world.line().conduct(rough(&world, seed, 600..30_000, 8));
        world.line().cut();
        world.tell(number);
        let job = world.until_status(&submitted.job, "processed").await;
        assert_eq!(job["attempt"], 1, "seed {seed}: it ran once: {job:#}");
        let report = world.report(&submitted.report).await;
        assert_eq!(metric(&report, "checkout", "latency"), Some(1.5), "seed {seed}");
        assert_eq!(report["results"].as_array().map(Vec::len), Some(1), "seed {seed}: {report:#}");
        until("the spool is empty", async || (runner.spooled() == 0).then_some(())).await;
        assert!(world.line().cuts() > cuts, "seed {seed}: nothing was cut");
        until("the benchmark is gone", async || crate::support::machine::processes_with(&world.marker).is_empty().then_some(()))
            .await;
    }
    world.line().conduct(Conduct::Good);
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn an_image_is_pulled_over_a_line_that_is_cut_again_and_again() {
    const LAYER: usize = 4 << 20;
    let Some(world) = World::start_behind_a_line(HEARTBEAT_TIMEOUT).await else { return };
    let image = world.push("large", architecture(), LAYER).await;
    let runner = world.start_runner().await;
    // No connection carries all of it: it arrives only where each one goes on after the one before. None is good in the end.
    let most = LAYER as u64 / 3;
    let cuts = world.line().cuts();
    world.line().conduct(Conduct::Rough(Rough {
        seed: 1,
        cut_after: most / 4..most,
        delay_ms: 0..3,
        refused_one_in: 6,
        silent_one_in: 0,
        good_from: u64::MAX,
    }));
    let submitted = world.submit(world.script(&image, &format!("echo '{BMF}'"))).await;
    world.until_status(&submitted.job, "processed").await;
    assert!(world.line().cuts() - cuts >= 3, "it was cut {} times", world.line().cuts() - cuts);
    world.line().conduct(Conduct::Good);
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn the_command_line_follows_a_job_over_a_line_that_is_cut() {
    let Some(world) = World::start_behind_a_line(HEARTBEAT_TIMEOUT).await else { return };
    let image = world.push_busybox("bench").await;
    let runner = world.start_runner().await;
    let host = world.face();
    for seed in 1..=3 {
        world.line().conduct(rough(&world, seed, 500..4_000, 5));
        let script = format!("sleep 0.3; echo '{BMF}'");
        let arguments = ["run", "--project", PROJECT, "--branch", "main", "--spec", SPEC, "--adapter", "json", "--image", &image];
        let command = ["--format", "json", "--", "/bin/busybox", "sh", "-c", &script];
        let report = world.bencher_at(&host, &[&arguments[..], &command].concat()).await.json();
        assert_eq!(metric(&report, "checkout", "latency"), Some(1.5), "seed {seed}: {report:#}");
        assert_eq!(world.job(&text(&report, "job")).await["attempt"], 1, "seed {seed}");
    }
    let reports = world.bencher(&["report", "list", PROJECT]).await.json();
    assert_eq!(reports.as_array().map(Vec::len), Some(3), "what was sent again was filed once: {reports:#}");
    world.line().conduct(Conduct::Good);
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn a_runner_leaves_a_connection_that_fell_silent_and_its_job_goes_on() {
    let Some(world) = World::start_behind_a_line(HEARTBEAT_TIMEOUT).await else { return };
    let image = world.push_busybox("bench").await;
    let runner = world.start_runner().await;
    let submitted = world.submit(world.until_told(&image)).await;
    let number = runner.until_runs(&world.marker).await;
    until("the server knows", async || (world.job(&submitted.job).await["status"] == "running").then_some(())).await;
    let before = world.line().accepted();
    world.line().silence();
    // 40 seconds: before the server gives the job up.
    until("the runner connects again", async || (world.line().accepted() > before).then_some(())).await;
    world.tell(number);
    let job = world.until_status(&submitted.job, "processed").await;
    assert_eq!(job["attempt"], 1, "it ran once: {job:#}");
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn a_result_that_nobody_acknowledges_is_sent_again_on_another_connection() {
    let Some(world) = World::start_behind_a_line(HEARTBEAT_TIMEOUT).await else { return };
    let image = world.push_busybox("bench").await;
    let runner = world.start_runner().await;
    let submitted = world.submit(world.until_told(&image)).await;
    let number = runner.until_runs(&world.marker).await;
    world.line().silence();
    world.tell(number);
    world.until_status(&submitted.job, "processed").await;
    until("the spool is empty", async || (runner.spooled() == 0).then_some(())).await;
    let report = world.report(&submitted.report).await;
    assert_eq!(report["results"].as_array().map(Vec::len), Some(1), "{report:#}");
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn a_server_gives_up_a_runner_that_fell_silent_and_its_late_result_counts() {
    let Some(world) = World::start_behind_a_line(5).await else { return };
    let image = world.push_busybox("bench").await;
    let runner = world.start_runner().await;
    let submitted = world.submit(world.until_told(&image)).await;
    let number = runner.until_runs(&world.marker).await;
    until("the server knows", async || (world.job(&submitted.job).await["status"] == "running").then_some(())).await;
    world.line().conduct(Conduct::All(Fate { refused: true, ..Fate::default() }));
    world.line().silence();
    let job = world.until_status(&submitted.job, "failed").await;
    assert_eq!(job["failure"], "infrastructure", "{job:#}");
    world.tell(number);
    world.line().conduct(Conduct::Good);
    world.line().cut();
    until("the late result counts", async || (world.job(&submitted.job).await["status"] == "processed").then_some(())).await;
    assert_eq!(metric(&world.report(&submitted.report).await, "checkout", "latency"), Some(1.5));
    runner.stop(&world.marker).await;
}
