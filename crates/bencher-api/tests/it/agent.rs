//! The runner channel for agents that hold no socket: plain requests.

use std::time::Duration;

use bencher_types::{JobStatus, JobUuid, ResourceId, RunnerKey, wire::runner::RunnerState};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    live::{live_job, piece},
    rows::{self, Runner, at},
    setup::refused,
    support::{Backend, TestServer, on_each_database},
};

/// A bound for what must happen at once; only a test that fails waits for it.
const SOON: Duration = Duration::from_secs(20);

async fn ask(server: &TestServer, runner: &Runner, secs: u32) -> (StatusCode, Value) {
    let path = format!("/v0/runners/{}/jobs", runner.uuid);
    server.send(Method::POST, &path, Some(runner.key.expose()), Some(json!({ "poll_timeout": secs }))).await
}

/// Asks and gets this job.
async fn get(server: &TestServer, runner: &Runner) -> JobUuid {
    let (status, job) = ask(server, runner, 900).await;
    assert_eq!(status, StatusCode::OK, "{job}");
    assert!(job["spec"]["uuid"].is_string() && job["config"]["digest"].is_string() && job["oci_token"].is_string(), "{job}");
    job["uuid"].as_str().unwrap().parse().unwrap()
}

async fn say(server: &TestServer, runner: &Runner, job: JobUuid, message: Value) -> (StatusCode, Value) {
    let path = format!("/v0/runners/{}/jobs/{job}/channel", runner.uuid);
    server.send(Method::POST, &path, Some(runner.key.expose()), Some(message)).await
}

fn acknowledged(job: JobUuid) -> (StatusCode, Value) {
    (StatusCode::OK, json!({ "event": "ack", "job": job }))
}

fn stop() -> (StatusCode, Value) {
    (StatusCode::OK, json!({ "event": "cancel" }))
}

async fn status(server: &TestServer, job: JobUuid) -> JobStatus {
    server.app.store.job_of_runner(0, Some(job)).await.unwrap().unwrap().status().unwrap()
}

/// Waits until a job has a status; the server writes it after its answer.
async fn until(server: &TestServer, job: JobUuid, wanted: JobStatus) {
    let reached = async {
        while status(server, job).await != wanted {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, reached).await.unwrap_or_else(|_| panic!("the job did not become {wanted}"));
}

/// Waits until the runner is shown as doing this.
async fn until_it_is(server: &TestServer, runner: &Runner, wanted: RunnerState) {
    let id = ResourceId::Uuid(runner.uuid.as_uuid());
    let reached = async {
        while server.app.store.runner(&id).await.unwrap().unwrap().state.0 != wanted {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, reached).await.unwrap_or_else(|_| panic!("the runner did not become {wanted:?}"));
}

#[tokio::test]
async fn an_agent_gets_a_job_says_how_it_goes_and_has_its_result_acknowledged() {
    on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let runner = rows::runner(store, spec).await;
        let expected = rows::job(store, spec, 0, at(0)).await;
        assert_eq!(get(&server, &runner).await, expected);
        assert_eq!(status(&server, expected).await, JobStatus::Claimed);
        for event in ["running", "heartbeat", "heartbeat", "running"] {
            assert_eq!(say(&server, &runner, expected, json!({ "event": event })).await, acknowledged(expected));
            assert_eq!(status(&server, expected).await, JobStatus::Running);
        }
        let failed = json!({ "event": "failed", "job": expected, "results": [], "error": "no" });
        for _ in 0..2 {
            assert_eq!(say(&server, &runner, expected, failed.clone()).await, acknowledged(expected));
            assert_eq!(status(&server, expected).await, JobStatus::Failed);
        }
        // A late result is worth more than a failure, here as on a socket.
        let late = json!({ "event": "completed", "job": expected, "results": [{ "exit_code": 0, "stdout": "x" }] });
        assert_eq!(say(&server, &runner, expected, late).await, acknowledged(expected));
    })
    .await;
}

