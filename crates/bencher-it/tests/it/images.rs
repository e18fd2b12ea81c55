//! Images that a job cannot run.

use reqwest::StatusCode;

use crate::support::{PROJECT, SPEC, World, image, until};

#[tokio::test]
async fn an_unknown_image_is_refused_by_name() {
    let Some(world) = World::start().await else { return };
    let image = format!("{PROJECT}/nothing:v1");
    let refused = world.bencher(&["run", "--project", PROJECT, "--branch", "main", "--spec", SPEC, "--image", &image]).await;
    assert_eq!(refused.code, Some(3), "{refused:#?}");
    assert!(refused.stderr.contains("nothing"), "{refused:#?}");
}

#[tokio::test]
async fn an_unknown_tag_is_refused_by_name() {
    let Some(world) = World::start().await else { return };
    world.push_busybox("bench").await;
    let image = format!("{PROJECT}/bench:v2");
    let refused = world.bencher(&["run", "--project", PROJECT, "--branch", "main", "--spec", SPEC, "--image", &image]).await;
    assert_eq!(refused.code, Some(3), "{refused:#?}");
    assert!(refused.stderr.contains("v2"), "{refused:#?}");
}

#[tokio::test]
async fn an_image_of_another_server_is_refused_with_what_to_do() {
    let Some(world) = World::start().await else { return };
    let job = serde_json::json!({ "image": "registry.example.com/shop/bench:v1" });
    let (status, answer) = world.try_submit(job).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    assert!(answer["message"].as_str().is_some_and(|message| message.contains("registry.example.com")), "{answer}");
}

#[tokio::test]
async fn an_image_of_another_architecture_does_not_run() {
    let Some(world) = World::start().await else { return };
    let runner = world.start_runner().await;
    let other = if image::architecture() == "amd64" { "arm64" } else { "amd64" };
    let image = world.push("foreign", other, 0).await;
    let (status, answer) = world.try_submit(world.script(&image, "true")).await;
    // Whoever notices first: the server, which knows the spec and the image's configuration, or the runner.
    let message = if status == StatusCode::CREATED {
        let job = answer["job"].as_str().expect("the report names its job").to_owned();
        let job = world.until_status(&job, "failed").await;
        job["message"].to_string()
    } else {
        assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
        answer["message"].to_string()
    };
    assert!(message.contains(other), "says for what the image is: {message}");
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn a_command_that_the_image_lacks_is_named() {
    let Some(world) = World::start().await else { return };
    let runner = world.start_runner().await;
    let image = world.push_busybox("bench").await;
    let submitted = world.submit(serde_json::json!({ "image": image, "cmd": ["/bin/no-such-benchmark"] })).await;
    let job = world.until_status(&submitted.job, "failed").await;
    assert!(job["message"].as_str().is_some_and(|message| message.contains("no-such-benchmark")), "{job:#}");
    until("the runner is idle again", async || (world.runner_state().await == "idle").then_some(())).await;
    runner.stop(&world.marker).await;
}
