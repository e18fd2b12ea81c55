//! What jobs print while they run.

use std::time::Duration;

use bencher_api::store::queue::Ending;
use bencher_types::{
    JobEvent, JobStatus, JobUuid,
    wire::{
        channel::{FromRunner, IterationOutput},
        live::{OutputPiece, OutputStream},
    },
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    channel::{Connection, connect, until},
    events::{Stream, events_of},
    rows::{self, Runner, at},
    support::{TestServer, at_rest_on_each_database, on_each_database},
};

const LEASE: Duration = Duration::from_secs(90);

pub(crate) fn piece(sequence: u32, text: &str) -> OutputPiece {
    let offset = u64::from(sequence) * 10;
    OutputPiece { sequence, warmup: false, iteration: 0, stream: OutputStream::Stdout, offset, text: text.to_owned() }
}

/// A job that is live, of a project of its own.
pub(crate) async fn live_job(server: &TestServer, spec: i64) -> JobUuid {
    let job = rows::job(&server.app.store, spec, 0, at(0)).await;
    rows::make_live(&server.app.store, job).await;
    job
}

/// What of a job's output can be read now.
async fn shown(server: &TestServer, token: Option<&str>, job: JobUuid, query: &str) -> (u64, Vec<String>) {
    let path = format!("/v0/projects/{}/jobs/{job}/live{query}", rows::slug_of_project(&server.app.store, job).await);
    let (status, body) = server.send(Method::GET, &path, token, None).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let pieces = body["pieces"].as_array().expect("pieces");
    let texts = pieces.iter().map(|piece| piece["text"].as_str().expect("a text").to_owned());
    (body["attempt"].as_u64().expect("an attempt"), texts.collect())
}

/// A runner that works on the job at that server.
async fn working(server: &TestServer, runner: &Runner, job: JobUuid) -> Connection {
    let mut connection = connect(server, runner).await;
    connection.ready().await;
    assert_eq!(connection.job().await, job);
    connection.send(&FromRunner::Running { job: Some(job) }).await;
    until(server, job, JobStatus::Running).await;
    connection
}

/// The text and number of the piece that an event tells.
fn told(data: &Value) -> (&str, u64, u64) {
    let piece = &data["piece"];
    (
        piece["text"].as_str().expect("a text"),
        data["attempt"].as_u64().expect("an attempt"),
        piece["sequence"].as_u64().expect("a number"),
    )
}

#[tokio::test]
async fn what_a_live_job_prints_is_told_and_shown_until_its_output_is_there() {
    on_each_database(async |server| {
        let ada = server.sign_up("Ada").await;
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let runner = rows::runner(store, spec).await;
        let job = live_job(&server, spec).await;
        let mut connection = working(&server, &runner, job).await;
        let path = events_of(&server, job).await;
        let mut stream = Stream::open(&server, &path, Some(&ada.token), None).await;
        stream.expect("open").await;
        assert_eq!(stream.status().await, "running");
        let mut strangers = Stream::open(&server, &path, None, None).await;
        strangers.expect("open").await;
        assert_eq!(strangers.status().await, "running");

        // With everything that a benchmark may print.
        let pieces = vec![piece(0, "one\0\u{1b}[1m\n"), piece(1, "two \u{20ac}")];
        connection.send(&FromRunner::Output { job, pieces }).await;
        let first = stream.expect("output").await;
        assert_eq!(told(&first.data), ("one\0\u{1b}[1m\n", 1, 0));
        let second = stream.expect("output").await;
        assert_eq!(told(&second.data), ("two \u{20ac}", 1, 1));
        let mut resumed = Stream::open(&server, &path, Some(&ada.token), Some(first.id)).await;
        assert_eq!(resumed.expect("output").await, second);

        let all = (1, vec!["one\0\u{1b}[1m\n".to_owned(), "two \u{20ac}".to_owned()]);
        assert_eq!(shown(&server, Some(&ada.token), job, "").await, all);
        assert_eq!(shown(&server, Some(&ada.token), job, "?attempt=1&after=0").await.1, ["two \u{20ac}"]);
        assert_eq!(
            shown(&server, Some(&ada.token), job, "?attempt=2&after=0").await,
            all,
            "another attempt's number says nothing"
        );
        assert_eq!(shown(&server, None, job, "").await, (1, vec![]), "nor is a stranger shown its output in the end");
        let path = format!("/v0/projects/{}/jobs/{job}", rows::slug_of_project(store, job).await);
        assert_eq!(server.send(Method::GET, &path, None, None).await.1["live"], json!(true));

        let stdout = Some("one and two".to_owned());
        let results = vec![IterationOutput { stdout, ..IterationOutput::default() }];
        connection.send(&FromRunner::Completed { job, results, warmups: None }).await;
        assert_eq!(stream.status().await, "completed");
        assert_eq!(strangers.status().await, "completed", "what it printed is not a stranger's");
        assert_eq!(shown(&server, Some(&ada.token), job, "").await, (1, vec![]), "the whole of it is there");
    })
    .await;
}

#[tokio::test]
async fn a_follower_at_another_server_is_told_too() {
    let Some((one, other)) = TestServer::two().await else { return };
    let ada = one.sign_up("Ada").await;
    let store = &one.app.store;
    let spec = rows::spec(store).await;
    let runner = rows::runner(store, spec).await;
    let job = live_job(&one, spec).await;
    let mut connection = working(&one, &runner, job).await;
    let mut stream = Stream::open(&other, &events_of(&one, job).await, Some(&ada.token), None).await;
    stream.expect("open").await;
    assert_eq!(stream.status().await, "running");
    for number in 0..3 {
        connection.send(&FromRunner::Output { job, pieces: vec![piece(number, "step")] }).await;
        assert_eq!(told(&stream.expect("output").await.data), ("step", 1, number.into()));
    }
    assert_eq!(shown(&other, Some(&ada.token), job, "").await.1.len(), 3);
}

