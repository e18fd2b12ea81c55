//! The requests that a CI job sends: how many a second, and how long each takes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    databases::Database,
    figures::Figure,
    images::{self, Layer},
    processes::{Server, text},
};

/// Connections at once, where there is more than one.
const CONNECTIONS: usize = 64;
/// Requests that are measured of each kind, over all connections.
const REQUESTS: usize = 6400;
/// Requests that are measured over a single connection.
const ALONE: usize = 500;
/// Requests of each connection that are not measured.
const WARM_UP: usize = 10;
/// Benchmarks in the results of a run.
const BENCHMARKS: usize = 10;

/// One kind of request.
#[derive(Clone)]
struct Kind {
    name: &'static str,
    method: Method,
    path: String,
    body: fn() -> Value,
}

/// Every kind, over one connection and over many.
pub(crate) async fn requests(databases: &[Database]) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for Database { name, url } in databases {
        figures.extend(measure(name, Server::start_on(url.as_deref()).await?).await?);
    }
    Ok(figures)
}

async fn measure(database: &str, server: Server) -> Result<Vec<Figure>> {
    server.prepare().await?;
    images::push(&server, "true", &Layer::new(0)?).await?;
    let job = server.submit("bench:true", &["true"]).await?;
    let report = text(&server.call(Method::POST, "/v0/run", run()).await?, "uuid")?;
    let server = Arc::new(server);
    let kinds = [
        Kind { name: "GET version", method: Method::GET, path: "/v0/server/version".to_owned(), body: || Value::Null },
        Kind { name: "GET job", method: Method::GET, path: format!("/v0/projects/bench/jobs/{job}"), body: || Value::Null },
        Kind {
            name: "GET report of 10 benchmarks",
            method: Method::GET,
            path: format!("/v0/projects/bench/reports/{report}"),
            body: || Value::Null,
        },
        Kind { name: "POST run of 10 benchmarks", method: Method::POST, path: "/v0/run".to_owned(), body: run },
    ];
    let mut figures = Vec::new();
    for kind in kinds {
        for (connections, requests) in [(1, ALONE), (CONNECTIONS, REQUESTS)] {
            let (samples, took) = load(&server, &kind, connections, requests).await?;
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            let rate = samples.len() as f64 / took.as_secs_f64();
            let name = format!("{}, {database}, {connections} at once ({rate:.0}/s)", kind.name);
            figures.push(Figure::durations(name, samples));
        }
    }
    Ok(figures)
}

/// How long each request took, and all of them together.
async fn load(server: &Arc<Server>, kind: &Kind, connections: usize, requests: usize) -> Result<(Vec<Duration>, Duration)> {
    let gate = Arc::new(tokio::sync::Barrier::new(connections + 1));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let (server, kind, gate) = (server.clone(), kind.clone(), gate.clone());
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(1).build()?;
        tasks.spawn(async move {
            for _ in 0..WARM_UP {
                send(&client, &server, &kind).await?;
            }
            gate.wait().await;
            let mut samples = Vec::with_capacity(requests / connections);
            for _ in 0..requests / connections {
                let begun = Instant::now();
                send(&client, &server, &kind).await?;
                samples.push(begun.elapsed());
            }
            anyhow::Ok(samples)
        });
    }
    gate.wait().await;
    let begun = Instant::now();
    let mut samples = Vec::with_capacity(requests);
    while let Some(of_connection) = tasks.join_next().await {
        samples.extend(of_connection.context("a connection's task ended badly")??);
    }
    Ok((samples, begun.elapsed()))
}

async fn send(client: &reqwest::Client, server: &Server, kind: &Kind) -> Result<()> {
    let mut request = client.request(kind.method.clone(), format!("{}{}", server.url, kind.path)).bearer_auth(&server.token);
    let body = (kind.body)();
    if !body.is_null() {
        request = request.json(&body);
    }
    let response = request.send().await?;
    let status = response.status();
    let answer = response.bytes().await?;
    ensure!(status.is_success(), "{} answered {status}: {}", kind.path, String::from_utf8_lossy(&answer));
    Ok(())
}

/// A run as CI sends it: ten benchmarks of one measure, under a commit of the same branch.
fn run() -> Value {
    let results: serde_json::Map<String, Value> =
        (0..BENCHMARKS).map(|number| (format!("benchmark {number}"), json!({ "latency": { "value": 1234.5 } }))).collect();
    let time = "2026-01-02T03:04:05Z";
    json!({
        "project": "bench", "branch": "main", "testbed": "local", "start_time": time, "end_time": time,
        "idempotency_key": uuid::Uuid::new_v4(), "results": [Value::from(results).to_string()],
        "settings": { "adapter": "json" },
    })
}
