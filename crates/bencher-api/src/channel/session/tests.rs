use std::time::Duration;

use bencher_types::{
    DateTime, JobUuid,
    wire::channel::{ClaimedJob, FromRunner, ToRunner},
};
use proptest::{collection::vec, prelude::*};
use serde_json::json;

use super::{Bounds, Close, CloseReason, Input, Nudge, Output, Session};
use crate::queue::{Delivered, Held, Resume, Terminal};

const TIMEOUT: Duration = Duration::from_secs(90);

fn at(secs: i64) -> DateTime {
    DateTime::from_micros(secs * 1_000_000).unwrap()
}

fn held(job: JobUuid) -> Held {
    Held { job, attempt: 1, must_end: at(10_000) }
}

fn claimed_job(uuid: JobUuid) -> Box<ClaimedJob> {
    let now = "2026-01-01T00:00:00Z";
    let spec = json!({
        "uuid": uuid, "name": "s", "slug": "s", "os": "linux", "architecture": "x86_64", "cpu": 1, "memory": 1, "disk": 1,
        "network": false, "created": now, "modified": now,
    });
    let config = json!({
        "registry": "http://localhost:6610/", "project": uuid, "digest": format!("sha256:{}", "a".repeat(64)), "timeout": 60,
    });
    serde_json::from_value(
        json!({ "uuid": uuid, "spec": spec, "config": config, "oci_token": "t", "timeout": 60, "created": now }),
    )
    .unwrap()
}

fn session() -> Session {
    Session::new(Bounds { heartbeat_timeout: TIMEOUT }, at(0))
}

fn ready(poll_timeout: u32) -> Input {
    Input::Message(FromRunner::Ready { poll_timeout: Some(poll_timeout), runner: None })
}

fn heartbeat() -> Input {
    Input::Message(FromRunner::Heartbeat { job: None })
}

/// A session whose runner has said that it works on the job.
fn running(job: JobUuid) -> Session {
    let mut session = session();
    assert_eq!(session.on(ready(55), at(0)), [Output::Claim]);
    assert_eq!(
        session.on(Input::Claimed(Some((held(job), claimed_job(job)))), at(0)),
        [Output::Send(ToRunner::Job(claimed_job(job)))]
    );
    assert_eq!(session.on(Input::Message(FromRunner::Running { job: None }), at(0)), [Output::Start(held(job))]);
    session
}

#[test]
fn a_ready_runner_waits_and_is_told_when_there_is_no_job() {
    let mut session = session();
    assert_eq!(session.on(ready(55), at(0)), [Output::Claim]);
    assert_eq!(session.on(Input::Claimed(None), at(0)), []);
    assert_eq!(session.deadline(), Some(at(55)));
    assert_eq!(session.on(Input::Tick, at(54)), []);
    assert_eq!(session.on(Input::Tick, at(55)), [Output::Send(ToRunner::NoJob)]);
}

#[test]
fn a_new_job_wakes_a_waiting_runner_only() {
    let mut waiting = session();
    assert_eq!(waiting.on(Input::Nudge(Nudge::Wake), at(0)), []);
    let _ = waiting.on(ready(55), at(0));
    assert_eq!(waiting.on(Input::Nudge(Nudge::Wake), at(1)), [Output::Claim]);
    assert_eq!(running(JobUuid::random()).on(Input::Nudge(Nudge::Wake), at(1)), []);
}

#[test]
fn heartbeats_are_not_acknowledged_and_seldom_written() {
    let job = JobUuid::random();
    let mut session = running(job);
    for second in 1..30 {
        assert_eq!(session.on(heartbeat(), at(second)), []);
    }
    assert_eq!(session.on(heartbeat(), at(30)), [Output::Renew(held(job))]);
    assert_eq!(session.on(heartbeat(), at(31)), []);
}

#[test]
fn what_a_job_prints_is_kept_for_the_attempt_at_hand_is_a_sign_of_life_and_never_acknowledged() {
    let (job, other) = (JobUuid::random(), JobUuid::random());
    let output = |job| Input::Message(FromRunner::Output { job, pieces: Vec::new() });
    assert_eq!(session().on(output(job), at(1)), [], "who has the job says so first");
    let mut session = running(job);
    assert_eq!(session.on(output(other), at(1)), []);
    assert_eq!(session.on(output(job), at(80)), [Output::Keep(held(job), Vec::new())]);
    assert_eq!(session.deadline(), Some(at(80).saturating_add(TIMEOUT)));
    let _ = session.on(Input::Message(FromRunner::canceled(job)), at(81));
    assert_eq!(session.on(output(job), at(82)), [], "the whole of it is being stored");
}

