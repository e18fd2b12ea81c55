//! Streams of server-sent events.

use std::{collections::VecDeque, time::Duration};

use bencher_types::{DateTime, JobEvent, JobUuid};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::{
    channel::SOON,
    filing::{self, PROJECT, shop, text},
    rows::{self, at},
    setup::refused,
    support::{TestServer, on_each_database},
};

const LEASE: Duration = Duration::from_secs(90);

/// One event as a client reads it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) name: String,
    pub(crate) id: i64,
    pub(crate) data: Value,
}

/// A stream that is being read.
#[derive(Debug)]
pub(crate) struct Stream {
    response: Response,
    text: String,
    told: VecDeque<Told>,
    /// The last time that the server asked to wait before coming again, in milliseconds.
    retry: Option<u64>,
}

fn request(server: &TestServer, path: &str, token: Option<&str>, last: Option<i64>) -> RequestBuilder {
    let mut request = server.client.get(format!("{}{path}", server.url));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    request
}

async fn ask(server: &TestServer, path: &str, token: Option<&str>, last: Option<i64>) -> Response {
    request(server, path, token, last).send().await.unwrap()
}

impl Stream {
    pub(crate) async fn open(server: &TestServer, path: &str, token: Option<&str>, last: Option<i64>) -> Self {
        let response = ask(server, path, token, last).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self::of(response)
    }

    /// `None` where there is no stream just now: the line may be bad, or there is nothing more to tell.
    pub(crate) async fn try_open(server: &TestServer, path: &str, last: Option<i64>) -> Option<Self> {
        let response = request(server, path, None, last).send().await.ok()?;
        (response.status() == StatusCode::OK).then(|| Self::of(response))
    }

    fn of(response: Response) -> Self {
        Self { response, text: String::new(), told: VecDeque::new(), retry: None }
    }

    /// The next event; `None` where the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Told> {
        self.read().await.unwrap()
    }

    /// The next event; `None` where the stream has ended or was cut off.
    pub(crate) async fn until_broken(&mut self) -> Option<Told> {
        self.read().await.ok().flatten()
    }

    async fn read(&mut self) -> reqwest::Result<Option<Told>> {
        loop {
            if let Some(told) = self.told.pop_front() {
                return Ok(Some(told));
            }
            let chunk = tokio::time::timeout(SOON, self.response.chunk()).await.expect("an event in time")?;
            let Some(chunk) = chunk else { return Ok(None) };
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
                    line.map(|value| value.trim_start().to_owned())
                };
                if let Some(retry) = field("retry") {
                    self.retry = Some(retry.parse().unwrap());
                }
                if let Some(name) = field("event") {
                    let id = field("id").unwrap().parse().unwrap();
                    self.told.push_back(Told { name, id, data: serde_json::from_str(&field("data").unwrap()).unwrap() });
                }
                self.text = rest.to_owned();
            }
        }
    }

    /// The next event, which has to be of this name.
    pub(crate) async fn expect(&mut self, name: &str) -> Told {
        let told = self.next().await.expect("an open stream");
        assert_eq!(told.name, name, "{told:?}");
        told
    }

    /// The status that the next event says a job has.
    pub(crate) async fn status(&mut self) -> String {
        text(&self.expect("job").await.data, "status")
    }
}

/// Leases are watched: they have to be of the present.
fn now(server: &TestServer) -> DateTime {
    server.app.clock.now()
}

/// The path of a job's events.
pub(crate) async fn events_of(server: &TestServer, job: JobUuid) -> String {
    format!("/v0/projects/{}/jobs/{job}/events", rows::slug_of_project(&server.app.store, job).await)
}

