//! The shell around a session for agents that cannot hold a socket: each of their requests is a connection of its own, over which one
//! message goes each way. Nothing of an agent is in memory between two of them, so that any server may answer each.

use std::sync::Arc;

use bencher_types::{
    JobUuid,
    wire::{
        channel::{ClaimedJob, FromRunner, JobPoll, ToRunner},
        runner::RunnerState,
    },
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{
    act::{ActError, act, release},
    hub::{CloseReason, Registration},
    look,
    session::{Bounds, Close, Input, Output, Session},
};
use crate::{
    app::App,
    chain::chain,
    limits::MAX_RUNNER_VERSION_CHARS,
    store::{StoreError, queue::RunnerAuthRow},
};

/// What came of asking for a job.
#[derive(Clone, Debug)]
pub(crate) enum Polled {
    Job(Box<ClaimedJob>),
    /// There was none within the poll's time.
    Nothing,
    /// It is not to be waited for any longer.
    Ended(CloseReason),
}

/// Waits for a job, as a runner does that is `ready` on its channel.
///
/// Goes on in a task of its own, because whoever asked may be gone when the job is claimed: it then goes back.
///
/// # Errors
/// The database failed; nothing was handed out.
pub(crate) async fn poll(app: Arc<App>, runner: RunnerAuthRow, poll: JobPoll) -> Result<Polled, StoreError> {
    let (answer, answered) = oneshot::channel();
    let gone = CancellationToken::new();
    let _is_here = gone.clone().drop_guard();
    tokio::spawn(async move { Poll::of(app, runner).run(poll, &gone, answer).await }.in_current_span());
    // The task answers or has panicked; a job that it had claimed then goes back when its lease ends.
    answered.await.unwrap_or(Ok(Polled::Nothing))
}

struct Poll {
    app: Arc<App>,
    runner: RunnerAuthRow,
    session: Session,
}

impl Poll {
    fn of(app: Arc<App>, runner: RunnerAuthRow) -> Self {
        let session = new_session(&app);
        Self { app, runner, session }
    }

    async fn run(mut self, poll: JobPoll, gone: &CancellationToken, answer: oneshot::Sender<Result<Polled, StoreError>>) {
        let mut registration = self.app.hub.register(self.runner.uuid.0);
        note_version(&self.app, &self.runner, &poll).await;
        note_state(&self.app, &self.runner, RunnerState::Idle).await;
        let mut input = Input::Message(FromRunner::Ready { poll_timeout: poll.poll_timeout, runner: poll.runner });
        let polled = loop {
            match self.handle(input, &registration).await {
                Ok(None) => {}
                Ok(Some(polled)) => break Ok(polled),
                Err(error) => break Err(error),
            }
            if self.session.is_closed() {
                break Ok(Polled::Nothing);
            }
            input = self.next_input(&mut registration.nudges, gone).await;
        };
        let state = match &polled {
            Ok(Polled::Job(_)) => RunnerState::Running,
            _ => RunnerState::Offline,
        };
        if !registration.is_replaced() {
            note_state(&self.app, &self.runner, state).await;
        }
        if answer.send(polled).is_err() {
            // Nobody is there any more to take the job.
            if let Err(error) = self.handle(Input::Disconnected, &registration).await {
                tracing::error!(error = chain(&error), "could not take back a job that nobody received");
            }
        }
    }

    async fn next_input(
        &self,
        nudges: &mut tokio::sync::mpsc::UnboundedReceiver<super::hub::Nudge>,
        gone: &CancellationToken,
    ) -> Input {
        let wait = self.session.deadline().map(|deadline| deadline.since(self.app.clock.now())).unwrap_or_default();
        tokio::select! {
            () = gone.cancelled() => Input::Disconnected,
            nudge = nudges.recv() => nudge.map_or(Input::Disconnected, Input::Nudge),
            () = tokio::time::sleep(wait) => Input::Tick,
        }
    }

    /// Feeds one input, and the answers to what it leads to. Returns what the agent is to be told, if anything.
    async fn handle(&mut self, input: Input, registration: &Registration) -> Result<Option<Polled>, StoreError> {
        let (mut inputs, mut polled) = (vec![input], None);
        while let Some(input) = inputs.pop() {
            for output in self.session.on(input, self.app.clock.now()) {
                match output {
                    Output::Claim => inputs.push(Input::Claimed(look::claim(&self.app, &self.runner, registration).await?)),
                    Output::Send(ToRunner::Job(job)) => polled = Some(Polled::Job(job)),
                    Output::Send(ToRunner::NoJob) => polled = Some(Polled::Nothing),
                    Output::Close(Close::Hub(reason)) => polled = Some(Polled::Ended(reason)),
                    Output::Close(_) => polled = Some(Polled::Nothing),
                    Output::Release(held) => release(&self.app, held).await,
                    other => tracing::debug!(?other, "nothing that comes of asking for a job"),
                }
            }
        }
        Ok(polled)
    }
}

/// Takes a message about a job and returns the answer: `cancel` where the job is to be stopped, else `ack`.
///
/// # Errors
/// It could not be stored.
pub(crate) async fn say(app: &App, runner: &RunnerAuthRow, job: JobUuid, message: FromRunner) -> Result<ToRunner, ActError> {
    let mut session = new_session(app);
    let is_sign = matches!(message, FromRunner::Running { .. } | FromRunner::Heartbeat { .. });
    let is_output = matches!(message, FromRunner::Output { .. });
    if matches!(message, FromRunner::Running { .. }) {
        note_state(app, runner, RunnerState::Running).await;
    }
    let mut answer = ToRunner::Ack { job: Some(job) };
    let mut inputs = vec![Input::Message(message)];
    if is_sign {
        // The first takes the job up on this connection. The second finds out whether its time is over.
        inputs.insert(0, Input::Message(FromRunner::Heartbeat { job: Some(job) }));
    } else if is_output {
        // Taken up before it: of what is not held, nothing is kept.
        inputs.push(Input::Message(FromRunner::Heartbeat { job: Some(job) }));
    }
    while let Some(input) = inputs.pop() {
        for output in session.on(input, app.clock.now()) {
            match output {
                Output::Send(message) => answer = message,
                other => inputs.extend(act(app, runner, other).await?),
            }
        }
        if answer == ToRunner::Cancel {
            break;
        }
    }
    if !is_sign && !is_output {
        // It is back as soon as it asks for the next job.
        note_state(app, runner, RunnerState::Offline).await;
    }
    Ok(answer)
}

fn new_session(app: &App) -> Session {
    Session::new(Bounds { heartbeat_timeout: app.config.heartbeat_timeout() }, app.clock.now())
}

async fn note_state(app: &App, runner: &RunnerAuthRow, state: RunnerState) {
    if let Err(error) = app.store.set_runner_state(runner.id, None, state, app.clock.now()).await {
        tracing::warn!(error = chain(&error), "could not write the runner's state");
    }
}

async fn note_version(app: &App, runner: &RunnerAuthRow, poll: &JobPoll) {
    let version: Option<String> =
        poll.runner.as_ref().map(|runner| runner.version.chars().take(MAX_RUNNER_VERSION_CHARS).collect());
    if let Err(error) = app.store.set_runner_version(runner.id, version.as_deref()).await {
        tracing::warn!(error = chain(&error), "could not write the runner's version");
    }
}
