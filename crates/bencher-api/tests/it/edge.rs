//! The edge of the server that an administrator can put on a network.

mod bounds;
mod browsers;
mod neighbours;
mod rates;
mod secrets;
mod tls;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use bencher_api::config::Config;
use bencher_types::Secret;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{Backend, TestServer};

/// A bound for what must happen soon; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server whose configuration differs from that of other tests.
async fn server(change: impl FnOnce(&mut Config)) -> TestServer {
    TestServer::start_with(Backend::Sqlite, change).await.expect("SQLite is always there")
}

/// A part of a configuration, as its owner writes it.
fn from_json<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a part of a configuration")
}

fn address(server: &TestServer) -> String {
    server.url.split_once("://").expect("a URL").1.to_owned()
}

/// What the server answers to these bytes until it closes the connection.
async fn raw(server: &TestServer, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address(server)).await.unwrap();
    // The server may have heard enough before it has heard everything.
    stream.write_all(bytes).await.ok();
    until_closed(&mut stream).await
}

async fn until_closed(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the server closes the connection");
    // A reset is also an end.
    read.ok();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Waits until something is so.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("waited in vain until {what}"))
}

/// The real program, with a folder of its own. Ends when it is dropped.
struct Program {
    child: Child,
    folder: tempfile::TempDir,
}

impl Program {
    /// Starts it with a configuration that the caller completes.
    fn start(folder: tempfile::TempDir, log: &str, change: impl FnOnce(&Path, &mut Value)) -> Self {
        Self { child: Self::spawn(folder.path(), log, change), folder }
    }

    fn spawn(data: &Path, log: &str, change: impl FnOnce(&Path, &mut Value)) -> Child {
        let mut config = json!({
            "console": { "url": "http://localhost" },
            "security": { "secret_key": Secret::new("a key").expose() },
            "server": { "bind_address": "127.0.0.1:0", "request_body_max_bytes": 4 << 20 },
            "database": { "file": data.join("bencher.db") },
            "plus": { "rate_limiting": { "enabled": false } },
        });
        change(data, &mut config);
        std::fs::write(data.join("bencher.json"), config.to_string()).expect("the configuration is written");
        let stderr = std::fs::File::create(data.join("stderr")).expect("a file for the log");
        Command::new(env!("CARGO_BIN_EXE_bencher-api"))
            .arg("--config")
            .arg(data.join("bencher.json"))
            .args(["--log", log])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .expect("the server starts")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn stderr(&self) -> String {
        std::fs::read_to_string(self.path("stderr")).expect("the log is text")
    }

    /// The address that it says it listens at.
    async fn address(&self, log: impl Fn(&Self) -> String) -> String {
        until("the server listens", async || {
            let log = log(self);
            let line = log.lines().find(|line| line.contains("listening"))?;
            let begin = line.find("127.0.0.1:")?;
            let port = line[begin..].split(':').nth(1)?;
            Some(format!("127.0.0.1:{}", port.chars().take_while(char::is_ascii_digit).collect::<String>()))
        })
        .await
    }

    async fn ended(&mut self) -> ExitStatus {
        until("the server ends", async || self.child.try_wait().expect("a child of ours")).await
    }

    /// Sends a signal.
    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().expect("kill is there");
        assert!(sent.success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
