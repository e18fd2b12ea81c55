//! Runners that speak the protocol and run nothing.

use anyhow::{Context as _, Result, bail, ensure};
use bencher_types::{
    JobUuid,
    wire::channel::{FromRunner, IterationOutput, ToRunner},
};
use futures::{SinkExt as _, StreamExt as _, TryStreamExt as _};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest as _, protocol::WebSocketConfig},
};

use super::rows::Registered;

/// Connections that are made at once.
const CONNECTING: usize = 64;
/// Bytes of a socket's buffers: there are ten thousand of them in this process.
const BUFFER: usize = 4 << 10;

/// Each runner is an open file.
pub(super) fn raise_open_files() -> Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).context("could not raise the limit of open files")
}

/// One connected runner.
pub(super) struct Simulated {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

pub(super) async fn connect_all(server: &str, runners: Vec<Registered>) -> Result<Vec<Simulated>> {
    let connecting = runners.into_iter().map(|runner| Simulated::connect(server, runner));
    futures::stream::iter(connecting).buffer_unordered(CONNECTING).try_collect().await
}

impl Simulated {
    async fn connect(server: &str, runner: Registered) -> Result<Self> {
        let url = format!("{}/v0/runners/{}/channel", server.replace("http://", "ws://"), runner.uuid);
        let mut request = url.into_client_request()?;
        request.headers_mut().insert("authorization", format!("Bearer {}", runner.key.expose()).parse()?);
        let config = WebSocketConfig::default().read_buffer_size(BUFFER).write_buffer_size(BUFFER);
        let (socket, _) = tokio_tungstenite::connect_async_with_config(request, Some(config), true).await?;
        Ok(Self { socket })
    }

    pub(super) async fn send(&mut self, message: &FromRunner) -> Result<()> {
        Ok(self.socket.send(Message::text(serde_json::to_string(message)?)).await?)
    }

    async fn receive(&mut self) -> Result<ToRunner> {
        loop {
            match self.socket.next().await.context("the connection ended")?? {
                Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                Message::Ping(_) | Message::Pong(_) => {}
                other => bail!("expected a message, found {other:?}"),
            }
        }
    }

    /// The next job; `None` where there was none within so many seconds.
    pub(super) async fn ask(&mut self, poll_timeout: u32) -> Result<Option<JobUuid>> {
        self.send(&FromRunner::Ready { poll_timeout: Some(poll_timeout), runner: None }).await?;
        match self.receive().await? {
            ToRunner::Job(job) => Ok(Some(job.uuid)),
            ToRunner::NoJob => Ok(None),
            other => bail!("expected a job, found {other:?}"),
        }
    }

    /// Ends a job and waits until the server has it.
    pub(super) async fn deliver(&mut self, job: JobUuid, message: FromRunner) -> Result<()> {
        self.send(&message).await?;
        let answer = self.receive().await?;
        ensure!(answer == ToRunner::Ack { job: Some(job) }, "expected an acknowledgement, found {answer:?}");
        Ok(())
    }
}

/// A result with one metric.
pub(super) fn completed(job: JobUuid) -> FromRunner {
    let stdout = Some(r#"{"checkout":{"latency":{"value":1.5}}}"#.to_owned());
    FromRunner::Completed {
        job,
        results: vec![IterationOutput { exit_code: 0, stdout, ..IterationOutput::default() }],
        warmups: None,
    }
}
