//! The server side of the world: an HTTP server with the runner channel, of either kind, that a test can cut, stop and watch.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{
        Path, State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use bencher_types::{
    Digest, JobUuid,
    wire::channel::{FromRunner, ToRunner},
};
use serde_json::json;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub(crate) const KEY: &str = "bencher_runner_abcdefghijklmnopqrstuvwxyz0123";
/// Far more than anything here takes; only a test that fails waits that long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Acknowledges terminal messages only, and refuses a wrong key before the upgrade.
    Ours,
    /// Acknowledges everything during a job, and checks the key after the upgrade.
    V06,
}

/// What a test sees of the server.
#[derive(Debug, PartialEq)]
pub(crate) enum Seen {
    Connected,
    Refused,
    Message(FromRunner),
    Gone,
}

pub(crate) struct World {
    pub(crate) addr: SocketAddr,
    shared: Arc<Shared>,
    seen: mpsc::UnboundedReceiver<Seen>,
    server: Option<JoinHandle<()>>,
}

struct Shared {
    kind: Kind,
    seen: mpsc::UnboundedSender<Seen>,
    inner: Mutex<Inner>,
}

struct Inner {
    /// Handed out on `ready`.
    jobs: VecDeque<serde_json::Value>,
    /// Ends the connections that are open now.
    connections: CancellationToken,
    to_runner: Option<mpsc::UnboundedSender<ToRunner>>,
    /// What a v0.6 server that lags behind has not answered yet; when the result comes it answers these, and dies.
    lag: Option<Vec<ToRunner>>,
    /// Manifests and blobs by digest, with their media types.
    content: HashMap<String, (String, Vec<u8>)>,
    /// What was fetched of it.
    fetched: Vec<String>,
}

impl World {
    pub(crate) async fn start(kind: Kind) -> Self {
        let (sender, seen) = mpsc::unbounded_channel();
        let inner = Inner {
            jobs: VecDeque::new(),
            connections: CancellationToken::new(),
            to_runner: None,
            lag: None,
            content: HashMap::new(),
            fetched: Vec::new(),
        };
        let shared = Arc::new(Shared { kind, seen: sender, inner: Mutex::new(inner) });
        let addr = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut world = Self { addr, shared, seen, server: None };
        world.listen().await;
        world
    }

    /// Listens, again on the same port after [`World::stop`].
    pub(crate) async fn listen(&mut self) {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("an option of the socket");
        socket.bind(self.addr).expect("the port is free");
        let listener = socket.listen(16).expect("the socket listens");
        self.addr = listener.local_addr().expect("a bound socket has an address");
        let app = Router::new()
            .route("/v0/server/version", get(version))
            .route("/v0/runners/{runner}/channel", get(channel))
            .route("/v2/{project}/{kind}/{digest}", get(content))
            .with_state(Arc::clone(&self.shared));
        self.server = Some(tokio::spawn(async move {
            axum::serve(listener, app).await.expect("the server serves");
        }));
    }