#[test]
fn a_result_is_acknowledged_once_it_is_stored() {
    let job = JobUuid::random();
    let mut session = running(job);
    let result = Input::Message(FromRunner::Completed { job, results: Vec::new(), warmups: None });
    assert_eq!(session.on(result.clone(), at(5)), [Output::Finish(job, Terminal::Completed(Delivered::default()))]);
    assert_eq!(session.on(Input::Finished(job), at(5)), [Output::Send(ToRunner::Ack { job: Some(job) })]);
    assert_eq!(session.held(), None);
    // The same again, because the acknowledgement was lost.
    assert_eq!(session.on(result, at(6)), [Output::Finish(job, Terminal::Completed(Delivered::default()))]);
    assert_eq!(session.on(Input::Finished(job), at(6)), [Output::Send(ToRunner::Ack { job: Some(job) })]);
}

#[test]
fn a_result_of_another_job_does_not_end_this_one() {
    let (job, other) = (JobUuid::random(), JobUuid::random());
    let mut session = running(job);
    let _ = session.on(Input::Message(FromRunner::canceled(other)), at(1));
    assert_eq!(session.on(Input::Finished(other), at(1)), [Output::Send(ToRunner::Ack { job: Some(other) })]);
    assert_eq!(session.held(), Some(held(job)));
}

#[test]
fn a_cancel_reaches_the_runner_at_once_and_with_every_heartbeat() {
    let job = JobUuid::random();
    let mut session = running(job);
    assert_eq!(session.on(Input::Nudge(Nudge::Cancel(JobUuid::random())), at(1)), []);
    assert_eq!(session.on(Input::Nudge(Nudge::Cancel(job)), at(1)), [Output::Send(ToRunner::Cancel)]);
    assert_eq!(session.on(heartbeat(), at(2)), [Output::Send(ToRunner::Cancel)]);
}

#[test]
fn silence_in_a_job_loses_it() {
    let job = JobUuid::random();
    let mut session = running(job);
    let _ = session.on(heartbeat(), at(10));
    assert_eq!(session.on(Input::Tick, at(99)), []);
    assert_eq!(
        session.on(Input::Tick, at(100)),
        [Output::Lost(held(job), "the runner fell silent"), Output::Close(Close::HeartbeatTimeout)]
    );
    assert_eq!(Close::HeartbeatTimeout.frame(), (1000, "\"heartbeat_timeout\""));
}

#[test]
fn a_job_that_takes_too_long_is_canceled() {
    let job = JobUuid::random();
    let mut session = running(job);
    let _ = session.on(heartbeat(), at(9_999));
    assert_eq!(session.on(heartbeat(), at(10_000)), [Output::Overrun(held(job))]);
    assert_eq!(session.on(Input::Overran(job), at(10_000)), [Output::Send(ToRunner::Cancel)]);
    assert_eq!(session.on(heartbeat(), at(10_001)), [Output::Send(ToRunner::Cancel)]);
}

#[test]
fn a_job_that_was_never_received_goes_back() {
    let job = JobUuid::random();
    let mut session = session();
    let _ = session.on(ready(55), at(0));
    let _ = session.on(Input::Claimed(Some((held(job), claimed_job(job)))), at(0));
    assert_eq!(session.on(Input::Disconnected, at(1)), [Output::Release(held(job))]);
}

#[test]
fn a_job_in_progress_outlives_its_connection() {
    let job = JobUuid::random();
    assert_eq!(running(job).on(Input::Disconnected, at(1)), [Output::Renew(held(job))]);
    assert_eq!(
        running(job).on(Input::Nudge(Nudge::Close(CloseReason::ShuttingDown)), at(1)),
        [Output::Close(Close::Hub(CloseReason::ShuttingDown))]
    );
}

#[test]
fn a_job_resumes_on_a_new_connection() {
    let job = JobUuid::random();
    let mut session = session();
    assert_eq!(session.on(heartbeat(), at(1)), [Output::Resume(None)]);
    assert_eq!(session.on(Input::Resumed(Resume::Held(held(job))), at(1)), [Output::Start(held(job))]);
    assert_eq!(session.on(heartbeat(), at(2)), []);
    assert_eq!(session.held(), Some(held(job)));
}

