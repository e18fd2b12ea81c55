//! The runner channel over a real WebSocket.

use std::time::Duration;

use bencher_types::{
    JobStatus, JobUuid,
    wire::channel::{FromRunner, RunnerMetadata, ToRunner},
};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue, protocol::CloseFrame},
};

use crate::{
    rows::{self, Runner, at},
    support::TestServer,
};

/// A bound for what must happen at once; only a test that fails waits for it.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) struct Connection(WebSocketStream<MaybeTlsStream<TcpStream>>);

pub(crate) async fn try_connect(server: &TestServer, runner: &str, key: &str) -> Result<Connection, u16> {
    let url = format!("{}/v0/runners/{runner}/channel", server.url.replace("http://", "ws://"));
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("authorization", HeaderValue::from_str(&format!("Bearer {key}")).unwrap());
    match tokio_tungstenite::connect_async(request).await {
        Ok((socket, _)) => Ok(Connection(socket)),
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

pub(crate) async fn connect(server: &TestServer, runner: &Runner) -> Connection {
    try_connect(server, &runner.uuid.to_string(), runner.key.expose()).await.unwrap_or_else(|status| panic!("refused: {status}"))
}

impl Connection {
    pub(crate) async fn send(&mut self, message: &FromRunner) {
        self.0.send(Message::text(serde_json::to_string(message).unwrap())).await.unwrap();
    }

    /// As [`Self::send`], where the connection may be gone.
    pub(crate) async fn try_send(&mut self, message: &FromRunner) {
        self.0.send(Message::text(serde_json::to_string(message).unwrap())).await.ok();
    }

    /// The next message, however long that takes; `None` where the connection is over.
    pub(crate) async fn heard(&mut self) -> Option<ToRunner> {
        loop {
            match self.0.next().await? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    async fn frame(&mut self) -> Message {
        tokio::time::timeout(SOON, self.0.next()).await.expect("a frame in time").expect("an open connection").expect("a frame")
    }

    pub(crate) async fn receive(&mut self) -> ToRunner {
        match self.frame().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("expected a message, found {other:?}"),
        }
    }

    pub(crate) async fn closed(&mut self) -> Option<CloseFrame> {
        match self.frame().await {
            Message::Close(frame) => frame,
            other => panic!("expected a close, found {other:?}"),
        }
    }

    pub(crate) async fn ready(&mut self) {
        self.send(&FromRunner::Ready { poll_timeout: Some(900), runner: None }).await;
    }

    pub(crate) async fn job(&mut self) -> JobUuid {
        match self.receive().await {
            ToRunner::Job(job) => job.uuid,
            other => panic!("expected a job, found {other:?}"),
        }
    }
}

/// Waits until a job has a status.
pub(crate) async fn until(server: &TestServer, job: JobUuid, expected: JobStatus) {
    let waited = tokio::time::timeout(SOON, async {
        loop {
            let row = server.app.store.job_of_runner(0, Some(job)).await.unwrap().unwrap();
            if row.status().unwrap() == expected {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("the job did not become {expected}"));
}

#[tokio::test]
async fn a_runner_that_says_its_version_is_shown_with_it() {
    let server = TestServer::start().await;
    let ada = server.sign_up("Ada").await;
    let store = &server.app.store;
    let spec = rows::spec(store).await;
    let runner = rows::runner(store, spec).await;
    let path = format!("/v0/runners/{}", runner.uuid);
    let metadata = |version: &str| {
        let (os, arch, product) = ("linux".to_owned(), "x86_64".to_owned(), Some("bencher".to_owned()));
        RunnerMetadata { os, arch, version: version.to_owned(), channel: None, checksum: None, product }
    };
    let long = "9".repeat(1000);
    for (said, shown) in [(Some("1.2.3"), json!("1.2.3")), (Some(long.as_str()), json!("9".repeat(64))), (None, json!(null))] {
        let mut connection = connect(&server, &runner).await;
        connection.send(&FromRunner::Ready { poll_timeout: Some(900), runner: said.map(metadata) }).await;
        let seen = async {
            while server.get(&path, &ada).await.1["version"] != shown {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, seen).await.unwrap_or_else(|_| panic!("the version was not shown as {shown}"));
    }
}

#[tokio::test]
async fn a_waiting_runner_gets_a_job_when_there_is_one_and_its_result_is_acknowledged() {
    let server = TestServer::start().await;
    let store = &server.app.store;
    let spec = rows::spec(store).await;
    let runner = rows::runner(store, spec).await;
    let mut connection = connect(&server, &runner).await;
    connection.ready().await;

    let expected = rows::job(store, spec, 0, at(0)).await;
    server.app.hub.wake();
    let job = connection.job().await;
    assert_eq!(job, expected);
    connection.send(&FromRunner::Running { job: Some(job) }).await;
    until(&server, job, JobStatus::Running).await;
    // Nothing answers a heartbeat: the next frame is the acknowledgement of the result.
    connection.send(&FromRunner::Heartbeat { job: Some(job) }).await;
    connection.send(&FromRunner::Failed { job, results: Vec::new(), warmups: None, error: "no".to_owned(), failure: None }).await;
    assert_eq!(connection.receive().await, ToRunner::Ack { job: Some(job) });
    until(&server, job, JobStatus::Failed).await;
}

#[tokio::test]
async fn a_job_that_was_there_before_is_handed_out_at_once() {
    let server = TestServer::start().await;
    let store = &server.app.store;
    let spec = rows::spec(store).await;
    let (runner, expected) = (rows::runner(store, spec).await, rows::job(store, spec, 0, at(0)).await);
    let mut connection = connect(&server, &runner).await;
    connection.ready().await;
    assert_eq!(connection.job().await, expected);
}

#[tokio::test]
async fn a_job_whose_runner_went_away_before_it_started_goes_to_another() {
    let server = TestServer::start().await;
    let store = &server.app.store;
    let spec = rows::spec(store).await;
    let (first, second) = (rows::runner(store, spec).await, rows::runner(store, spec).await);
    let job = rows::job(store, spec, 0, at(0)).await;
    let mut gone = connect(&server, &first).await;
    gone.ready().await;
    assert_eq!(gone.job().await, job);
    let mut waiting = connect(&server, &second).await;
    waiting.ready().await;
    drop(gone);
    assert_eq!(waiting.job().await, job);
}

#[tokio::test]
async fn a_running_job_resumes_on_a_new_connection_and_a_cancel_reaches_it_there() {
    let server = TestServer::start().await;
    let store = &server.app.store;
    let spec = rows::spec(store).await;
    let runner = rows::runner(store, spec).await;
    let job = rows::job(store, spec, 0, at(0)).await;
    let mut connection = connect(&server, &runner).await;
    connection.ready().await;
    connection.job().await;
    connection.send(&FromRunner::Running { job: None }).await;
    until(&server, job, JobStatus::Running).await;
    drop(connection);

    let mut connection = connect(&server, &runner).await;
    connection.send(&FromRunner::Heartbeat { job: None }).await;
    // A round trip, so that the job is known to be back before it is canceled.
    connection.send(&FromRunner::canceled(JobUuid::random())).await;
    assert!(matches!(connection.receive().await, ToRunner::Ack { .. }));
    server.app.hub.cancel(job);
    assert_eq!(connection.receive().await, ToRunner::Cancel);
    connection.send(&FromRunner::canceled(job)).await;
    assert_eq!(connection.receive().await, ToRunner::Ack { job: Some(job) });
    until(&server, job, JobStatus::Canceled).await;
}

#[tokio::test]
async fn wrong_keys_are_refused_before_the_upgrade() {
    let server = TestServer::start().await;
    let store = &server.app.store;
    let spec = rows::spec(store).await;
    let (runner, other) = (rows::runner(store, spec).await, rows::runner(store, spec).await);
    let uuid = runner.uuid.to_string();
    for key in ["", "nonsense", bencher_types::RunnerKey::generate().expose(), other.key.expose()] {
        assert_eq!(try_connect(&server, &uuid, key).await.err(), Some(401), "{key}");
    }
}

#[tokio::test]
async fn a_request_that_is_no_websocket_is_told_so() {
    let server = TestServer::start().await;
    let store = &server.app.store;
    let spec = rows::spec(store).await;
    let runner = rows::runner(store, spec).await;
    let path = format!("/v0/runners/{}/channel", runner.uuid);
    let (status, body) = server.send(reqwest::Method::GET, &path, Some(runner.key.expose()), None).await;
    assert_eq!(status, 400);
    assert!(body["message"].as_str().is_some_and(|message| message.contains("expected a WebSocket")), "{body}");
}

#[tokio::test]
async fn a_replaced_key_closes_the_connection() {
    let server = TestServer::start().await;
    let store = &server.app.store;
    let spec = rows::spec(store).await;
    let runner = rows::runner(store, spec).await;
    let mut connection = connect(&server, &runner).await;
    // A round trip, so that the session is known to be entered.
    connection.send(&FromRunner::canceled(JobUuid::random())).await;
    connection.receive().await;
    server.app.hub.close_runner(runner.uuid);
    assert_eq!(connection.closed().await.map(|frame| u16::from(frame.code)), Some(1008));
}

#[tokio::test]
async fn garbage_and_oversized_frames_end_the_connection_and_nothing_else() {
    let server = TestServer::start().await;
    let store = &server.app.store;
    let spec = rows::spec(store).await;
    let runner = rows::runner(store, spec).await;
    let mut connection = connect(&server, &runner).await;
    connection.0.send(Message::text("{\"event\":\"nonsense\"}")).await.unwrap();
    assert_eq!(connection.closed().await.map(|frame| u16::from(frame.code)), Some(1007));

    let mut connection = connect(&server, &runner).await;
    let oversized = "x".repeat(server.app.config.server.request_body_max_bytes + 1);
    // The server may be gone before all of it is sent.
    connection.0.send(Message::text(oversized)).await.ok();
    let end = tokio::time::timeout(SOON, connection.0.next()).await.expect("an end in time");
    assert!(!matches!(end, Some(Ok(Message::Text(_)))), "{end:?}");

    let mut connection = connect(&server, &runner).await;
    connection.ready().await;
    let job = rows::job(store, spec, 0, at(0)).await;
    server.app.hub.wake();
    assert_eq!(connection.job().await, job);
}
