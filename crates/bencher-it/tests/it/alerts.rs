//! A result outside of a limit is told where a pipeline looks: in the exit code.

use serde_json::Value;

use crate::support::{PROJECT, World, text};

/// `bencher run` of a program that prints this latency, with a limit of 10.
fn run(latency: &str) -> Vec<String> {
    let script = format!(r#"echo '{{"checkout":{{"latency":{{"value":{latency}}}}}}}'"#);
    let limit = ["--threshold-measure", "latency", "--threshold-test", "static", "--threshold-upper-boundary", "10", "--err"];
    let run = ["run", "--project", PROJECT, "--branch", "main", "--testbed", "here", "--adapter", "json", "--quiet"];
    run.iter().chain(&limit).copied().chain(["--format", "json", "--", &script]).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_run_outside_of_its_limit_exits_with_5_until_the_alert_is_dismissed() {
    let Some(world) = World::start().await else { return };
    let words = run("10");
    world.bencher(&words.iter().map(String::as_str).collect::<Vec<_>>()).await.done();

    let words = run("10.5");
    let alerted = world.bencher(&words.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(alerted.code, Some(5), "{alerted:#?}");
    assert!(alerted.stderr.contains("1 active alert"), "{alerted:#?}");
    let report: Value = serde_json::from_str(&alerted.stdout).expect("the report is printed");
    assert_eq!(report["alerts"][0]["limit"], "upper", "{report:#}");

    let alert = format!("/v0/projects/{PROJECT}/alerts/{}", text(&report["alerts"][0], "uuid"));
    world.call(reqwest::Method::PATCH, &alert, serde_json::json!({ "status": "dismissed" })).await;
    let shown = world.report(&text(&report, "uuid")).await;
    assert_eq!(shown["counts"]["alerts"], serde_json::json!({ "total": 1, "active": 0 }));
}

#[tokio::test]
async fn a_job_outside_of_its_limit_exits_with_5() {
    let Some(world) = World::start().await else { return };
    let runner = world.start_runner().await;
    let image = world.push_busybox("bench").await;
    let script = r#"echo '{"checkout":{"latency":{"value":11}}}'"#;
    let limit = ["--threshold-measure", "latency", "--threshold-test", "static", "--threshold-upper-boundary", "10", "--err"];
    let run =
        ["run", "--project", PROJECT, "--branch", "main", "--spec", crate::support::SPEC, "--adapter", "json", "--image", &image];
    let command = ["--poll-interval", "1", "--", "/bin/busybox", "sh", "-c", script];
    let alerted = world.bencher(&[&run[..], &limit, &command].concat()).await;
    assert_eq!(alerted.code, Some(5), "{alerted:#?}");
    runner.stop(&world.marker).await;
}