#[test]
fn a_runner_is_told_to_stop_what_is_no_longer_its_own() {
    let mut session = session();
    let job = Some(JobUuid::random());
    assert_eq!(session.on(Input::Message(FromRunner::Running { job }), at(1)), [Output::Resume(job)]);
    assert_eq!(session.on(Input::Resumed(Resume::Stop), at(1)), [Output::Send(ToRunner::Cancel)]);
}

#[test]
fn a_runner_that_asks_for_work_in_a_job_has_given_it_up() {
    let job = JobUuid::random();
    let outputs = running(job).on(ready(55), at(3));
    assert!(matches!(outputs.as_slice(), [Output::Lost(lost, _), Output::Claim] if lost.job == job), "{outputs:?}");
}

#[test]
fn a_runner_that_asks_for_work_before_it_has_its_job_gets_it_again() {
    let job = JobUuid::random();
    let mut session = session();
    assert_eq!(session.on(ready(55), at(0)), [Output::Claim]);
    assert!(matches!(session.on(Input::Claimed(Some((held(job), claimed_job(job)))), at(0)).as_slice(), [Output::Send(_)]));
    assert_eq!(session.on(ready(55), at(1)), [Output::Claim]);
}

#[test]
fn garbage_ends_an_idle_connection_but_no_job() {
    assert_eq!(session().on(Input::Garbage, at(1)), [Output::Close(Close::Garbage)]);
    let mut session = running(JobUuid::random());
    assert_eq!(session.on(Input::Garbage, at(89)), []);
    assert!(session.on(Input::Tick, at(90)).contains(&Output::Close(Close::HeartbeatTimeout)), "not a sign of life");
}

fn any_input(job: JobUuid) -> impl Strategy<Value = Input> {
    prop_oneof![
        Just(ready(1)),
        Just(Input::Message(FromRunner::Running { job: None })),
        Just(Input::Message(FromRunner::Heartbeat { job: Some(job) })),
        Just(Input::Message(FromRunner::Completed { job, results: Vec::new(), warmups: None })),
        Just(Input::Message(FromRunner::canceled(job))),
        Just(Input::Garbage),
        Just(Input::Nudge(Nudge::Wake)),
        Just(Input::Nudge(Nudge::Cancel(job))),
        Just(Input::Nudge(Nudge::Close(CloseReason::Replaced))),
        Just(Input::Tick),
        Just(Input::Disconnected),
    ]
}

proptest! {
    /// A model of the database answers: a job is never forgotten while a runner holds it, and nothing is sent after the close.
    #[test]
    fn a_held_job_always_has_an_end(inputs in vec((0_i64..200, any_input(JobUuid::from(uuid::Uuid::nil()))), 1..60)) {
        let job = JobUuid::from(uuid::Uuid::nil());
        let mut session = session();
        let mut now = 0;
        let mut in_flight = false;
        for (wait, input) in inputs {
            now += wait;
            let mut queue = vec![input];
            while let Some(input) = queue.pop() {
                let was_closed = session.is_closed();
                let outputs = session.on(input, at(now));
                prop_assert!(!was_closed || outputs.is_empty(), "a closed session did {outputs:?}");
                for output in outputs {
                    match output {
                        Output::Claim => {
                            // One that was handed out and not begun is handed out again.
                            in_flight = true;
                            queue.push(Input::Claimed(Some((held(job), claimed_job(job)))));
                        }
                        Output::Resume(_) => queue.push(Input::Resumed(if in_flight { Resume::Held(held(job)) } else { Resume::Nothing })),
                        Output::Finish(job, _) => { in_flight = false; queue.push(Input::Finished(job)); }
                        Output::Release(_) | Output::Lost(..) => in_flight = false,
                        Output::Overrun(held) => queue.push(Input::Overran(held.job)),
                        // The lease bounds what happens without a connection.
                        Output::Start(_) | Output::Renew(_) | Output::Keep(..) | Output::Send(_) | Output::Close(_) => {}
                    }
                }
            }
            prop_assert!(session.held().is_none() || in_flight, "holds a job that ended");
            prop_assert!(session.is_closed() || session.deadline().is_some(), "an open session always has a deadline");
        }
    }
}
