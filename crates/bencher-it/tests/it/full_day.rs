//! A day's work of a team, with the real programs: from an invitation to the last deletion.

use serde_json::Value;

use crate::support::{EMAIL, PROJECT, SPEC, World, text};

const BOB: &str = "bob@example.com";

/// What a command prints for scripts; words have no spaces.
async fn json(world: &World, command: &str) -> Value {
    world.bencher(&command.split(' ').collect::<Vec<_>>()).await.json()
}

/// The exit code of a command that is refused.
async fn code(world: &World, command: &str) -> Option<i32> {
    world.bencher(&command.split(' ').collect::<Vec<_>>()).await.code
}

/// `bencher run` of a benchmark that took this long, where 10 is the limit.
async fn measure(world: &World, key: &str, latency: &str, more: &[&str]) -> crate::support::Finished {
    let script = format!(r#"echo '{{"checkout":{{"latency":{{"value":{latency}}}}}}}'"#);
    let limit = ["--threshold-measure", "latency", "--threshold-test", "static", "--threshold-upper-boundary", "10"];
    let run = ["run", "--project", PROJECT, "--branch", "main", "--adapter", "json", "--quiet", "--format", "json", "--key", key];
    world.bencher(&[&run[..], &limit, more, &[&script]].concat()).await
}

#[tokio::test]
async fn a_team_measures_looks_decides_and_clears_up() {
    let Some(world) = World::start().await else { return };
    let organization = text(&json(&world, "organization list").await[0], "slug");

    // People: an invitation waits for its address; who left sees nothing any more.
    let invited = json(&world, &format!("member invite {organization} --email {BOB} --role developer")).await;
    assert_eq!(invited["email"], BOB);
    assert_eq!(json(&world, &format!("member list {organization}")).await[0]["email"], EMAIL);
    assert_eq!(code(&world, &format!("member update {organization} ada --role viewer")).await, Some(3), "the last leader");

    // CI has a key of the project's own, and nothing else.
    let key = json(&world, &format!("project key create {PROJECT} --name ci")).await;
    let ci = text(&key, "key");
    assert_eq!(code(&world, &format!("project delete {PROJECT} --yes --key {ci}")).await, Some(3));

    // Results that were measured here, twice, then too slow.
    let first = measure(&world, &ci, "9", &["--testbed", "here", "--iter", "2"]).await.json();
    assert_eq!(first["results"].as_array().map(Vec::len), Some(2), "{first:#}");
    let slow = measure(&world, &ci, "11", &["--testbed", "here", "--err"]).await;
    assert_eq!(slow.code, Some(5), "{slow:#?}");

    // The same on a runner, from an image, with iterations.
    let runner = world.start_runner().await;
    let image = world.push_busybox("bench").await;
    let script = r#"echo '{"checkout":{"latency":{"value":8}}}'"#;
    let remote = ["run", "--project", PROJECT, "--branch", "main", "--spec", SPEC, "--adapter", "json", "--image", &image];
    let command = ["--iter", "3", "--quiet", "--format", "json", "--key", &ci, "--", "/bin/busybox", "sh", "-c", script];
    let report = world.bencher(&[&remote[..], &command].concat()).await.json();
    assert_eq!(report["results"].as_array().map(Vec::len), Some(3), "{report:#}");
    runner.stop(&world.marker).await;

    // Somebody looks: what happened, since when, and decides.
    let alert = json(&world, &format!("alert list {PROJECT} --status active")).await;
    assert_eq!((alert.as_array().map(Vec::len), &alert[0]["limit"]), (Some(1), &Value::from("upper")));
    let result = &first["results"][0][0];
    let [branch, testbed] = ["branch", "testbed"].map(|kind| text(&first[kind], "uuid"));
    let (benchmark, measure) = (text(&result["benchmark"], "uuid"), text(&result["measures"][0]["measure"], "uuid"));
    let series = format!("--branches {branch} --testbeds {testbed} --benchmarks {benchmark} --measures {measure}");
    let history = json(&world, &format!("perf {PROJECT} {series}")).await;
    let points = history["results"][0]["metrics"].as_array().expect("a series");
    let values: Vec<f64> = points.iter().filter_map(|point| point["metric"]["value"].as_f64()).collect();
    assert_eq!(values, [9.0, 9.0, 11.0]);
    assert_eq!((&points[2]["boundary"]["upper_limit"], &points[2]["alert"]["limit"]), (&10.0.into(), &"upper".into()));
    let plot = json(&world, &format!("plot create {PROJECT} --title Checkout {series}")).await;
    let dismissed = json(&world, &format!("alert update {PROJECT} {} --status dismissed", text(&alert[0], "uuid"))).await;
    assert_eq!(dismissed["status"], "dismissed");
    let reports = json(&world, &format!("report list {PROJECT}")).await;
    assert_eq!(reports.as_array().map(Vec::len), Some(3));

    // Everything changes its name, and goes in the end.
    let threshold = text(&json(&world, &format!("threshold list {PROJECT} --testbed here")).await[0], "uuid");
    assert!(json(&world, &format!("threshold update {PROJECT} {threshold} --remove-model")).await["model"].is_null());
    for command in [
        format!("threshold delete {PROJECT} {threshold} --yes"),
        format!("plot delete {PROJECT} {} --yes", text(&plot, "uuid")),
        format!("report delete {PROJECT} {} --yes", text(&first, "uuid")),
        format!("image delete {image}"),
        format!("project key revoke {PROJECT} {} --yes", text(&key, "uuid")),
    ] {
        world.bencher(&command.split(' ').collect::<Vec<_>>()).await.done();
    }
    assert_eq!(code(&world, &format!("report list {PROJECT} --key {ci}")).await, Some(3), "the key was revoked");
    assert_eq!(json(&world, &format!("organization update {organization} --name Renamed")).await["name"], "Renamed");
    assert!(json(&world, &format!("organization usage {organization}")).await["metrics"].as_u64() >= Some(1));
    world.bencher(&["project", "delete", PROJECT, "--hard", "--yes"]).await.done();
    assert_eq!(code(&world, &format!("project view {PROJECT}")).await, Some(3));
    world.bencher(&["organization", "delete", &organization, "--yes"]).await.done();
    assert_eq!(json(&world, "organization list").await, Value::Array(Vec::new()));
}
