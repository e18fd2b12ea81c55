//! Output that is read while the benchmark runs: with the real runner, the real server and the real command line.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::support::{PATIENCE, PROJECT, World, machine, until};

/// The first half of a result and a step on the way to it; the rest when it is told to end.
const IN_STEPS: &str = r#"printf '{"checkout":'; echo 'step 1' >&2
until [ -e /tmp/told ]; do sleep 0.05; done
echo 'step 2' >&2; echo '{"latency":{"value":1.5}}}'"#;
const FIRST: &str = r#"{"checkout":"#;
const WHOLE: &str = "{\"checkout\":{\"latency\":{\"value\":1.5}}}\n";

fn live(mut job: Value) -> Value {
    job["live"] = json!(true);
    job
}

/// Reads until that much is there, and nothing after it.
async fn read_until(from: &mut (impl AsyncRead + Unpin), expected: &str) {
    let mut read = String::new();
    let reading = async {
        while !read.contains(expected) {
            let byte = from.read_u8().await.unwrap_or_else(|error| panic!("{error} after {read:?}, before {expected:?}"));
            read.push(char::from(byte));
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, reading).await.is_ok();
    assert!(in_time, "waited {PATIENCE:?} for {expected:?} in {read:?}");
}

async fn read_rest(mut from: impl AsyncRead + Unpin) -> String {
    let mut rest = String::new();
    tokio::time::timeout(PATIENCE, from.read_to_string(&mut rest)).await.expect("the program ends").expect("it prints text");
    rest
}

/// What can be read of a job's output: its attempt, and the pieces' texts together by stream.
async fn shown(world: &World, job: &str) -> (u64, String, String) {
    let answer = world.call(Method::GET, &format!("/v0/projects/{PROJECT}/jobs/{job}/live"), Value::Null).await;
    let of = |stream: &str| {
        let pieces = answer["pieces"].as_array().into_iter().flatten().filter(|piece| piece["stream"] == stream);
        pieces.filter_map(|piece| piece["text"].as_str()).collect::<String>()
    };
    (answer["attempt"].as_u64().unwrap_or_default(), of("stdout"), of("stderr"))
}

#[tokio::test]
async fn a_job_is_read_while_it_runs_and_nothing_of_it_is_printed_twice() {
    let Some(world) = World::start().await else { return };
    let image = world.push_busybox("bench").await;
    let runner = world.start_runner().await;
    let submitted = world.submit(live(world.script(&image, IN_STEPS))).await;
    let mut follower = world.spawn_bencher(&["job", "logs", PROJECT, &submitted.job, "--follow"]);
    let (mut stdout, mut stderr) = (follower.stdout.take().expect("a pipe"), follower.stderr.take().expect("a pipe"));
    let number = runner.until_runs(&world.marker).await;
    read_until(&mut stdout, FIRST).await;
    read_until(&mut stderr, "step 1\n").await;
    assert_eq!(world.job(&submitted.job).await["status"], "running");
    world.tell(number);
    let (stdout, stderr) = tokio::join!(read_rest(stdout), read_rest(stderr));
    assert_eq!(format!("{FIRST}{stdout}"), WHOLE);
    assert_eq!((stderr.matches("step 1").count(), stderr.matches("step 2").count()), (0, 1), "{stderr}");
    let ended = tokio::time::timeout(PATIENCE, follower.wait()).await.expect("it ends").expect("it can be waited for");
    assert!(ended.success(), "{ended}");

    world.until_status(&submitted.job, "processed").await;
    assert_eq!(shown(&world, &submitted.job).await, (1, String::new(), String::new()));
    let whole = world.bencher(&["job", "logs", PROJECT, &submitted.job]).await.done();
    assert_eq!((whole.stdout.as_str(), whole.stderr.as_str()), (WHOLE, "step 1\nstep 2\n"));
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn a_run_that_waits_shows_what_is_printed_and_one_that_is_not_live_says_when() {
    let Some(world) = World::start().await else { return };
    let image = world.push_busybox("bench").await;
    let runner = world.start_runner().await;
    let run = ["run", "--project", PROJECT, "--branch", "main", "--spec", "host", "--adapter", "json", "--image", &image];
    // The mark of the benchmark is put together there: that of this very command is not it.
    let (half, other) = world.marker.split_at(world.marker.len() / 2);
    let script = r#"exec /bin/busybox sh -c "$2" "$0$1""#;
    let command = ["--live", "--format", "json", "--", "/bin/busybox", "sh", "-c", script, half, other, IN_STEPS];
    let mut run = world.spawn_bencher(&[&run[..], &command].concat());
    let (stdout, mut stderr) = (run.stdout.take().expect("a pipe"), run.stderr.take().expect("a pipe"));
    let number = runner.until_runs(&world.marker).await;
    read_until(&mut stderr, "step 1\n").await;
    world.tell(number);
    let (stdout, stderr) = tokio::join!(read_rest(stdout), read_rest(stderr));
    assert!(serde_json::from_str::<Value>(&stdout).is_ok(), "only the report is on standard output: {stdout}");
    assert!(!stderr.contains("step 1") && stderr.contains("step 2"), "{stderr}");
    run.wait().await.expect("it can be waited for");

    let submitted = world.submit(world.until_told(&image)).await;
    let mut follower = world.spawn_bencher(&["job", "logs", PROJECT, &submitted.job, "--follow"]);
    let mut stderr = follower.stderr.take().expect("a pipe");
    read_until(&mut stderr, "its output comes when it ends\n").await;
    world.tell(runner.until_runs(&world.marker).await);
    assert_eq!(read_rest(stderr).await.matches("comes when it ends").count(), 0, "it is said once");
    follower.wait().await.expect("it can be waited for");
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn a_runner_that_is_killed_in_mid_stream_leaves_what_it_told_and_the_next_attempt_begins_anew() {
    let Some(world) = World::start().await else { return };
    let image = world.push_busybox("bench").await;
    let runner = world.start_runner().await;
    let mut job = live(world.script(&image, IN_STEPS));
    job["retries"] = json!(1);
    let submitted = world.submit(job).await;
    runner.until_runs(&world.marker).await;
    let first = (1, FIRST.to_owned(), "step 1\n".to_owned());
    until("it is told", async || (shown(&world, &submitted.job).await == first).then_some(())).await;
    runner.child.kill().await;
    until("the benchmark dies with its runner", async || machine::processes_with(&world.marker).is_empty().then_some(())).await;
    assert_eq!(shown(&world, &submitted.job).await, first);

    let runner = world.spawn_runner(&world.runner_key);
    let number = runner.until_runs(&world.marker).await;
    let second = (2, FIRST.to_owned(), "step 1\n".to_owned());
    until("the second attempt is told", async || (shown(&world, &submitted.job).await == second).then_some(())).await;
    world.tell(number);
    let job = world.until_status(&submitted.job, "processed").await;
    assert_eq!((&job["attempt"], &job["output"]["results"][0]["stdout"]), (&json!(2), &json!(WHOLE)), "{job:#}");
    runner.stop(&world.marker).await;
}

#[tokio::test]
async fn a_guest_tells_what_its_benchmark_prints_while_it_runs() {
    let Some((world, vms)) = World::start_with_micro_vms().await else { return };
    let runner = world.start_vm_runner(&vms).await;
    let image = world.push_busybox("bench").await;
    let submitted = world.submit(live(world.vm_endless(&image))).await;
    let told = (1, "begun\n".to_owned(), String::new());
    until("the guest has told", async || {
        assert!(!runner.child.log().contains("the job failed"), "the benchmark did not run:\n{}", runner.child.log());
        (shown(&world, &submitted.job).await == told).then_some(())
    })
    .await;
    world.call(Method::POST, &format!("/v0/projects/{PROJECT}/jobs/{}/cancel", submitted.job), Value::Null).await;
    until("its output is there", async || {
        (world.job(&submitted.job).await["output"]["results"][0]["stdout"] == "begun\n").then_some(())
    })
    .await;
    assert_eq!(shown(&world, &submitted.job).await, (1, String::new(), String::new()));
    runner.stop(&world.marker).await;
    assert_eq!(vms.left(&world.runner_data(), None), [""; 0]);
}
