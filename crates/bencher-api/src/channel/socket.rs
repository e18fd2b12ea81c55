//! The shell around a session: moves frames, time and database answers in and out of it.

use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bencher_types::{
    KeyHash,
    wire::{
        channel::{FromRunner, ToRunner},
        runner::RunnerState,
    },
};
use tracing::Instrument as _;

use super::{
    act::act,
    hub::{CloseReason, Nudge, Registration},
    look,
    session::{Bounds, Close, Input, Output, Session},
};
use crate::{app::App, chain::chain, limits::MAX_RUNNER_VERSION_CHARS, store::queue::RunnerAuthRow};

/// Serves one runner's connection until it ends.
pub(crate) async fn serve(app: Arc<App>, runner: RunnerAuthRow, key: KeyHash, socket: WebSocket) {
    let span = tracing::info_span!("channel", runner.uuid = %runner.uuid.0);
    let registration = app.hub.register(runner.uuid.0);
    let session = Session::new(Bounds { heartbeat_timeout: app.config.heartbeat_timeout() }, app.clock.now());
    let mut shell = Shell { app, runner, socket, registration, session, state: None, version: None };
    async move {
        tracing::info!("runner connected");
        if shell.enter(&key).await {
            shell.run().await;
            shell.leave().await;
        }
        tracing::info!("runner disconnected");
    }
    .instrument(span)
    .await;
}

struct Shell {
    app: Arc<App>,
    runner: RunnerAuthRow,
    socket: WebSocket,
    registration: Registration,
    session: Session,
    /// What was last written of the runner.
    state: Option<RunnerState>,
    /// What the runner last said of its version on this connection.
    version: Option<Option<String>>,
}

/// Why the connection cannot go on.
#[derive(Debug)]
enum Broken {
    /// Nobody is there any more.
    Gone,
    /// The database or blob store failed; the runner comes back and says it again.
    Storage(String),
}

impl Shell {
    /// Makes this the runner's connection, for all servers to know; whether it may go on.
    async fn enter(&mut self, key: &KeyHash) -> bool {
        match self.app.store.enter_session(self.runner.id, key, self.registration.session()).await {
            Ok(true) => true,
            Ok(false) => {
                self.close(Close::Hub(CloseReason::KeyChanged)).await;
                false
            }
            Err(error) => {
                tracing::error!(error = chain(&error), "the runner's connection could not be stored");
                self.close_with(1011, "the server could not store this; try again").await;
                false
            }
        }
    }

    async fn run(&mut self) {
        while !self.session.is_closed() {
            let Some(input) = self.next_input().await else { break };
            if let Input::Message(FromRunner::Ready { runner, .. }) = &input {
                let version = runner.as_ref().map(|metadata| metadata.version.chars().take(MAX_RUNNER_VERSION_CHARS).collect());
                self.note_version(version).await;
            }
            let is_awake = matches!(input, Input::Nudge(Nudge::Wake));
            if let Err(broken) = self.handle(input).await {
                if let Broken::Storage(error) = broken {
                    tracing::error!(error, "the runner's message could not be stored");
                    self.close_with(1011, "the server could not store this; try again").await;
                }
                break;
            }
            if is_awake && !self.session.is_waiting() {
                self.registration.rest();
            }
            self.note_state().await;
        }
    }

    /// What happens next; `None` when the connection is over.
    async fn next_input(&mut self) -> Option<Input> {
        let wait = self.session.deadline().map(|deadline| deadline.since(self.app.clock.now()));
        let tick = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            nudge = self.registration.nudges.recv() => nudge.map(Input::Nudge),
            frame = self.socket.recv() => match frame? {
                Ok(Message::Text(text)) => Some(serde_json::from_str(&text).map_or(Input::Garbage, Input::Message)),
                // The protocol has no binary messages, and the library answers pings: neither is a sign of life of the job.
                Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_)) => Some(Input::Tick),
                Ok(Message::Close(_)) => None,
                Err(error) => {
                    tracing::info!(error = chain(&error), "the connection broke");
                    None
                }
            },
            () = tick => Some(Input::Tick),
        }
    }

    /// Feeds one input, and the answers to what it leads to, until there is nothing left to do.
    async fn handle(&mut self, input: Input) -> Result<(), Broken> {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for output in self.session.on(input, self.app.clock.now()) {
                inputs.extend(self.act(output).await?);
            }
        }
        Ok(())
    }

    async fn act(&mut self, output: Output) -> Result<Option<Input>, Broken> {
        let app = self.app.clone();
        match output {
            Output::Send(message) => {
                self.send(&message).await?;
                Ok(None)
            }
            Output::Close(close) => {
                self.close(close).await;
                Ok(None)
            }
            Output::Claim => {
                Ok(Some(Input::Claimed(look::claim(&app, &self.runner, &self.registration).await.map_err(storage)?)))
            }
            Output::Renew(held) => {
                // Two more renewals are due before the lease runs out.
                if let Err(error) = act(&app, &self.runner, Output::Renew(held)).await {
                    tracing::warn!(error = chain(&error), job.uuid = %held.job, "could not renew a lease");
                }
                Ok(None)
            }
            other => act(&app, &self.runner, other).await.map_err(storage),
        }
    }

    async fn send(&mut self, message: &ToRunner) -> Result<(), Broken> {
        let json = serde_json::to_string(message).expect("a message is plain JSON");
        let sent = tokio::time::timeout(crate::limits::CHANNEL_SEND_TIMEOUT, self.socket.send(Message::Text(json.into()))).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Broken::Gone),
        }
    }

    async fn close(&mut self, close: Close) {
        let (code, reason) = close.frame();
        tracing::info!(code, reason, "closing the connection");
        self.close_with(code, reason).await;
    }

    async fn close_with(&mut self, code: u16, reason: &'static str) {
        let frame = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
        // The runner may be gone; then there is nobody to tell.
        tokio::time::timeout(crate::limits::CHANNEL_SEND_TIMEOUT, self.socket.send(frame)).await.ok();
    }

    /// Writes what the runner is doing, when that changed.
    async fn note_state(&mut self) {
        let state = if self.session.held().is_some() { RunnerState::Running } else { RunnerState::Idle };
        if self.state != Some(state) {
            self.state = Some(state);
            self.write_state(state).await;
        }
    }

    /// Writes which version the runner is, or that it does not say, when it first says so on this connection.
    async fn note_version(&mut self, version: Option<String>) {
        if self.version.as_ref() == Some(&version) {
            return;
        }
        if let Err(error) = self.app.store.set_runner_version(self.runner.id, version.as_deref()).await {
            tracing::warn!(error = chain(&error), "could not write the runner's version");
        }
        self.version = Some(version);
    }

    async fn write_state(&mut self, state: RunnerState) {
        let (store, session) = (&self.app.store, self.registration.session());
        if let Err(error) = store.set_runner_state(self.runner.id, Some(session), state, self.app.clock.now()).await {
            tracing::warn!(error = chain(&error), "could not write the runner's state");
        }
    }

    /// After the connection: a job waits for its runner or goes back, and the runner is offline unless it is back already.
    async fn leave(&mut self) {
        if let Err(Broken::Storage(error)) = self.handle(Input::Disconnected).await {
            tracing::error!(error, "could not write what a lost connection means");
        }
        if !self.registration.is_replaced() {
            self.write_state(RunnerState::Offline).await;
        }
    }
}

fn storage(error: impl std::error::Error) -> Broken {
    Broken::Storage(chain(&error))
}
