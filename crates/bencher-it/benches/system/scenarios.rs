//! What is measured.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bencher_types::{
    RunnerKey,
    wire::channel::{FromRunner, ToRunner},
};
use futures::{SinkExt as _, Stream, StreamExt as _};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};

use crate::{
    figures::Figure,
    images::{self, Layer},
    processes::{Server, cpu_time, memory_mib, reset_peak},
};

/// How long a process must be left alone to say that it is idle.
const IDLE: Duration = Duration::from_secs(30);

/// From starting the server's process on existing data until it is ready.
pub(crate) async fn start() -> Result<Vec<Figure>> {
    let mut server = Server::start().await?;
    let mut samples = Vec::new();
    for _ in 0..20 {
        samples.push(server.restart().await?);
    }
    Ok(vec![Figure::durations("cold start of the server, process start to ready", samples)])
}

/// Memory and CPU time of a server and a connected runner that have nothing to do.
pub(crate) async fn idle() -> Result<Vec<Figure>> {
    let server = Server::start().await?;
    let (_, key) = server.prepare().await?;
    let runner = server.start_runner(&key).await?;
    let before = (cpu_time(server.pid()?)?, cpu_time(runner.pid()?)?);
    tokio::time::sleep(IDLE).await;
    let after = (cpu_time(server.pid()?)?, cpu_time(runner.pid()?)?);
    let millis = |before: Duration, after: Duration| (after - before).as_secs_f64() * 1e3;
    let figures = vec![
        Figure::reading(format!("CPU of an idle server in {} s", IDLE.as_secs()), millis(before.0, after.0), "ms"),
        Figure::reading(format!("CPU of an idle runner in {} s", IDLE.as_secs()), millis(before.1, after.1), "ms"),
        Figure::reading("resident memory of an idle server", memory_mib(server.pid()?)?.0, "MiB"),
        Figure::reading("resident memory of an idle runner", memory_mib(runner.pid()?)?.0, "MiB"),
    ];
    runner.stop().await?;
    Ok(figures)
}

/// From sending `POST /v0/run` until a waiting runner has the `job` message in its hands.
pub(crate) async fn assignment() -> Result<Vec<Figure>> {
    const RUNS: usize = 500;
    const WARM_UP: usize = 20;

    let server = Server::start().await?;
    let (runner, key) = server.prepare().await?;
    images::push(&server, "true", &Layer::new(0)?).await?;
    let time =
        crate::processes::text(&server.call(reqwest::Method::GET, "/v0/specs/host", serde_json::Value::Null).await?, "created")?;
    let key: RunnerKey = key.parse()?;
    let mut request = format!("{}/v0/runners/{runner}/channel", server.url.replace("http://", "ws://")).into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {}", key.expose()).parse()?);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await?;

    let mut samples = Vec::new();
    for run in 0..WARM_UP + RUNS {
        let ready = FromRunner::Ready { poll_timeout: Some(900), runner: None };
        socket.send(Message::text(serde_json::to_string(&ready)?)).await?;
        // The claim that follows `ready` has to have found nothing before the job is submitted.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let begun = Instant::now();
        let submit = server.submit_at(&time, "bench:true", &["true"]);
        let receiving = async {
            let job = receive(&mut socket).await?;
            anyhow::Ok((job, begun.elapsed()))
        };
        let (submitted, received) = tokio::join!(submit, receiving);
        submitted?;
        let (message, took) = received?;
        let ToRunner::Job(job) = message else { bail!("expected a job, found {message:?}") };
        if run >= WARM_UP {
            samples.push(took);
        }
        socket.send(Message::text(serde_json::to_string(&FromRunner::canceled(job.uuid))?)).await?;
        receive(&mut socket).await?;
    }
    Ok(vec![Figure::durations("job submitted to `job` event on a waiting runner", samples)])
}

async fn receive<S>(socket: &mut S) -> Result<ToRunner>
where
    S: Stream<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Unpin,
{
    match socket.next().await.context("the connection ended")?? {
        Message::Text(text) => Ok(serde_json::from_str(&text)?),
        other => bail!("expected a message, found {other:?}"),
    }
}

/// From submitting a job that runs `true` from a cached image until its report is processed.
pub(crate) async fn cached_true() -> Result<Vec<Figure>> {
    const RUNS: usize = 50;
    const WARM_UP: usize = 3;

    let server = Server::start().await?;
    let (_, key) = server.prepare().await?;
    images::push(&server, "true", &Layer::new(0)?).await?;
    let runner = server.start_runner(&key).await?;
    let mut samples = Vec::new();
    for run in 0..WARM_UP + RUNS {
        let begun = Instant::now();
        let job = server.submit("bench:true", &["true"]).await?;
        server.processed(&job).await?;
        if run >= WARM_UP {
            samples.push(begun.elapsed());
        }
    }
    runner.stop().await?;
    Ok(vec![Figure::durations("`true` from a cached image, submitted to processed", samples)])
}

/// Pushing and pulling large layers: time for 300 MiB, and memory of both processes for 512 MiB.
pub(crate) async fn layers() -> Result<Vec<Figure>> {
    const RUNS: usize = 5;

    let server = Server::start().await?;
    let (_, key) = server.prepare().await?;
    let (mut pushes, mut pulls) = (Vec::new(), Vec::new());
    for run in 0..=RUNS {
        // Each time another layer, because one that is there already is not written again.
        let layer = Layer::new(300 << 20)?;
        let push = images::push(&server, &format!("run-{run}"), &layer).await?.layer;
        let pull = images::pull(&server, &layer).await?;
        if run > 0 {
            pushes.push(push);
            pulls.push(pull);
        }
    }

    let layer = Layer::new(512 << 20)?;
    let runner = server.start_runner(&key).await?;
    let idle = (memory_mib(server.pid()?)?.0, memory_mib(runner.pid()?)?.0);
    reset_peak(server.pid()?)?;
    images::push(&server, "large", &layer).await?;
    let pushed = memory_mib(server.pid()?)?.1;
    reset_peak(server.pid()?)?;
    reset_peak(runner.pid()?)?;
    let begun = Instant::now();
    let job = server.submit("bench:large", &["true"]).await?;
    server.processed(&job).await?;
    let took = begun.elapsed();
    let pulled = (memory_mib(server.pid()?)?.1, memory_mib(runner.pid()?)?.1);
    runner.stop().await?;
    Ok(vec![
        Figure::durations("push of a 300 MiB layer", pushes),
        Figure::durations("pull of a 300 MiB layer", pulls),
        Figure::reading("server's peak memory above idle, 512 MiB layer pushed", pushed - idle.0, "MiB"),
        Figure::reading("server's peak memory above idle, 512 MiB layer pulled", pulled.0 - idle.0, "MiB"),
        Figure::reading("runner's peak memory above idle, 512 MiB layer pulled and unpacked", pulled.1 - idle.1, "MiB"),
        Figure::reading("job with a 512 MiB layer that is not cached, submitted to processed", took.as_secs_f64(), "s"),
    ])
}