#[tokio::test]
async fn a_job_is_followed_from_its_present_status_to_its_end() {
    on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let runner = rows::runner(store, spec).await;
        let job = rows::job(store, spec, 0, at(0)).await;
        let other = rows::job(store, spec, 0, at(1)).await;
        let mut stream = Stream::open(&server, &events_of(&server, job).await, None, None).await;
        let open = stream.expect("open").await;
        let pending = stream.expect("job").await;
        assert_eq!((pending.id, text(&pending.data, "status").as_str()), (open.id, "pending"));

        store.claim_job(runner.id, LEASE, now(&server)).await.unwrap().unwrap();
        let claimed = stream.expect("job").await;
        assert!(claimed.id > open.id, "{claimed:?}");
        assert_eq!(claimed.data["job"], json!(job));
        assert_eq!(claimed.data["attempt"], json!(1));
        assert!(claimed.data["report"].is_string() && claimed.data["time"].is_string(), "{claimed:?}");
        store.start_job(job, 1, LEASE, now(&server)).await.unwrap();
        assert_eq!(stream.status().await, "running");
        // A sign of life is no change, and another job's end is not this one's.
        store.start_job(job, 1, LEASE, now(&server)).await.unwrap();
        store.renew_lease(job, 1, LEASE, now(&server)).await.unwrap();
        assert!(!store.end_job(other, 0, JobEvent::Fail, "no", now(&server)).await.unwrap());
        assert!(store.end_job(job, 1, JobEvent::Fail, "lost", now(&server)).await.unwrap());
        assert_eq!(stream.status().await, "failed");
        assert_eq!(stream.next().await, None, "nothing more is going to happen");
    })
    .await;
}

#[tokio::test]
async fn a_stream_goes_on_where_it_was_cut_off_and_says_when_it_cannot() {
    on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let runner = rows::runner(store, spec).await;
        let job = rows::job(store, spec, 0, at(0)).await;
        let path = events_of(&server, job).await;
        let seen = Stream::open(&server, &path, None, None).await.expect("open").await.id;

        store.claim_job(runner.id, LEASE, now(&server)).await.unwrap().unwrap();
        store.start_job(job, 1, LEASE, now(&server)).await.unwrap();
        let mut stream = Stream::open(&server, &path, None, Some(seen)).await;
        assert_eq!(stream.status().await, "claimed");
        let running = stream.expect("job").await;
        assert_eq!(text(&running.data, "status"), "running");

        // A number that was never given, as after the restoration of a backup.
        for unknown in [running.id + 1000, -7] {
            let mut stream = Stream::open(&server, &path, None, Some(unknown)).await;
            let reset = stream.expect("reset").await;
            assert_eq!((reset.id, stream.status().await.as_str()), (running.id, "running"));
        }

        assert!(store.end_job(job, 1, JobEvent::Fail, "lost", now(&server)).await.unwrap());
        let mut stream = Stream::open(&server, &path, None, Some(running.id)).await;
        let failed = stream.expect("job").await;
        assert_eq!((text(&failed.data, "status").as_str(), stream.next().await), ("failed", None));
        let again = ask(&server, &path, None, Some(failed.id)).await;
        assert_eq!(again.status(), StatusCode::NO_CONTENT, "clients that have seen the end are not to come again");
    })
    .await;
}

#[tokio::test]
async fn old_changes_are_forgotten_but_never_the_newest() {
    on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        for _ in 0..3 {
            rows::runner(store, spec).await;
        }
        let before = store.log_ends().await.unwrap();
        assert!(before.last - before.first >= 2, "{before:?}");
        let forgotten = store.forget_events(Duration::ZERO, at(100)).await.unwrap();
        assert!(forgotten >= 2, "{forgotten}");
        let after = store.log_ends().await.unwrap();
        assert_eq!((after.first, after.last), (before.last, before.last));
        assert_eq!(store.forget_events(Duration::ZERO, at(100)).await.unwrap(), 0);
        assert!(after.reach_back_to(after.last) && after.reach_back_to(after.last - 1));
        assert!(!after.reach_back_to(after.last - 2) && !after.reach_back_to(after.last + 1));

        let runner = rows::runner(store, spec).await;
        assert!(store.log_ends().await.unwrap().last > after.last, "no number is given twice");
        assert_eq!(store.forget_events(Duration::from_secs(3600), at(100)).await.unwrap(), 0, "not old enough");
        drop(runner);
    })
    .await;
}

#[tokio::test]
async fn a_project_is_told_of_its_own_jobs_and_reports() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let mut stream = Stream::open(&server, &format!("{PROJECT}/events"), Some(&bob.token), None).await;
        stream.expect("open").await;
        rows::job(store, spec, 0, at(0)).await;
        let report = server.file(&bob, 1.0, json!({})).await;
        assert_eq!(stream.expect("report").await.data["report"], report["uuid"]);
    })
    .await;
}

