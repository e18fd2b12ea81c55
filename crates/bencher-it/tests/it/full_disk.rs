//! A runner whose disk is full.

use crate::support::{BMF, World, image};

#[tokio::test]
async fn a_full_disk_fails_the_job_and_not_the_runner() {
    let Some(world) = World::start().await else { return };
    let small = world.push_busybox("small").await;
    let large = world.push("large", image::architecture(), 64 << 20).await;
    let runner = world.start_runner_on_a_disk_of(24).await;
    let submitted = world.submit(world.script(&large, &format!("echo '{BMF}'"))).await;
    let job = world.until_status(&submitted.job, "failed").await;
    let message = job["message"].as_str().unwrap_or_else(|| panic!("the job says nothing: {job:#}")).to_lowercase();
    assert!(message.contains("space") || message.contains("full"), "{message}");

    let next = world.submit(world.script(&small, &format!("echo '{BMF}'"))).await;
    world.until_status(&next.job, "processed").await;
    runner.stop(&world.marker).await;
}