#[tokio::test]
async fn whatever_is_dropped_repeated_or_reordered_what_is_kept_is_in_order_and_the_output_is_what_it_was() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        for seed in 0..8 {
            let mut rng = StdRng::seed_from_u64(seed);
            let runner = rows::runner(store, spec).await;
            let job = live_job(&server, spec).await;
            let row = store.claim_job(runner.id, LEASE, at(1)).await.unwrap().unwrap().job;
            assert_eq!(row.uuid.0, job);
            let sent: Vec<OutputPiece> = (0..30).map(|number| piece(number, &format!("piece {number}"))).collect();
            let mut arriving: Vec<&[OutputPiece]> = sent.chunks(3).collect();
            arriving.retain(|_| rng.random_bool(0.8));
            let repeated: Vec<_> = arriving.iter().copied().filter(|_| rng.random_bool(0.3)).collect();
            arriving.extend(repeated);
            arriving.shuffle(&mut rng);
            let mut count = 0;
            for message in arriving {
                count += store.keep_output(job, 1, message, at(2)).await.unwrap();
            }
            let kept = store.live_output(row.id, 1, None).await.unwrap();
            assert_eq!(kept.len(), count, "seed {seed}");
            assert!(kept.is_sorted_by(|one, next| one.sequence < next.sequence), "seed {seed}: {kept:?}");
            assert!(kept.iter().all(|piece| sent.contains(piece)), "seed {seed}: {kept:?}");

            let key = Some(format!("jobs/{seed}"));
            let ending = Ending { event: JobEvent::Complete, output_key: key.clone(), message: None, failure: None };
            store.finish_job(runner.id, job, &ending, at(3)).await.unwrap();
            assert_eq!(store.keep_output(job, 1, &[piece(90, "late")], at(4)).await.unwrap(), 0);
            assert_eq!(store.live_output(row.id, 1, None).await.unwrap(), []);
            let output: Vec<Key> = read(&server, "SELECT output_key FROM job WHERE uuid = $1", job).await;
            assert_eq!(output, [Key { output_key: key }], "seed {seed}");
        }
    })
    .await;
}

#[derive(Debug, PartialEq, sqlx::FromRow)]
struct Key {
    output_key: Option<String>,
}

async fn read<T: bencher_api::store::Row>(server: &TestServer, sql: &'static str, job: JobUuid) -> Vec<T> {
    let mut conn = server.app.store.read().await.unwrap();
    bencher_api::store::Queries::all(&mut conn, sql, bencher_api::values![job]).await.unwrap()
}

#[tokio::test]
async fn only_the_attempt_under_way_prints_and_the_next_one_begins_anew() {
    at_rest_on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let runner = rows::runner(store, spec).await;
        let job = live_job(&server, spec).await;
        assert_eq!(store.keep_output(job, 0, &[piece(0, "too early")], at(1)).await.unwrap(), 0);
        let id = store.claim_job(runner.id, LEASE, at(1)).await.unwrap().unwrap().job.id;
        assert_eq!(store.keep_output(job, 1, &[piece(0, "one"), piece(1, "two")], at(2)).await.unwrap(), 2);
        assert_eq!(store.keep_output(job, 2, &[piece(2, "of nobody")], at(2)).await.unwrap(), 0);

        // A runner that is lost delivers nothing: what it printed is all there is.
        assert!(store.end_job(job, 1, JobEvent::Fail, "lost", at(3)).await.unwrap());
        assert_eq!(store.live_output(id, 1, None).await.unwrap().len(), 2);

        let sql = "UPDATE job SET status = 0, runner_id = NULL WHERE uuid = $1";
        let mut tx = store.begin().await.unwrap();
        bencher_api::store::Queries::execute(&mut tx, sql, bencher_api::values![job]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(store.claim_job(runner.id, LEASE, at(4)).await.unwrap().unwrap().job.attempt, 2);
        assert_eq!(store.keep_output(job, 1, &[piece(2, "of the first")], at(5)).await.unwrap(), 0);
        assert_eq!(store.keep_output(job, 2, &[piece(0, "anew")], at(5)).await.unwrap(), 1);
        assert_eq!(store.live_output(id, 1, None).await.unwrap(), []);
        assert_eq!(store.live_output(id, 2, None).await.unwrap(), [piece(0, "anew")]);
    })
    .await;
}

#[tokio::test]
async fn a_job_that_is_not_live_keeps_nothing_and_its_connection_goes_on() {
    on_each_database(async |server| {
        let ada = server.sign_up("Ada").await;
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let runner = rows::runner(store, spec).await;
        let job = rows::job(store, spec, 0, at(0)).await;
        let mut connection = working(&server, &runner, job).await;
        connection.send(&FromRunner::Output { job, pieces: vec![piece(0, "nobody asked")] }).await;
        connection.send(&FromRunner::Output { job: JobUuid::random(), pieces: vec![piece(0, "of another job")] }).await;
        connection.send(&FromRunner::canceled(job)).await;
        connection.receive().await;
        assert_eq!(shown(&server, Some(&ada.token), job, "").await.1, [""; 0]);
    })
    .await;
}
