//! Reads a transcript and does what each line says. Knows the wire only as the text in the transcript.

use std::{collections::BTreeMap, time::Duration};

use bencher_api::{config::Config, store::queue::QueuedJob};
use bencher_types::{JobEvent, JobUuid};
use serde_json::Value;

use super::client::{Client, Received};
use crate::{
    rows::{self, Runner, at},
    support::TestServer,
};

/// A bound for what must happen; only a test that fails waits for it.
const SOON: Duration = Duration::from_secs(60);

/// What the server takes in one message while transcripts are replayed, in bytes.
const MESSAGE_LIMIT: usize = 64 * 1024;

pub(crate) fn configure(config: &mut Config, text: &str) {
    config.server.request_body_max_bytes = MESSAGE_LIMIT;
    for line in text.lines() {
        if let Some(seconds) = line.strip_prefix("heartbeat-timeout ") {
            let plus = config.plus.get_or_insert_default();
            plus.runners.get_or_insert_default().heartbeat_timeout = Some(seconds.parse().expect("seconds"));
        }
    }
}

struct Replay<'a> {
    server: &'a TestServer,
    spec: i64,
    runner: Runner,
    client: Option<Client>,
    /// Another runner of the same spec, where a job was given to one.
    other: Option<Client>,
    /// Jobs by the names that the transcript gives them.
    jobs: BTreeMap<String, JobUuid>,
}

pub(crate) async fn replay(server: &TestServer, name: &str, text: &str) {
    let spec = rows::spec(&server.app.store).await;
    let runner = rows::runner(&server.app.store, spec).await;
    let client = Some(Client::connect(server, &runner).await);
    let mut replay = Replay { server, spec, runner, client, other: None, jobs: BTreeMap::new() };
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            replay.line(&format!("{name}, line {}: {line}", number + 1), line).await;
        }
    }
}

impl Replay<'_> {
    async fn line(&mut self, at: &str, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "heartbeat-timeout" => {}
            "job" => self.new_job(rest).await,
            "job-of-another" => self.job_of_another(rest).await,
            "connect" => self.client = Some(Client::connect(self.server, &self.runner).await),
            "cut" => self.client = None,
            ">" => {
                let text = self.fill(rest);
                self.client(at).send(&text).await;
            }
            "slowly" => {
                let text = self.fill(rest);
                self.client(at).send_slowly(&text).await;
            }
            "pieces" => {
                let text = self.fill(rest);
                self.client(at).send_in_pieces(&text).await;
            }
            "binary" => {
                let text = self.fill(rest);
                self.client(at).send_binary(&text).await;
            }
            "ping" => {
                self.client(at).ping().await;
                assert_eq!(self.client(at).receive(true).await, Received::Pong, "{at}");
            }
            "<" => self.expect(at, rest).await,
            "silence" => self.silence(at).await,
            "closed" => self.closed(at, rest).await,
            "cancel" => self.cancel(at, rest).await,
            "status" => self.status(at, rest).await,
            _ => panic!("{at}: this is no line of a transcript"),
        }
    }

    fn client(&mut self, at: &str) -> &mut Client {
        self.client.as_mut().unwrap_or_else(|| panic!("{at}: there is no connection"))
    }

    /// `$A` is the UUID of job A, `$random` one that nobody knows, `$xs` more text than a message may have.
    fn fill(&self, text: &str) -> String {
        let mut text = text.replace("$random", &JobUuid::random().to_string()).replace("$xs", &"x".repeat(MESSAGE_LIMIT));
        for (name, job) in &self.jobs {
            text = text.replace(&format!("${name}"), &job.to_string());
        }
        text
    }

    async fn new_job(&mut self, name: &str) {
        let created = at(self.jobs.len().try_into().expect("a few jobs"));
        let job = rows::job(&self.server.app.store, self.spec, 0, created).await;
        self.jobs.insert(name.to_owned(), job);
        self.server.app.hub.wake();
    }

    async fn job_of_another(&mut self, name: &str) {
        let other = rows::runner(&self.server.app.store, self.spec).await;
        let mut client = Client::connect(self.server, &other).await;
        client.send(r#"{"event":"ready","poll_timeout":900}"#).await;
        self.new_job(name).await;
        assert!(matches!(client.receive(false).await, Received::Text(text) if text.contains(r#""event":"job""#)));
        client.send(r#"{"event":"running"}"#).await;
        self.other = Some(client);
        self.status("the other runner", &format!("{name} running")).await;
    }

    /// The next message has everything that `expected` has.
    async fn expect(&mut self, at: &str, expected: &str) {
        let expected: Value = serde_json::from_str(&self.fill(expected)).unwrap_or_else(|error| panic!("{at}: {error}"));
        let received = self.client(at).receive(false).await;
        let Received::Text(text) = &received else { panic!("{at}: received {received:?}") };
        let found: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{at}: received {text}: {error}"));
        assert!(contains(&found, &expected), "{at}: received {text}");
    }

    /// Nothing has come: what is asked now is answered next.
    async fn silence(&mut self, at: &str) {
        let nobody = JobUuid::random();
        self.client(at).send(&format!(r#"{{"event":"canceled","job":"{nobody}"}}"#)).await;
        let received = self.client(at).receive(false).await;
        assert_eq!(received, Received::Text(format!(r#"{{"event":"ack","job":"{nobody}"}}"#)), "{at}");
    }

    /// `closed` alone is any end; `closed 1000 "text"` one with this code and reason.
    async fn closed(&mut self, at: &str, how: &str) {
        let received = self.client(at).receive(false).await;
        match (how.split_once(' ').unwrap_or((how, "")), received) {
            (("", _), Received::Broken | Received::Closed { .. }) => {}
            ((code, expected), Received::Closed { code: Some(found), reason }) => {
                assert_eq!(code, found.to_string(), "{at}: {reason}");
                assert!(expected.is_empty() || expected == reason, "{at}: closed with {reason}");
            }
            (_, received) => panic!("{at}: received {received:?}"),
        }
        self.client = None;
    }

    async fn row(&self, at: &str, name: &str) -> QueuedJob {
        let job = *self.jobs.get(name).unwrap_or_else(|| panic!("{at}: there is no job {name}"));
        self.server.app.store.job_of_runner(0, Some(job)).await.expect("the database").expect("the job")
    }

    /// As somebody who presses the button.
    async fn cancel(&mut self, at: &str, name: &str) {
        let (job, attempt) = (self.jobs[name], self.row(at, name).await.attempt);
        let store = &self.server.app.store;
        assert!(
            store.end_job(job, attempt, JobEvent::Cancel, "canceled", self.server.app.clock.now()).await.expect("the database")
        );
        self.server.app.hub.cancel(job);
    }

    /// The job becomes, or is, what the line says.
    async fn status(&mut self, at: &str, line: &str) {
        let (name, expected) = line.split_once(' ').unwrap_or_else(|| panic!("{at}: a job and a status"));
        let becomes = async {
            while self.row(at, name).await.status().expect("a status").to_string() != expected {
                tokio::task::yield_now().await;
            }
        };
        if tokio::time::timeout(SOON, becomes).await.is_err() {
            panic!("{at}: it is {}", self.row(at, name).await.status().expect("a status"));
        }
    }
}

/// Whether `found` has every member that `expected` has, with the same value.
fn contains(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            expected.iter().all(|(name, expected)| found.get(name).is_some_and(|found| contains(found, expected)))
        }
        _ => found == expected,
    }
}
