//! Guests that are stopped from outside: by a person, and by the death of their runner.

use serde_json::json;

use crate::{
    happy_path::metric,
    support::{BMF, PROJECT, World, until},
};

#[tokio::test]
async fn a_cancel_ends_the_guest_keeps_what_was_printed_and_leaves_nothing() {
    let Some((world, vms)) = World::start_with_micro_vms().await else { return };
    let runner = world.start_vm_runner(&vms).await;
    let image = world.push_busybox("bench").await;
    let submitted = world.submit(world.vm_endless(&image)).await;
    world.until_begun(&runner).await;
    assert_ne!(vms.left(&runner.data, Some(runner.child.pid())), [""; 0], "there is a machine to be seen");
    let canceled = world.bencher(&["job", "cancel", PROJECT, &submitted.job, "--format", "json"]).await.json();
    assert_eq!(canceled["status"], "canceled");

    let job = until("the runner has delivered", async || {
        let job = world.job(&submitted.job).await;
        job["output"].is_object().then_some(job)
    })
    .await;
    assert_eq!(job["status"], "canceled");
    let result = &job["output"]["results"][0];
    assert_eq!(result["stdout"], "begun\n");
    assert!(result["stderr"].as_str().is_some_and(|text| text.contains("canceled; the output until then is partial")), "{job:#}");
    let logs = world.bencher(&["job", "logs", PROJECT, &submitted.job]).await.done();
    assert_eq!(logs.stdout, "begun\n");
    assert_eq!(vms.left(&runner.data, Some(runner.child.pid())), [""; 0], "all was removed before it was told");
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn a_killed_runner_takes_its_guest_along_and_the_next_one_clears_up_and_tells_once() {
    let Some((world, vms)) = World::start_with_micro_vms().await else { return };
    let image = world.push_busybox("bench").await;
    let runner = world.start_vm_runner(&vms).await;
    let submitted = world.submit(world.vm_endless(&image)).await;
    world.until_begun(&runner).await;
    let data = runner.data.clone();
    runner.child.kill().await;
    until("no process of the machine is left", async || {
        vms.left(&data, None).iter().all(|left| !left.starts_with("the process")).then_some(())
    })
    .await;
    assert_ne!(vms.left(&data, None), [""; 0], "a killed runner cannot clear up");

    let runner = world.start_vm_runner(&vms).await;
    let job = world.until_status(&submitted.job, "failed").await;
    assert!(job["message"].as_str().is_some_and(|message| message.contains("restarted")), "{job:#}");
    assert_eq!(vms.left(&data, Some(runner.child.pid())), [""; 0]);
    let next = world.submit(world.vm_script(&image, &format!("echo '{BMF}'"))).await;
    world.until_status(&next.job, "processed").await;
    assert_eq!(metric(&world.report(&next.report).await, "checkout", "latency"), Some(1.5));
    assert_eq!(world.job(&submitted.job).await, job, "nothing else was ever said of it");
    assert_eq!(world.report(&submitted.report).await["results"], json!([]));
    runner.stop(&world.marker).await;
    assert_eq!(vms.left(&data, None), [""; 0]);
}
