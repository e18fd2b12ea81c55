//! The clients' part: submits every job, again and again until it is accepted, and cancels some.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    client::{Client, text},
    journal::Journal,
    plan::{Deed, Task},
    site::{IMAGE, PROJECT},
};

/// Clients that submit at the same time.
const CLIENTS: usize = 4;

/// A job that was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Submitted {
    pub(crate) task: Task,
    pub(crate) job: String,
    pub(crate) report: String,
    /// What canceling it was answered with, where it was.
    pub(crate) cancel: Option<StatusCode>,
}

/// Submits all of them.
pub(crate) async fn submit_all(
    client: &Client,
    marker: &str,
    tasks: Vec<Task>,
    journal: &Arc<Journal>,
) -> Result<Vec<Submitted>> {
    let next = Arc::new(AtomicUsize::new(0));
    let tasks = Arc::new(tasks);
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (client, marker, tasks) = (client.clone(), marker.to_owned(), tasks.clone());
        let (next, journal) = (next.clone(), journal.clone());
        clients.spawn(async move {
            let mut cancels = JoinSet::new();
            let mut submitted = Vec::new();
            while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                tokio::time::sleep(task.pause).await;
                let one = submit(&client, &marker, task, &journal).await?;
                match task.deed {
                    Deed::Canceled { after } => drop(cancels.spawn(cancel(client.clone(), one, after))),
                    Deed::Measures { .. } | Deed::Fails => submitted.push(one),
                }
            }
            while let Some(canceled) = cancels.join_next().await {
                submitted.push(canceled.context("a client panicked")??);
            }
            anyhow::Ok(submitted)
        });
    }
    let mut all = Vec::new();
    while let Some(submitted) = clients.join_next().await {
        all.extend(submitted.context("a client panicked")??);
    }
    all.sort_by_key(|one| one.task.number);
    Ok(all)
}

async fn submit(client: &Client, marker: &str, task: &Task, journal: &Journal) -> Result<Submitted> {
    let body = request(task, marker);
    let first = accepted(client, &body).await?;
    if task.repeated {
        let second = accepted(client, &body).await?;
        if first != second {
            journal.complain(format!("job {} was submitted twice and became two: {first:?}, {second:?}", task.number));
        }
    }
    let (report, job) = first;
    Ok(Submitted { task: task.clone(), job, report, cancel: None })
}

/// The report and the job that a request became.
async fn accepted(client: &Client, body: &Value) -> Result<(String, String)> {
    let answer = client.call(Method::POST, "/v0/run", body.clone()).await?;
    Ok((text(&answer, "uuid")?, text(&answer, "job")?))
}

async fn cancel(client: Client, mut submitted: Submitted, after: Duration) -> Result<Submitted> {
    tokio::time::sleep(after).await;
    let path = format!("/v0/projects/{PROJECT}/jobs/{}/cancel", submitted.job);
    let (status, answer) = client.ask(Method::POST, &path, &Value::Null).await?;
    // It may have failed with its runner before.
    ensure!(status.is_success() || status == StatusCode::CONFLICT, "{path} was answered {status}: {answer}");
    submitted.cancel = Some(status);
    Ok(submitted)
}

fn request(task: &Task, marker: &str) -> Value {
    let number = task.number;
    let (script, iterations) = match task.deed {
        Deed::Measures { pause, iterations } => {
            let metrics = format!(r#"{{"job-{number}":{{"latency":{{"value":{number}}}}}}}"#);
            (format!("sleep {:.3}; echo '{metrics}'", pause.as_secs_f64()), iterations)
        }
        Deed::Fails => ("exit 3".to_owned(), 1),
        Deed::Canceled { .. } => ("while :; do sleep 3600; done".to_owned(), 1),
    };
    let time = "2026-01-01T00:00:00Z";
    json!({
        "project": PROJECT, "branch": "main", "testbed": "box", "start_time": time, "end_time": time, "results": [],
        "idempotency_key": task.key, "settings": { "adapter": "json" },
        "job": {
            "image": format!("{IMAGE}:v1"), "spec": "host", "timeout": 300, "iter": iterations,
            "cmd": ["/bin/busybox", "sh", "-c", script, marker],
        },
    })
}
