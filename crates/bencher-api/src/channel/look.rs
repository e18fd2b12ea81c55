//! A session looks for a job, and wakes the next one that waits where there may be more.

use bencher_types::wire::channel::ClaimedJob;

use super::hub::Registration;
use crate::{
    app::App,
    queue::{self, Held},
    store::{StoreError, queue::RunnerAuthRow},
};

/// The next job for a runner. Where it was woken for this, the next one is, unless no job waits for anybody.
///
/// # Errors
/// The database failed; nothing was claimed.
pub(super) async fn claim(
    app: &App,
    runner: &RunnerAuthRow,
    registration: &Registration,
) -> Result<Option<(Held, Box<ClaimedJob>)>, StoreError> {
    let turn = registration.look();
    let claimed = queue::claim(app, runner).await?;
    if claimed.is_some() {
        registration.rest();
    } else if let Some(turn) = turn
        && !app.store.any_job_waits().await?
    {
        turn.end();
    }
    Ok(claimed)
}