#[tokio::test]
async fn what_a_live_job_prints_is_taken_from_an_agent_too_once() {
    on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let runner = rows::runner(store, spec).await;
        let job = live_job(&server, spec).await;
        assert_eq!(get(&server, &runner).await, job);
        assert_eq!(say(&server, &runner, job, json!({ "event": "running" })).await, acknowledged(job));
        let output = |number| json!({ "event": "output", "job": job, "pieces": [piece(number, "step")] });
        // An agent that got no answer says it again.
        for number in [0, 0, 1] {
            assert_eq!(say(&server, &runner, job, output(number)).await, acknowledged(job));
        }
        let row = store.job_of_runner(runner.id, Some(job)).await.unwrap().unwrap();
        assert_eq!(store.live_output(row.id, row.attempt, None).await.unwrap(), [piece(0, "step"), piece(1, "step")]);
        until_it_is(&server, &runner, RunnerState::Running).await;

        let other = rows::runner(store, spec).await;
        assert_eq!(say(&server, &other, job, output(2)).await, stop(), "it is not the other's job");
        assert_eq!(store.live_output(row.id, row.attempt, None).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn an_agent_that_vanishes_with_its_job_is_shown_as_offline() {
    let server = TestServer::start_with(Backend::Sqlite, |config| {
        let runners = config.plus.get_or_insert_default().runners.get_or_insert_default();
        runners.heartbeat_timeout = Some(1);
    });
    let server = server.await.unwrap();
    let store = &server.app.store;
    let spec = rows::spec(store).await;
    for begins in [true, false] {
        let runner = rows::runner(store, spec).await;
        let job = rows::job(store, spec, 0, at(0)).await;
        assert_eq!(get(&server, &runner).await, job);
        until_it_is(&server, &runner, RunnerState::Running).await;
        if begins {
            assert_eq!(say(&server, &runner, job, json!({ "event": "running" })).await, acknowledged(job));
        }
        until_it_is(&server, &runner, RunnerState::Offline).await;
        until(&server, job, if begins { JobStatus::Failed } else { JobStatus::Pending }).await;
    }
}

#[tokio::test]
async fn an_agent_waits_until_there_is_a_job_or_its_time_is_over() {
    let server = TestServer::start().await;
    let store = &server.app.store;
    let spec = rows::spec(store).await;
    let runner = rows::runner(store, spec).await;
    assert_eq!(ask(&server, &runner, 1).await, (StatusCode::NO_CONTENT, Value::Null));

    let waits = get(&server, &runner);
    let creates = async {
        until_it_is(&server, &runner, RunnerState::Idle).await;
        let job = rows::job(store, spec, 0, at(0)).await;
        server.app.hub.wake();
        job
    };
    let (got, created) = tokio::time::timeout(SOON, futures::future::join(waits, creates)).await.expect("a job in time");
    assert_eq!(got, created);
}

#[tokio::test]
async fn a_cancel_reaches_an_agent_with_its_next_message() {
    on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let runner = rows::runner(store, spec).await;
        let job = rows::job(store, spec, 0, at(0)).await;
        get(&server, &runner).await;
        assert_eq!(say(&server, &runner, job, json!({ "event": "running" })).await, acknowledged(job));
        let held = store.job_of_runner(runner.id, Some(job)).await.unwrap().unwrap();
        store.end_job(job, held.attempt, bencher_types::JobEvent::Cancel, "canceled by a test", at(1)).await.unwrap();
        assert_eq!(say(&server, &runner, job, json!({ "event": "heartbeat" })).await, stop());
        assert_eq!(say(&server, &runner, job, json!({ "event": "canceled", "job": job })).await, acknowledged(job));
        assert_eq!(status(&server, job).await, JobStatus::Canceled);
    })
    .await;
}

#[tokio::test]
async fn an_agent_is_told_to_stop_what_is_not_its_own() {
    let server = TestServer::start().await;
    let store = &server.app.store;
    let spec = rows::spec(store).await;
    let (runner, other) = (rows::runner(store, spec).await, rows::runner(store, spec).await);
    let job = rows::job(store, spec, 0, at(0)).await;
    get(&server, &runner).await;
    for event in ["running", "heartbeat"] {
        assert_eq!(say(&server, &other, job, json!({ "event": event })).await, stop());
        assert_eq!(say(&server, &other, JobUuid::random(), json!({ "event": event })).await, stop());
    }
    // As on a socket, a result is acknowledged whether it changes anything or not: it would be sent for ever.
    let failed = json!({ "event": "failed", "job": job, "results": [], "error": "mine" });
    assert_eq!(say(&server, &other, job, failed).await, acknowledged(job));
    assert_eq!(status(&server, job).await, JobStatus::Claimed);
}

