//! A server whose line to PostgreSQL, or to those who follow events, is cut or falls silent.

use std::time::Duration;

use bad_line::{Conduct, Fate, Line, Rough};
use bencher_api::{store::Queries as _, values};
use bencher_types::{
    JobStatus, Secret,
    wire::channel::{FromRunner, ToRunner},
};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::sync::{Notify, mpsc};

use crate::{
    channel::{Connection, SOON, try_connect, until},
    events::{Stream, Told, events_of},
    replicas::waiting,
    rows::{self, Runner, at},
    support::{Backend, TestServer, on_each_database},
};

/// Seconds that the far server waits for the database: its bounds are to be felt soon.
const TIMEOUT: u64 = 2;

/// What can become of open connections.
#[derive(Clone, Copy, Debug)]
enum Spoiled {
    Cut,
    Silent,
}

impl Spoiled {
    fn spoil(self, line: &Line) {
        match self {
            Self::Cut => line.cut(),
            Self::Silent => line.silence(),
        }
    }
}

/// Two servers on one database. The second reaches it over the line.
async fn near_and_far() -> Option<(TestServer, TestServer, Line)> {
    let near = TestServer::start_on(Backend::Postgres).await?;
    let mut url: url::Url = near.app.config.database.url.as_ref().unwrap().expose().parse().unwrap();
    let address = url.socket_addrs(|| Some(5432)).unwrap()[0];
    let line = Line::to(address).await.unwrap();
    url.set_ip_host(line.address().ip()).unwrap();
    url.set_port(Some(line.address().port())).unwrap();
    let far = near
        .beside_with(|config| {
            config.database.url = Some(Secret::new(url.as_str()));
            config.database.timeout = Some(TIMEOUT);
        })
        .await;
    Some((near, far, line))
}

/// Ends the runner's job, so that it can take another.
async fn give_up(connection: &mut Connection, job: bencher_types::JobUuid) {
    connection.send(&FromRunner::Failed { job, results: Vec::new(), warmups: None, error: "no".to_owned(), failure: None }).await;
    assert_eq!(connection.receive().await, ToRunner::Ack { job: Some(job) });
}

