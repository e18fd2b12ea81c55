//! `bencher run --image`: submit, wait, tell.

use std::{
    process::Stdio,
    sync::{Arc, Mutex, mpsc},
};

use insta::assert_snapshot;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

use crate::{
    shapes,
    support::{Reply, World},
};

/// A server whose job goes through these states, and stays in the last.
pub(crate) fn world(states: Vec<Value>) -> World {
    let mut states = states.into_iter().peekable();
    let mut state = Value::Null;
    World::new(move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", "/v0/run") => Reply::new(201, shapes::report_of_job()),
        // A server of the v0.6 series.
        ("GET", path) if path.ends_with("/events") => Reply::error(404, "Not Found"),
        ("GET", path) if path.contains("/jobs/") => {
            if let Some(next) = states.next() {
                state = next;
            }
            Reply::ok(state.clone())
        }
        ("GET", path) if path.contains("/reports/") => Reply::ok(shapes::report(1)),
        _ => Reply::error(404, "Not Found"),
    })
}

#[test]
fn a_job_is_followed_to_its_report() {
    let waits = json!({ "message": "no runner serves the spec small" });
    let output = json!({ "output": { "results": [{ "exit_code": 0, "stdout": "printed\n", "stderr": "said\n" }] } });
    let world = world(vec![
        shapes::job_with("pending", waits.clone()),
        shapes::job_with("pending", waits),
        shapes::job("claimed"),
        shapes::job("running"),
        shapes::job("running"),
        shapes::job("completed"),
        shapes::job_with("processed", output),
    ]);
    let ended = world.bencher(&["run", "--project", "shop", "--image", "shop:v1", "--", "bench", "--fast"]);
    assert_snapshot!(ended.all(), @r"
    exit 0
    == stdout
    report   00000000-0000-4000-8000-000000000020
    project  The Shop (shop)
    branch   main (version 7, 0123456789ab)
    testbed  Small (spec small)
    adapter  magic
    started  2026-01-02 03:04:05Z

    BENCHMARK  LATENCY                         FILE SIZE
    gzip -6    12.35 ms (11.11 ms … 13.58 ms)  2 KiB
    zstd       999 ns (899.1 ns … 1.099 µs)    2 KiB
    == stderr
    job 00000000-0000-4000-8000-000000000010 on spec small
    pending: no runner serves the spec small
    claimed by a runner
    running
    completed: its results are being read
    --- stdout of iteration 0
    printed
    --- stderr of iteration 0
    said

    report http://SERVER/v0/projects/shop/reports/00000000-0000-4000-8000-000000000020
    see it again with `bencher report view shop 00000000-0000-4000-8000-000000000020`
    ");
    let asked = world.asked();
    assert_eq!(asked[0].body["job"], json!({ "image": "shop:v1", "cmd": ["bench", "--fast"], "iter": 1 }));
    assert_eq!(asked.len(), 1 + 7 + 1 + 1, "one question for events among them: {:?}", world.paths());
}

#[test]
fn a_failed_job_says_why_and_what_it_printed() {
    let output = json!({ "output": {
        "results": [{ "exit_code": 2, "stderr": "panicked\n" }], "error": "Benchmark exited with non-zero exit code: 2"
    } });
    let world = world(vec![shapes::job("running"), shapes::job_with("failed", output)]);
    assert_snapshot!(world.bencher(&["run", "--image", "shop:v1"]).all(), @r"
    exit 1
    == stdout
    == stderr
    job 00000000-0000-4000-8000-000000000010 on spec small
    running
    --- stderr of iteration 0
    panicked
    error: job 00000000-0000-4000-8000-000000000010 failed: Benchmark exited with non-zero exit code: 2
      hint: `bencher job logs shop 00000000-0000-4000-8000-000000000010` prints what it wrote
    ");
}

#[test]
fn results_that_could_not_be_read_are_a_failed_job() {
    let world = world(vec![shapes::job_with("failed", json!({ "message": "no adapter understands the output" }))]);
    let ended = world.bencher(&["run", "--image", "shop:v1"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("failed: no adapter understands the output"), "{ended:?}");
}

#[test]
fn a_canceled_job_has_an_exit_code_of_its_own() {
    let world = world(vec![shapes::job("running"), shapes::job("canceled")]);
    let ended = world.bencher(&["run", "--image", "shop:v1"]);
    assert_eq!(ended.code, Some(6));
    assert!(ended.stderr.contains("was canceled"), "{ended:?}");
}

#[test]
fn an_image_the_server_does_not_have_is_its_own_message() {
    let world = World::new(|_| Reply::error(400, "there is no tag v9 in shop; push it first"));
    let ended = world.bencher(&["run", "--image", "shop:v9"]);
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.starts_with("error: there is no tag v9 in shop; push it first (400"), "{ended:?}");
}

#[test]
fn a_detached_run_prints_its_job_and_leaves() {
    let world = world(vec![]);
    assert_snapshot!(world.bencher(&["run", "--image", "shop:v1", "--detach"]).all(), @r"
    exit 0
    == stdout
    00000000-0000-4000-8000-000000000010
    == stderr
    follow it with `bencher job watch shop 00000000-0000-4000-8000-000000000010`
    ");
    assert_eq!(world.bencher(&["run", "--image", "shop:v1", "--detach", "--format", "json"]).json()["job"], shapes::JOB);
}

#[test]
fn a_job_can_be_watched_later() {
    let world = world(vec![shapes::job("running"), shapes::job_with("processed", json!({ "report": shapes::REPORT }))]);
    let ended = world.bencher(&["job", "watch", "shop", shapes::JOB]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("gzip -6"), "{ended:?}");
}

#[test]
fn waiting_survives_a_server_that_restarts() {
    let mut left = 2;
    let world = World::new(move |asked| match asked.path.as_str() {
        "/v0/run" => Reply::new(201, shapes::report_of_job()),
        path if path.contains("/reports/") => Reply::ok(shapes::report(1)),
        _ if left > 0 => {
            left -= 1;
            Reply::text(502, "")
        }
        _ => Reply::ok(shapes::job("processed")),
    });
    assert_eq!(world.bencher(&["run", "--image", "shop:v1", "--retry-after", "0"]).code, Some(0));
}

#[test]
fn an_interrupt_without_a_terminal_cancels_nothing_and_says_how_to() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let (looked, looks) = mpsc::channel();
        let looked = Arc::new(Mutex::new(looked));
        let world = World::new(move |asked| {
            if asked.path == "/v0/run" {
                return Reply::new(201, shapes::report_of_job());
            }
            let _ = looked.lock().unwrap().send(());
            Reply::ok(shapes::job("running"))
        });
        let mut command = world.command(&["run", "--image", "shop:v1"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        looks.recv().unwrap();
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
        let ended = world.end(child.wait_with_output().unwrap());
        assert_eq!(ended.code, Some(130), "{ended:?}");
        assert!(ended.stderr.contains(&format!("hint: `bencher job cancel shop {}` stops it", shapes::JOB)), "{ended:?}");
        assert!(!world.paths().iter().any(|path| path.ends_with("/cancel")));
    }
}

/// A server that tells of each state of a job by an event, in as many streams; each look finds the state of the last event.
fn telling_world(streams: Vec<Vec<&'static str>>) -> World {
    let mut streams = streams.into_iter();
    let (mut state, mut id) = ("pending", 0);
    World::new(move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", "/v0/run") => Reply::new(201, shapes::report_of_job()),
        ("GET", path) if path.ends_with("/events") => {
            let Some(told) = streams.next() else { return Reply::error(503, "no more") };
            let mut text = "retry: 1\n\n: comment\n\n".to_owned();
            for status in told {
                id += 1;
                state = status;
                let data = json!({ "job": shapes::JOB, "status": status, "attempt": 1, "time": "2026-01-02T03:04:05Z" });
                text.push_str(&format!("event: job\nid: {id}\ndata: {data}\n\n"));
            }
            Reply::text(200, &text).header("content-type", "text/event-stream")
        }
        ("GET", path) if path.contains("/jobs/") => Reply::ok(shapes::job_with(state, json!({ "attempt": 1 }))),
        ("GET", path) if path.contains("/reports/") => Reply::ok(shapes::report(1)),
        _ => Reply::error(404, "Not Found"),
    })
}

#[test]
fn a_job_is_followed_by_the_servers_events() {
    let world = telling_world(vec![vec!["pending", "claimed"], vec!["running"], vec!["completed", "processed"]]);
    let ended = world.bencher(&["run", "--image", "shop:v1", "--job-poll-interval", "900"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let asked = world.asked();
    let streams: Vec<_> = asked.iter().filter(|asked| asked.path.ends_with("/events")).collect();
    let last = |index: usize| streams[index].headers.get("last-event-id").map(|id| id.to_str().unwrap().to_owned());
    // A stream that broke is taken up where it was.
    assert_eq!((last(0), last(1), last(2)), (None, Some("2".to_owned()), Some("3".to_owned())), "{:?}", world.paths());
    assert!(streams.iter().all(|asked| asked.headers["accept"] == "text/event-stream"));
    let looks = asked.iter().filter(|asked| asked.path.ends_with(shapes::JOB)).count();
    assert!((3..=8).contains(&looks), "{:?}", world.paths());
}

#[test]
fn a_job_is_looked_at_where_events_fail() {
    let world = telling_world(vec![vec!["running"]]);
    let mut command = world.command(&["job", "watch", "shop", shapes::JOB]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while world.paths().iter().filter(|path| path.ends_with("/events")).count() < 3 {
        assert!(child.try_wait().unwrap().is_none(), "it goes on");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_state_of_a_job_is_printed_whenever_it_changes() {
    let world = telling_world(vec![vec!["pending", "claimed"], vec!["running"], vec!["processed"]]);
    let ended = world.bencher(&["job", "status", "shop", shapes::JOB, "--follow"]);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(
        (lines.first(), lines.last()),
        (Some(&"pending: waits for a runner of spec small"), Some(&"processed")),
        "{ended:?}"
    );
    assert_eq!(ended.code, Some(0));
}

/// A server without events, whose job is live and prints one piece more each time that it is asked for.
fn live_world(pieces: Vec<Value>, end: Value) -> World {
    let asked = Mutex::new(0);
    let live = json!({ "live": true, "attempt": 1 });
    World::new(move |question| match (question.method.as_str(), question.path.as_str()) {
        ("GET", path) if path.contains("/live") => {
            let mut asked = asked.lock().unwrap();
            *asked += 1;
            Reply::ok(json!({ "attempt": 1, "pieces": pieces[..pieces.len().min(*asked)] }))
        }
        ("GET", path) if path.ends_with("/events") => Reply::error(404, "Not Found"),
        _ if *asked.lock().unwrap() < pieces.len() => Reply::ok(shapes::job_with("running", live.clone())),
        _ => Reply::ok(shapes::job_with("processed", end.clone())),
    })
}

fn piece(sequence: u32, stream: &str, offset: u32, text: &str) -> Value {
    json!({ "sequence": sequence, "warmup": false, "iteration": 0, "stream": stream, "offset": offset, "text": text })
}

#[test]
fn what_a_live_job_prints_is_printed_once_also_by_a_server_without_events() {
    let pieces = vec![piece(0, "stdout", 0, "one "), piece(1, "stderr", 0, "err"), piece(2, "stdout", 8, "three")];
    let output = json!({ "output": { "results": [{ "exit_code": 0, "stdout": "one two three four\n", "stderr": "error\n" }] } });
    let world = live_world(pieces, output);
    let ended = world.bencher(&["job", "logs", "shop", shapes::JOB, "--follow"]);
    assert_snapshot!(ended.all(), @r"
    exit 0
    == stdout
    one threetwo  four
    == stderr
    running
    err
    --- 4 bytes of stdout are left out here, and come when the job ends
    or
    ");
}

#[test]
fn the_output_of_a_job_is_printed_when_it_has_ended() {
    let output = json!({ "output": { "results": [{ "exit_code": 0, "stdout": "printed\n" }] } });
    let world = world(vec![shapes::job("running"), shapes::job_with("processed", output)]);
    let ended = world.bencher(&["job", "logs", "shop", shapes::JOB, "--follow"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "printed\n"), "{ended:?}");
    assert_eq!(ended.stderr.matches("started without --live: its output comes when it ends").count(), 1, "{ended:?}");
}