#[tokio::test]
async fn admins_are_told_what_runners_do() {
    on_each_database(async |server| {
        let ada = server.sign_up("Ada").await;
        let bob = server.sign_up("Bob").await;
        let path = "/v0/runners/events";
        refused(server.send(Method::GET, path, Some(&bob.token), None).await, 403, "only an admin");
        let mut stream = Stream::open(&server, path, Some(&ada.token), None).await;
        stream.expect("open").await;
        let made = server.create("/v0/runners", &ada, json!({ "name": "one" })).await;
        let told = stream.expect("runner").await;
        assert_eq!((&told.data["runner"], &told.data["state"]), (&made["uuid"], &json!("offline")));
        server.patch("/v0/runners/one", &ada, json!({ "name": "two" })).await;
        assert_eq!(stream.expect("runner").await.data["runner"], made["uuid"]);
    })
    .await;
}

#[tokio::test]
async fn events_of_what_a_caller_may_not_see_are_not_there() {
    let server = TestServer::start().await;
    let bob = shop(&server).await;
    server.project(&bob, "Vault", "private").await;
    let eve = server.sign_up("Eve").await;
    refused(server.get("/v0/projects/vault/events", &eve).await, 404, "Project (vault) not found");
    let job = JobUuid::random();
    refused(server.get(&format!("{PROJECT}/jobs/{job}/events"), &eve).await, 404, "Job");
    // A job of another project, under the name of one that is public.
    let store = &server.app.store;
    let elsewhere = rows::job(store, rows::spec(store).await, 0, at(0)).await;
    refused(server.get(&format!("{PROJECT}/jobs/{elsewhere}/events"), &eve).await, 404, "Job");
}

#[tokio::test]
async fn streams_end_when_the_server_stops_and_say_when_to_come_again() {
    let server = TestServer::start().await;
    let bob = shop(&server).await;
    let mut stream = Stream::open(&server, &format!("{PROJECT}/events"), Some(&bob.token), None).await;
    stream.expect("open").await;
    let before = stream.retry.take();
    server.stop().await;
    assert_eq!(stream.next().await, None);
    assert!(stream.retry >= before && before.is_some(), "{before:?} {:?}", stream.retry);
}

#[tokio::test]
async fn what_a_job_measured_is_told_as_a_change_of_its_report() {
    on_each_database(async |server| {
        let store = &server.app.store;
        let spec = rows::spec(store).await;
        let runner = rows::runner(store, spec).await;
        let job = rows::job(store, spec, 0, at(0)).await;
        let project = rows::slug_of_project(store, job).await;
        let mut stream = Stream::open(&server, &format!("/v0/projects/{project}/events"), None, None).await;
        stream.expect("open").await;
        store.claim_job(runner.id, LEASE, now(&server)).await.unwrap().unwrap();
        let report = stream.expect("job").await.data["report"].clone();
        let mut tx = store.begin().await.unwrap();
        let sql = "UPDATE job SET status = 4 WHERE uuid = $1";
        bencher_api::store::Queries::execute(&mut tx, sql, bencher_api::values![job]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(stream.status().await, "processed");
        assert_eq!(stream.expect("report").await.data["report"], report);
    })
    .await;
}

#[tokio::test]
async fn what_is_rolled_back_is_never_told() {
    on_each_database(async |server| {
        let bob = shop(&server).await;
        let mut stream = Stream::open(&server, &format!("{PROJECT}/events"), Some(&bob.token), None).await;
        stream.expect("open").await;
        let mut tx = server.app.store.begin().await.unwrap();
        let sql = "INSERT INTO event (kind, project_id, subject, created) \
                   SELECT 'report', id, uuid, 0 FROM project WHERE slug = 'shop'";
        bencher_api::store::Queries::execute(&mut tx, sql, vec![]).await.unwrap();
        drop(tx);
        let report = server.create("/v0/run", &bob, filing::run(&[filing::sort(1.0)], json!({}))).await;
        assert_eq!(stream.expect("report").await.data["report"], report["uuid"]);
    })
    .await;
}
