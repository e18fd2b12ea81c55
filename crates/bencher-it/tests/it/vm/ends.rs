//! Benchmarks in guests that do not end well, each of which is told once and clearly.

use serde_json::json;

use crate::support::{PROJECT, World, until, vm::VM_SPEC};

#[tokio::test]
async fn a_benchmark_that_fails_or_takes_too_long_is_told_with_what_it_printed() {
    let Some((world, vms)) = World::start_with_micro_vms().await else { return };
    let runner = world.start_vm_runner(&vms).await;
    let image = world.push_busybox("bench").await;
    let run = ["run", "--project", PROJECT, "--branch", "main", "--spec", VM_SPEC, "--adapter", "json", "--image", &image];
    let failed = world.bencher(&[&run[..], &["--", "/bin/busybox", "sh", "-c", "echo so far; exit 3"]].concat()).await;
    assert_eq!(failed.code, Some(1), "{failed:#?}");
    assert!(failed.stderr.contains("exit code: 3") && failed.stderr.contains("so far"), "{failed:#?}");

    let mut late = world.vm_endless(&image);
    late["timeout"] = json!(2);
    let submitted = world.submit(late).await;
    let job = world.until_status(&submitted.job, "failed").await;
    assert_eq!(job["message"], "Benchmark did not finish within 2 seconds");
    let result = &job["output"]["results"][0];
    assert_eq!(result["stdout"], "begun\n");
    assert!(result["stderr"].as_str().is_some_and(|text| text.contains("partial")), "{job:#}");
    runner.stop(&world.marker).await;
    assert_eq!(vms.left(&world.runner_data(), None), [""; 0]);
}

#[tokio::test]
async fn a_guest_that_panics_or_powers_off_fails_its_job_once() {
    let Some((world, vms)) = World::start_with_micro_vms().await else { return };
    let runner = world.start_vm_runner(&vms).await;
    let image = world.push_busybox("bench").await;
    for end in ["echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger", "poweroff -f"] {
        let mut job = world.vm_script(&image, &format!("{end}; sleep 600"));
        job["timeout"] = json!(5);
        let submitted = world.submit(job).await;
        let job = world.until_status(&submitted.job, "failed").await;
        let message = job["message"].as_str().unwrap_or_default();
        // A machine that only halts, as processors do, is one that takes too long.
        assert!(message.contains("ended its own microVM") || message.contains("did not finish"), "{end}: {job:#}");
        assert_eq!(job["attempt"], 1, "the image is to blame, so it is not tried again: {job:#}");
        assert_eq!(world.report(&submitted.report).await["results"], json!([]));
    }
    until("the runner is idle again", async || (world.runner_state().await == "idle").then_some(())).await;
    assert_eq!(vms.left(&runner.data, Some(runner.child.pid())), [""; 0]);
    runner.stop(&world.marker).await;
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "whoever runs the tests has to see that one did nothing")]
async fn a_runner_without_micro_vms_refuses_a_spec_with_a_sandbox_and_says_what_to_do() {
    let Some(world) = World::start().await else { return };
    world.create_vm_spec().await;
    let runner = world.start_runner().await;
    if !runner.child.log().contains("jobs whose spec has a sandbox will be refused") {
        println!("not run: Firecracker is installed on this machine, so that every runner finds it");
        return;
    }
    let image = world.push_busybox("bench").await;
    let submitted = world.submit(world.vm_script(&image, "true")).await;
    let job = world.until_status(&submitted.job, "failed").await;
    let message = job["message"].as_str().unwrap_or_default();
    assert!(message.contains("cannot start microVMs") && message.contains("`runner doctor`"), "{job:#}");
    runner.stop(&world.marker).await;
}
