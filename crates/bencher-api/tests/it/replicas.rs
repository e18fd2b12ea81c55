//! Two servers on one PostgreSQL: what happens at one is known at the other.

use std::time::Duration;

use bencher_api::{
    app::App,
    clock::Clock,
    config::{
        Config,
        rate_limiting::{Rate, RateLimiting, UserRates},
    },
    rate::{Counter, Subject},
    store::Queries as _,
    values,
};
use bencher_types::{
    JobStatus, JobUuid, UserUuid,
    wire::{
        channel::{FromRunner, ToRunner},
        runner::RunnerState,
    },
};
use serde_json::json;

use crate::{
    channel::{Connection, SOON, connect, until},
    events::{Stream, events_of},
    rows::{self, Runner, at},
    setup::TestUser,
    support::{Backend, TestServer},
};

/// A round trip, after which the server has done what it was told before.
async fn settle(connection: &mut Connection) {
    connection.send(&FromRunner::canceled(JobUuid::random())).await;
    assert!(matches!(connection.receive().await, ToRunner::Ack { .. }));
}

/// A runner that the server knows, and for which there is no job yet.
pub(crate) async fn waiting(server: &TestServer, runner: &Runner) -> Connection {
    let mut connection = connect(server, runner).await;
    connection.ready().await;
    settle(&mut connection).await;
    connection
}

