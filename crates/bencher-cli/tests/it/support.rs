//! A server that answers what a test tells it to and remembers what it was asked, and a way to run `bencher` against it.

use std::{
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, Response, StatusCode},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime::Runtime};

/// A request as the server got it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub method: String,
    /// Path and query.
    pub path: String,
    pub authorization: Option<String>,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Asked {
    /// The question for the server's version that follows a command.
    fn is_for_version(&self) -> bool {
        self.path == "/v0/server/version"
    }
}

/// An answer as the server gives it.
pub(crate) struct Reply {
    status: u16,
    body: String,
    headers: Vec<(&'static str, String)>,
}

impl Reply {
    pub(crate) fn ok(body: Value) -> Self {
        Self::new(200, body)
    }

    pub(crate) fn new(status: u16, body: Value) -> Self {
        Self { status, body: body.to_string(), headers: Vec::new() }
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self { status, body: body.to_owned(), headers: Vec::new() }
    }

    pub(crate) fn error(status: u16, message: &str) -> Self {
        Self::new(status, json!({ "request_id": "01234567-89ab-cdef-0123-456789abcdef", "message": message }))
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

type Answers = Box<dyn FnMut(&Asked) -> Reply + Send>;

/// A server on a port of its own, and an empty working directory.
///
/// It answers the question for its version by itself, as the server of this very version does.
pub(crate) struct World {
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    version: Arc<Mutex<Value>>,
    pub dir: TempDir,
    // Dropped last: it runs the server.
    _runtime: Runtime,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// `answers` is called with each request, in order.
    pub(crate) fn new(answers: impl FnMut(&Asked) -> Reply + Send + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answers: Arc<Mutex<Answers>> = Arc::new(Mutex::new(Box::new(answers)));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let version = Arc::new(Mutex::new(json!({ "version": "0.6.12", "product_version": env!("CARGO_PKG_VERSION") })));
        let (remembered, own) = (Arc::clone(&asked), Arc::clone(&version));
        let router = Router::new().fallback(move |request: Request| {
            let (answers, remembered, own) = (Arc::clone(&answers), Arc::clone(&remembered), Arc::clone(&own));
            async move { answer(request, &answers, &remembered, &own).await }
        });
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { address, asked, version, dir: TempDir::new().unwrap(), _runtime: runtime }
    }

    /// The server is of another version from now on.
    pub(crate) fn set_version(&self, version: Value) {
        *lock(&self.version) = version;
    }

    /// A server that gives every request the same answer.
    pub(crate) fn always(status: u16, body: Value) -> Self {
        Self::new(move |_| Reply::new(status, body.clone()))
    }

    /// Host and port of the server.
    pub(crate) fn address(&self) -> &str {
        self.address.trim_start_matches("http://")
    }

    /// Every request but those for the version.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.all_asked().into_iter().filter(|asked| !asked.is_for_version()).collect()
    }

    pub(crate) fn all_asked(&self) -> Vec<Asked> {
        lock(&self.asked).clone()
    }

    /// `METHOD path` of every request.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.asked().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect()
    }

    /// `bencher` with this server, this directory, and nothing else of the environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bencher"));
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("BENCHER_HOST", &self.address)
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn bencher(&self, args: &[&str]) -> Ended {
        self.end(self.command(args).output().unwrap())
    }

    /// As somebody at a terminal sees it, but for colours.
    pub(crate) fn table(&self, args: &[&str]) -> Ended {
        self.bencher(&[args, &["--format", "table"]].concat())
    }

    /// What a process that has ended printed, with the server's address replaced by one that never changes.
    pub(crate) fn end(&self, output: Output) -> Ended {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(self.address(), "SERVER");
        Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Code and both streams, for a snapshot.
    pub(crate) fn all(&self) -> String {
        format!("exit {}\n== stdout\n{}== stderr\n{}", self.code.unwrap_or(-1), self.stdout, self.stderr)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

async fn answer(
    request: Request,
    answers: &Mutex<Answers>,
    remembered: &Mutex<Vec<Asked>>,
    version: &Mutex<Value>,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let bytes = to_bytes(body, 64 << 20).await.unwrap();
    let asked = Asked {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        authorization: head.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned()),
        headers: head.headers,
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    };
    lock(remembered).push(asked.clone());
    let reply = if asked.is_for_version() { Reply::ok(lock(version).clone()) } else { lock(answers)(&asked) };
    let mut response = Response::builder().status(StatusCode::from_u16(reply.status).unwrap());
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(reply.body)).unwrap()
}
