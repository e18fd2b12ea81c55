//! What comes back from guests.

use serde_json::{Value, json};

use crate::{
    happy_path::metric,
    support::{BMF, PROJECT, World, text, vm::VM_SPEC},
};

/// The latency in each iteration of a report.
fn latencies(report: &Value) -> Vec<Option<f64>> {
    let iterations = report["results"].as_array().cloned().unwrap_or_default();
    iterations.into_iter().map(|iteration| metric(&json!({ "results": [iteration] }), "checkout", "latency")).collect()
}

/// Prints how many times it has run on its disk, as latency.
const COUNTING: &str = r#"echo x >> /runs; printf '{"checkout":{"latency":{"value":%s}}}\n' "$(grep -c x /runs)""#;

#[tokio::test]
async fn an_image_goes_through_a_guest_to_a_report() {
    let Some((world, vms)) = World::start_with_micro_vms().await else { return };
    let runner = world.start_vm_runner(&vms).await;
    let image = world.push_busybox("bench").await;
    let run = ["run", "--project", PROJECT, "--branch", "main", "--spec", VM_SPEC, "--adapter", "json", "--image", &image];
    let script = format!("echo '{BMF}' > /tmp/results.json; hostname; echo aside >&2");
    let command = ["--file", "/tmp/results.json", "--format", "json", "--", "/bin/busybox", "sh", "-c", &script];
    let report = world.bencher(&[&run[..], &command].concat()).await.json();
    assert_eq!(metric(&report, "checkout", "latency"), Some(1.5), "{report:#}");

    let uuid = text(&report, "job");
    let job = world.job(&uuid).await;
    assert_eq!((&job["status"], &job["attempt"]), (&json!("processed"), &json!(1)), "{job:#}");
    let result = &job["output"]["results"][0];
    assert_eq!((&result["exit_code"], &result["stdout"]), (&json!(0), &json!("bencher\n")), "it ran in a guest: {job:#}");
    assert_eq!(result["stderr"], "aside\n", "and the runner had nothing to say: {job:#}");
    assert_eq!(result["output"]["/tmp/results.json"], format!("{BMF}\n"));

    let status = world.bencher(&["job", "status", PROJECT, &uuid, "--format", "json"]).await.json();
    assert_eq!(status["status"], "processed");
    for part in ["clone_ns", "boot_ns", "init_ready_ns", "run_ns", "collect_ns", "teardown_ns"] {
        assert!(status["timings"][0][part].as_u64() > Some(0), "{part}: {status:#}");
    }
    runner.stop(&world.marker).await;
    assert_eq!(vms.left(&world.runner_data(), None), [""; 0]);
}

#[tokio::test]
async fn warm_up_runs_are_kept_and_not_measured_and_each_run_has_a_guest_of_its_own_or_all_have_one() {
    let Some((world, vms)) = World::start_with_micro_vms().await else { return };
    let runner = world.start_vm_runner(&vms).await;
    let image = world.push_busybox("bench").await;
    let run = ["run", "--project", PROJECT, "--branch", "main", "--spec", VM_SPEC, "--adapter", "json", "--image", &image];
    let command = ["--iter", "3", "--warmup", "1", "--format", "json"];
    let script = ["--", "/bin/busybox", "sh", "-c", COUNTING];
    for (flag, expected) in [(None, [1.0, 1.0, 1.0]), (Some("--reuse-vm"), [2.0, 3.0, 4.0])] {
        let flag: Vec<&str> = flag.into_iter().collect();
        let report = world.bencher(&[&run[..], &command, &flag, &script].concat()).await.json();
        assert_eq!(latencies(&report), expected.map(Some), "{report:#}");
        let uuid = text(&report, "job");
        let output = world.job(&uuid).await["output"].clone();
        assert_eq!(output["warmups"].as_array().map(Vec::len), Some(1), "{output:#}");
        assert!(output["warmups"][0]["timings"]["boot_ns"].as_u64() > Some(0), "{output:#}");
        let boots = output["results"].as_array().into_iter().flatten();
        let boots: Vec<bool> = boots.map(|result| result["timings"]["boot_ns"].as_u64() > Some(0)).collect();
        assert_eq!(boots, [flag.is_empty(); 3], "{output:#}");
        let shown = world.bencher(&["job", "logs", PROJECT, &uuid, "--warmups"]).await.done();
        assert_eq!(shown.stdout.trim(), r#"{"checkout":{"latency":{"value":1}}}"#);
    }
    runner.stop(&world.marker).await;
    assert_eq!(vms.left(&world.runner_data(), None), [""; 0]);
}