/// Waits until a runner is known to be in this state.
async fn until_runner(server: &TestServer, runner: &Runner, expected: RunnerState) {
    let id = runner.uuid.to_string().parse().unwrap();
    let waited = tokio::time::timeout(SOON, async {
        while server.app.store.runner(&id).await.unwrap().unwrap().state.0 != expected {
            tokio::task::yield_now().await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("the runner did not become {expected:?}"));
}

/// Cuts off the connections on which the servers hear of events, at least one of them.
async fn cut_off(server: &TestServer) {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND application_name = 'bencher-api events'";
    let cut = async {
        loop {
            let mut tx = server.app.store.begin().await.unwrap();
            let number = tx.execute(sql, values![]).await.unwrap();
            tx.commit().await.unwrap();
            if number > 0 {
                return;
            }
        }
    };
    tokio::time::timeout(SOON, cut).await.expect("a connection to cut off");
}

/// A user who may do things at both servers, and the same user's session.
async fn admin(server: &TestServer) -> TestUser {
    server.sign_up("Ada").await
}

#[tokio::test]
async fn a_job_that_one_server_takes_in_wakes_a_runner_at_the_other() {
    let Some((one, other)) = TestServer::two().await else { return };
    let ada = admin(&one).await;
    one.project(&ada, "Shop", "public").await;
    one.spec(&ada, "Small", true).await;
    one.push_image("shop", &ada, "v1", 1).await;
    let made = one.create("/v0/runners", &ada, json!({ "name": "one" })).await;
    one.create("/v0/runners/one/specs", &ada, json!({ "spec": "small" })).await;
    let key: bencher_types::RunnerKey = made["key"].as_str().unwrap().parse().unwrap();
    let row = one.app.store.runner_by_key(&key.hash()).await.unwrap().unwrap();
    let runner = Runner { id: row.id, uuid: row.uuid.0, key };

    let mut connection = waiting(&other, &runner).await;
    let run = json!({
        "project": "shop", "results": [], "job": { "image": "shop:v1" },
        "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:00Z",
    });
    let report = one.create("/v0/run", &ada, run).await;
    assert_eq!(json!(connection.job().await), report["job"]);
}

#[tokio::test]
async fn a_runner_that_may_do_more_looks_for_work_wherever_it_is_connected() {
    let Some((one, other)) = TestServer::two().await else { return };
    let ada = admin(&one).await;
    let store = &one.app.store;
    let (ours, more) = (rows::spec(store).await, rows::spec(store).await);
    let runner = rows::runner(store, ours).await;
    let job = rows::job(store, more, 0, at(0)).await;
    let mut connection = waiting(&other, &runner).await;
    let specs = one.list("/v0/specs", Some(&ada), "uuid").await.0;
    for spec in specs {
        // One of them it has already.
        one.post(&format!("/v0/runners/{}/specs", runner.uuid), &ada, json!({ "spec": spec })).await;
    }
    assert_eq!(connection.job().await, job);
}

#[tokio::test]
async fn a_cancel_at_one_server_reaches_the_job_at_the_other() {
    let Some((one, other)) = TestServer::two().await else { return };
    let ada = admin(&one).await;
    let store = &one.app.store;
    let spec = rows::spec(store).await;
    let runner = rows::runner(store, spec).await;
    let job = rows::job(store, spec, 0, at(0)).await;
    let mut connection = connect(&other, &runner).await;
    connection.ready().await;
    connection.job().await;
    connection.send(&FromRunner::Running { job: Some(job) }).await;
    until(&one, job, JobStatus::Running).await;

    let path = format!("/v0/projects/{}/jobs/{job}/cancel", rows::slug_of_project(store, job).await);
    assert_eq!(one.post(&path, &ada, json!({})).await.1["status"], json!("canceled"));
    assert_eq!(connection.receive().await, ToRunner::Cancel);
}

#[tokio::test]
async fn a_runner_that_connects_to_another_server_leaves_the_first_and_its_job_goes_on() {
    let Some((one, other)) = TestServer::two().await else { return };
    let store = &one.app.store;
    let spec = rows::spec(store).await;
    let runner = rows::runner(store, spec).await;
    let job = rows::job(store, spec, 0, at(0)).await;
    let mut first = connect(&one, &runner).await;
    first.ready().await;
    first.job().await;
    first.send(&FromRunner::Running { job: Some(job) }).await;
    until(&one, job, JobStatus::Running).await;

    let mut second = connect(&other, &runner).await;
    second.send(&FromRunner::Heartbeat { job: Some(job) }).await;
    assert_eq!(first.closed().await.map(|frame| u16::from(frame.code)), Some(1008));
    second.send(&FromRunner::Failed { job, results: Vec::new(), warmups: None, error: "no".to_owned(), failure: None }).await;
    assert_eq!(second.receive().await, ToRunner::Ack { job: Some(job) });
    // The end of the first connection does not make it one that is away.
    until_runner(&one, &runner, RunnerState::Idle).await;
    drop(second);
    until_runner(&one, &runner, RunnerState::Offline).await;
}

#[tokio::test]
async fn a_key_that_is_replaced_at_one_server_ends_the_connection_at_the_other() {
    let Some((one, other)) = TestServer::two().await else { return };
    let ada = admin(&one).await;
    let store = &one.app.store;
    let runner = rows::runner(store, rows::spec(store).await).await;
    let mut connection = waiting(&other, &runner).await;
    one.create(&format!("/v0/runners/{}/key", runner.uuid), &ada, json!({})).await;
    assert_eq!(connection.closed().await.map(|frame| u16::from(frame.code)), Some(1008));
}

#[tokio::test]
async fn what_happens_at_one_server_is_told_by_the_other() {
    let Some((one, other)) = TestServer::two().await else { return };
    let store = &one.app.store;
    let spec = rows::spec(store).await;
    let job = rows::job(store, spec, 0, at(0)).await;
    let path = events_of(&one, job).await;
    let mut stream = Stream::open(&other, &path, None, None).await;
    let seen = stream.expect("open").await.id;
    assert_eq!(stream.status().await, "pending");
    let runner = rows::runner(store, spec).await;
    let mut connection = connect(&one, &runner).await;
    connection.ready().await;
    connection.job().await;
    assert_eq!(stream.status().await, "claimed");
    connection.send(&FromRunner::Running { job: Some(job) }).await;
    assert_eq!(stream.status().await, "running");
    // A client that comes to another server goes on there.
    let mut moved = Stream::open(&one, &path, None, Some(seen)).await;
    assert_eq!((moved.status().await.as_str(), moved.status().await.as_str()), ("claimed", "running"));
}

#[tokio::test]
async fn nothing_is_missed_while_the_connection_that_tells_of_events_is_lost() {
    let Some((one, other)) = TestServer::two().await else { return };
    let store = &one.app.store;
    let spec = rows::spec(store).await;
    let (first, second) = (rows::runner(store, spec).await, rows::runner(store, spec).await);
    let job = rows::job(store, spec, 0, at(0)).await;
    let path = events_of(&one, job).await;
    let mut stream = Stream::open(&other, &path, None, None).await;
    stream.expect("open").await;
    assert_eq!(stream.status().await, "pending");
    let mut connection = connect(&other, &first).await;
    connection.ready().await;
    assert_eq!(connection.job().await, job);
    let mut idling = waiting(&other, &second).await;

    for _ in 0..3 {
        cut_off(&one).await;
        let next = rows::job(store, spec, 0, at(1)).await;
        let job = idling.job().await;
        assert_eq!(job, next);
        idling.send(&FromRunner::Failed { job, results: Vec::new(), warmups: None, error: "no".to_owned(), failure: None }).await;
        assert_eq!(idling.receive().await, ToRunner::Ack { job: Some(job) });
        idling.ready().await;
        settle(&mut idling).await;
    }
    cut_off(&one).await;
    connection.send(&FromRunner::Running { job: Some(job) }).await;
    assert_eq!((stream.status().await.as_str(), stream.status().await.as_str()), ("claimed", "running"));
}

#[tokio::test]
async fn a_lost_runner_is_noticed_also_where_its_server_is_gone() {
    let Some(one) = TestServer::start_on(Backend::Postgres).await else { return };
    let store = &one.app.store;
    let spec = rows::spec(store).await;
    let runner = rows::runner(store, spec).await;
    let job = rows::job(store, spec, 0, at(0)).await;
    // A server that hands out a job and does nothing more.
    let gone = App::open(one.app.config.clone(), Clock::System).await.unwrap();
    let now = gone.clock.now();
    gone.store.claim_job(runner.id, Duration::from_millis(1), now).await.unwrap().unwrap();
    // It was never begun, and so goes back to the queue.
    until(&one, job, JobStatus::Pending).await;
}

#[tokio::test]
async fn a_server_that_stops_hands_its_runners_over_with_their_jobs() {
    let Some((one, other)) = TestServer::two().await else { return };
    let store = other.app.store.clone();
    let spec = rows::spec(&store).await;
    let (busy, idle) = (rows::runner(&store, spec).await, rows::runner(&store, spec).await);
    let job = rows::job(&store, spec, 0, at(0)).await;
    let mut working = connect(&one, &busy).await;
    working.ready().await;
    working.job().await;
    working.send(&FromRunner::Running { job: Some(job) }).await;
    until(&other, job, JobStatus::Running).await;
    let mut idling = waiting(&one, &idle).await;

    let stopping = tokio::spawn(one.stop());
    for connection in [&mut working, &mut idling] {
        assert_eq!(connection.closed().await.map(|frame| u16::from(frame.code)), Some(1001));
    }
    drop((working, idling));
    tokio::time::timeout(SOON, stopping).await.expect("the server stops in time").unwrap();
    let mut working = connect(&other, &busy).await;
    working.send(&FromRunner::Heartbeat { job: Some(job) }).await;
    working.send(&FromRunner::Failed { job, results: Vec::new(), warmups: None, error: "no".to_owned(), failure: None }).await;
    assert_eq!(working.receive().await, ToRunner::Ack { job: Some(job) });
    until(&other, job, JobStatus::Failed).await;
}

#[tokio::test]
async fn what_one_server_counted_counts_at_the_other() {
    const PER_DAY: u64 = 1000;
    let change = |config: &mut Config| {
        let rate = Rate { minute: Some(1_000_000), hour: Some(1_000_000), day: Some(PER_DAY) };
        let user = UserRates { runs: Some(rate), ..UserRates::default() };
        let limits = RateLimiting { user: Some(user), ..RateLimiting::default() };
        config.plus.get_or_insert_default().rate_limiting = Some(limits);
    };
    let Some(one) = TestServer::start_with(Backend::Postgres, change).await else { return };
    let other = one.beside().await;
    let user = Subject::User(UserUuid::random());
    for _ in 0..PER_DAY {
        one.app.rates.charge(user, Counter::Runs).unwrap();
    }
    // Every look counts too, and there is time for far fewer of them than are allowed.
    let mut looks = tokio::time::interval(Duration::from_millis(50));
    let heard = async {
        while other.app.rates.charge(user, Counter::Runs).is_ok() {
            looks.tick().await;
        }
    };
    tokio::time::timeout(SOON, heard).await.expect("the other server hears of it");
}
