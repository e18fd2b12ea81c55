//! What a session wants done with a job in the database, whichever way its runner talks to the server.

use bencher_types::JobEvent;

use super::session::{Input, Output};
use crate::{
    app::App,
    chain::chain,
    queue::{self, FinishError, Held},
    store::{StoreError, queue::RunnerAuthRow},
};

/// Something that could not be stored; the runner has to say it again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ActError {
    #[error("could not store how the job ended; send it again")]
    Finish(#[source] FinishError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Does it, and returns what the session is to be told of it.
///
/// # Errors
/// It could not be stored.
pub(super) async fn act(app: &App, runner: &RunnerAuthRow, output: Output) -> Result<Option<Input>, ActError> {
    let (lease, now) = (app.config.heartbeat_timeout(), app.clock.now());
    match output {
        Output::Resume(named) => Ok(Some(Input::Resumed(queue::resume(app, runner, named).await?))),
        Output::Start(held) => {
            app.store.start_job(held.job, held.attempt, lease, now).await?;
            Ok(None)
        }
        Output::Renew(held) => {
            app.store.renew_lease(held.job, held.attempt, lease, now).await?;
            Ok(None)
        }
        Output::Keep(held, pieces) => {
            // The whole of it comes with the end of the job: this is worth no connection.
            if let Err(error) = app.store.keep_output(held.job, held.attempt, &pieces, now).await {
                tracing::warn!(error = chain(&error), job.uuid = %held.job, "could not keep what a job printed");
            }
            Ok(None)
        }
        Output::Finish(job, terminal) => {
            queue::finish(app, runner, job, terminal).await.map_err(ActError::Finish)?;
            Ok(Some(Input::Finished(job)))
        }
        Output::Release(held) => {
            release(app, held).await;
            Ok(None)
        }
        Output::Lost(held, why) => {
            queue::end(app, held.job, held.attempt, JobEvent::Fail, why).await?;
            tracing::warn!(job.uuid = %held.job, why, "lost a job");
            Ok(None)
        }
        Output::Overrun(held) => {
            let message = "the job took longer than its image, iterations and timeout allow";
            queue::end(app, held.job, held.attempt, JobEvent::Cancel, message).await?;
            tracing::warn!(job.uuid = %held.job, "a job overran its time");
            Ok(Some(Input::Overran(held.job)))
        }
        other @ (Output::Send(_) | Output::Close(_) | Output::Claim) => {
            tracing::debug!(?other, "the connection's own business");
            Ok(None)
        }
    }
}

/// A job that was handed out and not received goes back to the queue.
pub(super) async fn release(app: &App, held: Held) {
    match app.store.release_job(held.job, held.attempt, app.clock.now()).await {
        Ok(true) => tracing::warn!(job.uuid = %held.job, "a job that was not received went back to the queue"),
        Ok(false) => {}
        // The lease runs out by itself.
        Err(error) => tracing::error!(error = chain(&error), job.uuid = %held.job, "could not release a job"),
    }
}