async fn ready(server: &TestServer) -> (StatusCode, String) {
    let answer = server.client.get(format!("{}/readyz", server.url)).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

async fn until_ready(server: &TestServer) {
    let waited = tokio::time::timeout(SOON, async { while ready(server).await.0 != StatusCode::OK {} });
    waited.await.expect("the server is ready again");
}

/// Does what a runner does: connects again whenever the connection is over, says what it works on, and ends it when it is told to.
async fn work(server: &TestServer, runner: &Runner, told: mpsc::UnboundedSender<ToRunner>) {
    let ready = FromRunner::Ready { poll_timeout: Some(900), runner: None };
    let mut held = None;
    loop {
        let connected = try_connect(server, &runner.uuid.to_string(), runner.key.expose()).await;
        // The server says so where it cannot ask the database who this is.
        let Ok(mut connection) = connected else { continue };
        let first = if held.is_some() { FromRunner::Running { job: held } } else { ready.clone() };
        connection.try_send(&first).await;
        while let Some(message) = connection.heard().await {
            let answer = match &message {
                ToRunner::Job(job) => {
                    held = Some(job.uuid);
                    Some(FromRunner::Running { job: held })
                }
                ToRunner::Cancel => held.take().map(FromRunner::canceled),
                ToRunner::Ack { .. } | ToRunner::NoJob => Some(ready.clone()),
                ToRunner::Update { .. } => None,
            };
            if let Some(answer) = answer {
                connection.try_send(&answer).await;
            }
            told.send(message).unwrap();
        }
    }
}

/// Waits until the runner was told this.
async fn until_told(told: &mut mpsc::UnboundedReceiver<ToRunner>, is_it: impl Fn(&ToRunner) -> bool) {
    let waited = tokio::time::timeout(SOON, async { while !is_it(&told.recv().await.unwrap()) {} });
    waited.await.expect("the runner is told in time");
}

#[tokio::test]
async fn work_and_cancels_reach_a_server_whose_line_to_the_database_was_cut_or_fell_silent() {
    let Some((near, far, line)) = near_and_far().await else { return };
    let ada = near.sign_up("Ada").await;
    let store = &near.app.store;
    let spec = rows::spec(store).await;
    let runner = rows::runner(store, spec).await;
    let (sender, mut told) = mpsc::unbounded_channel();
    let story = async {
        for spoiled in [Spoiled::Cut, Spoiled::Silent, Spoiled::Cut, Spoiled::Silent] {
            spoiled.spoil(&line);
            let job = rows::job(store, spec, 0, at(0)).await;
            until_told(&mut told, |message| matches!(message, ToRunner::Job(given) if given.uuid == job)).await;
            until(&near, job, JobStatus::Running).await;

            spoiled.spoil(&line);
            let path = format!("/v0/projects/{}/jobs/{job}/cancel", rows::slug_of_project(store, job).await);
            assert_eq!(near.post(&path, &ada, json!({})).await.1["status"], json!("canceled"));
            until_told(&mut told, |message| *message == ToRunner::Cancel).await;
        }
    };
    tokio::select! {
        () = work(&far, &runner, sender) => {}
        () = story => {}
    }
}

#[tokio::test]
async fn a_server_that_is_cut_off_from_the_database_says_so_claims_nothing_and_recovers_by_itself() {
    let Some((near, far, line)) = near_and_far().await else { return };
    let store = &near.app.store;
    let spec = rows::spec(store).await;
    let (there, here) = (rows::runner(store, spec).await, rows::runner(store, spec).await);
    assert_eq!(ready(&far).await, (StatusCode::OK, "ready\n".to_owned()));
    for (spoiled, fate) in
        [(Spoiled::Cut, Fate { refused: true, ..Fate::default() }), (Spoiled::Silent, Fate { silent: true, ..Fate::default() })]
    {
        let waiting_there = waiting(&far, &there).await;
        let mut waiting_here = waiting(&near, &here).await;
        line.conduct(Conduct::All(fate));
        spoiled.spoil(&line);
        // More than there are connections: none may be lost to those who wait in vain.
        let asked: Vec<_> = (0..40)
            .map(|_| {
                let request = far.client.request(Method::GET, format!("{}/v0/projects", far.url));
                tokio::spawn(async move {
                    let answer = request.send().await.unwrap();
                    (answer.status(), answer.json::<serde_json::Value>().await.unwrap())
                })
            })
            .collect();
        for answer in asked {
            let (status, body) = tokio::time::timeout(SOON, answer).await.expect("an answer in time").unwrap();
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{spoiled:?}: {body}");
            assert_eq!(body["message"], json!("the database is not available; try again shortly"), "{spoiled:?}");
        }
        let (status, said) = ready(&far).await;
        assert!(status == StatusCode::SERVICE_UNAVAILABLE && said.contains("the database"), "{spoiled:?}: {status} {said}");
        let alive = far.client.get(format!("{}/healthz", far.url)).send().await.unwrap();
        assert_eq!(alive.status(), StatusCode::OK, "the process itself is well");

        let job = rows::job(store, spec, 0, at(0)).await;
        assert_eq!(waiting_here.job().await, job, "{spoiled:?}: who can reach the database hands the job out");
        give_up(&mut waiting_here, job).await;
        drop((waiting_here, waiting_there));

        line.conduct(Conduct::Good);
        until_ready(&far).await;
        let mut back = waiting(&far, &there).await;
        let job = rows::job(store, spec, 0, at(1)).await;
        assert_eq!(back.job().await, job, "{spoiled:?}: the server hears of work again");
        give_up(&mut back, job).await;
    }
}

#[tokio::test]
async fn what_a_server_has_locked_is_free_soon_after_it_fell_silent() {
    let Some((near, far, line)) = near_and_far().await else { return };
    let store = &near.app.store;
    let spec = rows::spec(store).await;
    let runner = rows::runner(store, spec).await;
    let mut connection = waiting(&near, &runner).await;
    let mut tx = far.app.store.begin().await.unwrap();
    // The lock under which jobs are claimed.
    tx.execute("SELECT pg_advisory_xact_lock(6610001)", values![]).await.unwrap();
    line.silence();
    let job = rows::job(store, spec, 0, at(0)).await;
    assert_eq!(connection.job().await, job);
    let late = tx.commit().await.unwrap_err();
    assert_eq!(late.to_string(), "the database is not available");
    until_ready(&far).await;
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_given_up_at_both_ends() {
    let Some((near, far, _line)) = near_and_far().await else { return };
    let mut conn = far.app.store.read().await.unwrap();
    let late = conn.execute("SELECT pg_sleep(600)", values![]).await.unwrap_err();
    assert_eq!(late.to_string(), "the database is not available");
    drop(conn);
    let sleeping = async {
        let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'SELECT pg_sleep%'";
        while near.app.store.read().await.unwrap().execute(sql, values![]).await.unwrap() > 0 {}
    };
    tokio::time::timeout(SOON, sleeping).await.expect("the database gives it up too");
}

/// Follows a job to its end, coming again after the last event that was seen wherever the stream breaks. Says when it has seen the
/// first one.
async fn followed(server: &TestServer, path: &str, begun: &Notify) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    loop {
        let last = told.last().map(|event| event.id);
        let Some(mut stream) = Stream::try_open(server, path, last).await else { continue };
        while let Some(event) = stream.until_broken().await {
            if event.name == "job" {
                told.push(event);
                begun.notify_one();
            }
        }
        if told.last().is_some_and(|event| event.data["status"] == json!("failed")) {
            return told;
        }
    }
}

#[tokio::test]
async fn a_stream_of_events_over_a_line_that_is_cut_loses_and_repeats_nothing() {
    on_each_database(async |mut server| {
        let store = server.app.store.clone();
        let spec = rows::spec(&store).await;
        let address = server.url.strip_prefix("http://").unwrap().parse().unwrap();
        let line = Line::to(address).await.unwrap();
        let direct = std::mem::replace(&mut server.url, format!("http://{}", line.address()));
        for seed in 1..=6 {
            line.conduct(Conduct::Rough(Rough {
                seed,
                cut_after: 300..1500,
                delay_ms: 0..5,
                refused_one_in: 5,
                silent_one_in: 0,
                good_from: line.accepted() + 40,
            }));
            let runner = rows::runner(&store, spec).await;
            let job = rows::job(&store, spec, 0, server.app.clock.now()).await;
            let path = events_of(&server, job).await;
            let begun = Notify::new();
            let work = async {
                // Who comes when the job has ended is told nothing.
                begun.notified().await;
                // A job that goes back to the queue again and again has many events.
                for attempt in 1..=8 {
                    let now = server.app.clock.now();
                    store.claim_job(runner.id, SOON, now).await.unwrap().unwrap();
                    if attempt < 8 {
                        store.release_job(job, attempt, now).await.unwrap();
                    }
                }
                assert!(store.end_job(job, 8, bencher_types::JobEvent::Fail, "no", server.app.clock.now()).await.unwrap());
            };
            let ((), told) = tokio::join!(work, tokio::time::timeout(Duration::from_secs(60), followed(&server, &path, &begun)));
            let told = told.expect("the end of the job is told");
            let ids: Vec<i64> = told.iter().map(|event| event.id).collect();
            assert!(ids.is_sorted_by(|one, next| one < next), "seed {seed}: {ids:?}");
            // What one tells who was never cut off, from the first event of them on.
            let over = std::mem::replace(&mut server.url, direct.clone());
            let mut whole = Stream::open(&server, &path, None, Some(ids[0])).await;
            for expected in &told[1..] {
                assert_eq!(&whole.expect("job").await, expected, "seed {seed}");
            }
            assert_eq!(whole.next().await, None, "seed {seed}");
            server.url = over;
        }
        assert!(line.cuts() > 6, "the line was cut {} times", line.cuts());
    })
    .await;
}