    /// Nobody listens any more, and every connection is gone.
    pub(crate) async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
            let _ = server.await;
        }
        self.cut();
    }

    /// Ends every open connection.
    pub(crate) fn cut(&self) {
        let mut inner = self.shared.lock();
        std::mem::take(&mut inner.connections).cancel();
        inner.to_runner = None;
    }

    pub(crate) fn offer(&self, job: serde_json::Value) {
        self.shared.lock().jobs.push_back(job);
    }

    /// Puts a manifest or a blob into the registry, under every project.
    pub(crate) fn store(&self, digest: &Digest, media_type: &str, bytes: Vec<u8>) {
        self.shared.lock().content.insert(digest.to_string(), (media_type.to_owned(), bytes));
    }

    /// The digests that were fetched since this was last asked.
    pub(crate) fn fetched(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().fetched)
    }

    pub(crate) fn lag_behind(&self) {
        self.shared.lock().lag = Some(Vec::new());
    }

    /// Sends a message without being asked.
    pub(crate) fn push(&self, message: ToRunner) {
        let inner = self.shared.lock();
        inner.to_runner.as_ref().expect("a runner is connected").send(message).expect("the connection is served");
    }

    pub(crate) async fn next(&mut self) -> Seen {
        tokio::time::timeout(PATIENCE, self.seen.recv()).await.expect("something happens").expect("the server lives")
    }

    /// Waits for the first event that `wanted` takes, passing over others.
    pub(crate) async fn until<T>(&mut self, mut wanted: impl FnMut(&Seen) -> Option<T>) -> T {
        loop {
            let seen = self.next().await;
            if let Some(found) = wanted(&seen) {
                return found;
            }
        }
    }

    pub(crate) async fn until_connected(&mut self) {
        self.until(|seen| matches!(seen, Seen::Connected).then_some(())).await;
    }

    /// The next message that is no heartbeat.
    pub(crate) async fn message(&mut self) -> FromRunner {
        self.until(|seen| match seen {
            Seen::Message(FromRunner::Heartbeat { .. }) => None,
            Seen::Message(message) => Some(message.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn heartbeat(&mut self, job: JobUuid) {
        self.until(|seen| matches!(seen, Seen::Message(FromRunner::Heartbeat { job: Some(of) }) if *of == job).then_some(()))
            .await;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
        self.cut();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no test panics while it holds this")
    }

    fn saw(&self, seen: Seen) {
        // The test may be over.
        let _ = self.seen.send(seen);
    }
}

async fn version(State(shared): State<Arc<Shared>>) -> Json<serde_json::Value> {
    Json(match shared.kind {
        Kind::Ours => json!({ "version": "0.6.12", "product_version": "0.1.0" }),
        Kind::V06 => json!({ "version": "0.6.12" }),
    })
}

async fn content(
    State(shared): State<Arc<Shared>>,
    Path((_project, _kind, digest)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    if headers.get(header::AUTHORIZATION).is_none_or(|value| value != "Bearer a.b.c") {
        return StatusCode::FORBIDDEN.into_response();
    }
    let mut inner = shared.lock();
    inner.fetched.push(digest.clone());
    match inner.content.get(&digest) {
        Some((media_type, bytes)) => ([(header::CONTENT_TYPE, media_type.clone())], bytes.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn channel(
    State(shared): State<Arc<Shared>>,
    Path(runner): Path<String>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let right =
        runner == "my-runner" && headers.get(header::AUTHORIZATION).is_some_and(|value| value == &format!("Bearer {KEY}"));
    match shared.kind {
        Kind::Ours if !right => {
            shared.saw(Seen::Refused);
            let body = json!({ "request_id": "1", "message": "the runner key is not valid" });
            (StatusCode::UNAUTHORIZED, Json(body)).into_response()
        }
        Kind::V06 if !right => upgrade.on_upgrade(async move |_| shared.saw(Seen::Refused)),
        _ => upgrade.on_upgrade(async move |socket| {
            let (end, mut outbox) = {
                let mut inner = shared.lock();
                let (sender, receiver) = mpsc::unbounded_channel();
                inner.to_runner = Some(sender);
                (inner.connections.clone(), receiver)
            };
            shared.saw(Seen::Connected);
            tokio::select! {
                () = end.cancelled() => {}
                () = serve(&shared, socket, &mut outbox) => {}
            }
            shared.saw(Seen::Gone);
        }),
    }
}

async fn serve(shared: &Shared, mut socket: WebSocket, outbox: &mut mpsc::UnboundedReceiver<ToRunner>) {
    let mut job = None;
    loop {
        let text = tokio::select! {
            pushed = outbox.recv() => {
                let Some(message) = pushed else { return };
                send(&mut socket, &message).await;
                continue;
            }
            frame = socket.recv() => match frame {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(_)) => continue,
                _ => return,
            },
        };
        let message: FromRunner = serde_json::from_str(&text).expect("the runner sends messages of the wire");
        let answers = match answers(shared, &message, &mut job) {
            Answers::Send(answers) => answers,
            Answers::SendAndDie(answers) => {
                for answer in answers {
                    send(&mut socket, &answer).await;
                }
                return;
            }
        };
        shared.saw(Seen::Message(message));
        for answer in answers {
            send(&mut socket, &answer).await;
        }
    }
}

async fn send(socket: &mut WebSocket, message: &ToRunner) {
    let text = serde_json::to_string(message).expect("a message is JSON");
    // The runner may be gone; that shows when reading.
    let _ = socket.send(Message::text(text)).await;
}

enum Answers {
    Send(Vec<ToRunner>),
    /// The server ends before it has read the message.
    SendAndDie(Vec<ToRunner>),
}

fn answers(shared: &Shared, message: &FromRunner, job: &mut Option<JobUuid>) -> Answers {
    let mut inner = shared.lock();
    Answers::Send(match message {
        FromRunner::Ready { .. } => {
            let Some(offered) = inner.jobs.pop_front() else { return Answers::Send(Vec::new()) };
            let claimed: Box<_> = serde_json::from_value(offered).expect("a test offers jobs of the wire");
            let claimed = ToRunner::Job(claimed);
            if let ToRunner::Job(claimed) = &claimed {
                *job = Some(claimed.uuid);
            }
            vec![claimed]
        }
        FromRunner::Running { .. } | FromRunner::Heartbeat { .. } => {
            if shared.kind == Kind::Ours || job.is_none() {
                return Answers::Send(Vec::new());
            }
            let ack = ToRunner::Ack { job: *job };
            match &mut inner.lag {
                Some(late) => {
                    late.push(ack);
                    Vec::new()
                }
                None => vec![ack],
            }
        }
        FromRunner::Output { .. } => Vec::new(),
        FromRunner::Completed { job: of, .. } | FromRunner::Failed { job: of, .. } | FromRunner::Canceled { job: of, .. } => {
            if let Some(late) = inner.lag.take() {
                return Answers::SendAndDie(late);
            }
            *job = None;
            vec![ToRunner::Ack { job: Some(*of) }]
        }
    })
}

/// A job as a server hands it out; `sandbox` as in its spec.
pub(crate) fn job(sandbox: Option<&str>) -> (JobUuid, serde_json::Value) {
    let uuid = JobUuid::random();
    let mut job = json!({
        "uuid": uuid,
        "spec": {
            "uuid": uuid, "name": "small", "slug": "small", "os": "linux", "architecture": std::env::consts::ARCH, "cpu": 1,
            "memory": 1 << 29, "disk": 1 << 30, "network": false,
            "created": "2026-01-01T00:00:00Z", "modified": "2026-01-01T00:00:00Z",
        },
        "config": {
            "registry": "http://127.0.0.1:9/", "project": uuid, "digest": format!("sha256:{}", "0".repeat(64)), "timeout": 60,
        },
        "oci_token": "a.b.c", "timeout": 60, "created": "2026-01-01T00:00:00Z",
    });
    if let Some(sandbox) = sandbox {
        job["spec"]["sandbox"] = sandbox.into();
    }
    (uuid, job)
}