#[tokio::test]
async fn a_job_that_overruns_is_stopped() {
    let server = TestServer::start_with(Backend::Sqlite, |config| {
        let runners = config.plus.get_or_insert_default().runners.get_or_insert_default();
        (runners.fetch_timeout, runners.job_timeout_grace_period) = (Some(1), Some(1));
    });
    let server = server.await.unwrap();
    let store = &server.app.store;
    let spec = rows::spec(store).await;
    let runner = rows::runner(store, spec).await;
    let job = rows::job(store, spec, 0, at(0)).await;
    get(&server, &runner).await;
    assert_eq!(say(&server, &runner, job, json!({ "event": "running" })).await, acknowledged(job));
    // It was claimed in 1970.
    let mut tx = store.begin().await.unwrap();
    bencher_api::store::Queries::execute(&mut tx, "UPDATE job SET claimed = 0", vec![]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(say(&server, &runner, job, json!({ "event": "heartbeat" })).await, stop());
    assert_eq!(status(&server, job).await, JobStatus::Canceled);
}

#[tokio::test]
async fn a_job_whose_agent_went_away_before_it_was_handed_out_goes_to_another() {
    let server = TestServer::start().await;
    let store = &server.app.store;
    let spec = rows::spec(store).await;
    let (gone, there) = (rows::runner(store, spec).await, rows::runner(store, spec).await);
    tokio::select! {
        answer = ask(&server, &gone, 900) => panic!("there was no job to get: {answer:?}"),
        () = until_it_is(&server, &gone, RunnerState::Idle) => {}
    }
    until_it_is(&server, &gone, RunnerState::Offline).await;
    let job = rows::job(store, spec, 0, at(0)).await;
    server.app.hub.wake();
    assert_eq!(tokio::time::timeout(SOON, get(&server, &there)).await.expect("a job in time"), job);
}

#[tokio::test]
async fn asking_again_gives_up_the_job_at_hand_and_ends_an_earlier_wait() {
    let server = TestServer::start().await;
    let store = &server.app.store;
    let spec = rows::spec(store).await;
    let runner = rows::runner(store, spec).await;
    let job = rows::job(store, spec, 0, at(0)).await;
    get(&server, &runner).await;
    assert_eq!(say(&server, &runner, job, json!({ "event": "running" })).await, acknowledged(job));
    let first = ask(&server, &runner, 900);
    let second = async {
        until(&server, job, JobStatus::Failed).await;
        ask(&server, &runner, 1).await
    };
    let (first, second) = tokio::time::timeout(SOON, futures::future::join(first, second)).await.expect("answers in time");
    refused(first, 409, "asked again");
    assert_eq!(second.0, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_replaced_key_ends_the_wait() {
    let server = TestServer::start().await;
    let store = &server.app.store;
    let spec = rows::spec(store).await;
    let runner = rows::runner(store, spec).await;
    let waits = ask(&server, &runner, 900);
    let replaces = async {
        until_it_is(&server, &runner, RunnerState::Idle).await;
        server.app.hub.close_runner(runner.uuid);
    };
    let (answer, ()) = tokio::time::timeout(SOON, futures::future::join(waits, replaces)).await.expect("an answer in time");
    refused(answer, 401, "no longer valid");
}

#[tokio::test]
async fn what_no_agent_should_send_is_refused() {
    let server = TestServer::start().await;
    let store = &server.app.store;
    let spec = rows::spec(store).await;
    let (runner, other) = (rows::runner(store, spec).await, rows::runner(store, spec).await);
    let job = rows::job(store, spec, 0, at(0)).await;
    refused(say(&server, &runner, job, json!({ "event": "ready" })).await, 400, "ask for one");
    let elsewhere = json!({ "event": "heartbeat", "job": JobUuid::random() });
    refused(say(&server, &runner, job, elsewhere).await, 400, "the path about");
    assert_eq!(say(&server, &runner, job, json!({ "event": "nonsense" })).await.0, StatusCode::BAD_REQUEST);
    for key in [other.key.expose(), RunnerKey::generate().expose(), "nonsense"] {
        for (path, body) in [
            (format!("/v0/runners/{}/jobs", runner.uuid), json!({})),
            (format!("/v0/runners/{}/jobs/{job}/channel", runner.uuid), json!({ "event": "running" })),
        ] {
            assert_eq!(server.send(Method::POST, &path, Some(key), Some(body)).await.0, StatusCode::UNAUTHORIZED);
        }
    }
    assert_eq!(status(&server, job).await, JobStatus::Pending);
}
