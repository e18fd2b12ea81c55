use std::{path::PathBuf, time::Duration};

use bencher_types::wire::channel::ClaimedJob;
use oci_spec::image::ImageConfiguration;

use super::{Failures, Order};
use crate::{
    config::Bounds,
    sandbox::{FileContents, ImageError, Network},
};

const BOUNDS: Bounds =
    Bounds { max_output_bytes: 1000, max_file_count: 3, max_symlinks: 5, grace_period: Duration::from_secs(2) };

fn job(config: serde_json::Value) -> ClaimedJob {
    let mut job = serde_json::json!({
        "uuid": uuid::Uuid::nil(),
        "spec": {
            "uuid": uuid::Uuid::nil(), "name": "small", "slug": "small", "os": "linux", "architecture": "x86_64", "cpu": 2,
            "memory": 1000, "disk": 2000, "network": true, "created": "2026-01-01T00:00:00Z", "modified": "2026-01-01T00:00:00Z",
        },
        "config": {
            "registry": "http://localhost:6610/", "project": uuid::Uuid::nil(),
            "digest": format!("sha256:{}", "0".repeat(64)), "timeout": 60,
        },
        "oci_token": "a.b.c", "timeout": 60, "created": "2026-01-01T00:00:00Z",
    });
    let serde_json::Value::Object(config) = config else { panic!("the configuration is an object") };
    for (key, value) in config {
        job["config"][key] = value;
    }
    serde_json::from_value(job).expect("a job as the wire describes it")
}

fn image() -> ImageConfiguration {
    serde_json::from_value(serde_json::json!({
        "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": [] },
        "config": { "Entrypoint": ["/bench"], "Cmd": ["all"], "Env": ["A=image", "B=image"], "WorkingDir": "/w", "User": "1000" },
    }))
    .expect("an image's configuration")
}

#[test]
fn a_job_that_says_little_runs_what_the_image_says_once() {
    let order = Order::of_job(&job(serde_json::json!({})), BOUNDS);
    assert_eq!((order.iterations, order.failures), (1, Failures::Fatal));
    let plan = order.plan(PathBuf::from("/image"), &image()).expect("there is a command");
    assert_eq!(plan.args, ["/bench", "all"]);
    assert_eq!((plan.working_dir.as_str(), plan.user.as_deref()), ("/w", Some("1000")));
    assert_eq!(plan.timeout, Duration::from_secs(60));
    assert_eq!(plan.network, Network::Host);
    assert_eq!((plan.resources.cpus, plan.resources.memory_bytes, plan.resources.disk_bytes), (Some(2), Some(1000), Some(2000)));
    assert_eq!((plan.output.max_output_size, plan.output.max_file_count, plan.output.max_symlinks), (1000, 3, 5));
    assert_eq!(plan.file_contents, FileContents::Read);
}

#[test]
fn what_a_job_says_goes_over_what_the_image_says() {
    let config = serde_json::json!({
        "entrypoint": ["/bin/sh", "-c"], "cmd": ["true"], "env": { "B": "job" }, "file_paths": ["out"], "file_size": true,
        "iter": 3, "allow_failure": true,
    });
    let order = Order::of_job(&job(config), BOUNDS);
    assert_eq!((order.iterations, order.failures), (3, Failures::Allowed));
    let plan = order.plan(PathBuf::from("/image"), &image()).expect("there is a command");
    assert_eq!(plan.args, ["/bin/sh", "-c", "true"]);
    assert!(plan.env.contains(&("A".to_owned(), "image".to_owned())) && plan.env.contains(&("B".to_owned(), "job".to_owned())));
    assert_eq!((plan.file_paths.len(), plan.file_contents), (1, FileContents::SizeOnly));
}

#[test]
fn artifacts_are_collected_after_results_and_not_where_only_sizes_are() {
    let config = |file_size: bool| {
        let artifacts = serde_json::json!([{ "path": "/out/*.svg", "name": "graphs" }, { "path": "/out/result" }]);
        serde_json::json!({ "file_paths": ["/out/result"], "artifacts": artifacts, "file_size": file_size })
    };
    let order = Order::of_job(&job(config(false)), BOUNDS);
    let plan = order.plan(PathBuf::from("/image"), &image()).expect("there is a command");
    assert_eq!(plan.file_paths, ["/out/result", "/out/*.svg", "/out/result"]);
    let name = |path: &str| order.artifact(path).map(|artifact| artifact.name.as_deref());
    assert_eq!(name("/out/a.svg"), Some(Some("graphs")));
    // What is asked for as a result is one.
    assert_eq!((name("/out/result"), name("/other")), (None, None));

    let order = Order::of_job(&job(config(true)), BOUNDS);
    assert_eq!(order.plan(PathBuf::from("/image"), &image()).expect("there is a command").file_paths, ["/out/result"]);
}

#[test]
fn an_order_without_any_command_is_the_images_fault() {
    let order = Order::of_job(&job(serde_json::json!({ "entrypoint": [] })), BOUNDS);
    assert!(matches!(order.plan(PathBuf::from("/image"), &image()), Err(ImageError::NoCommand)));
}
