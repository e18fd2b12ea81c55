//! Jobs as people deal with them: looking at one, and canceling it.

use bencher_types::{JobStatus, JobUuid, TransitionDenied, wire::job::Job};

use crate::{
    app::App,
    auth::Principal,
    queue,
    store::{
        StoreError,
        job::{Canceled, RunnersOfSpec},
        project::ProjectRow,
    },
};

/// A job that could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    #[error("job ({0}) not found")]
    Unknown(JobUuid),
    #[error("could not read the job's output")]
    Output(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A job that was not canceled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    #[error("job ({0}) not found")]
    Unknown(JobUuid),
    #[error("the job is {} already and cannot be canceled", .0.from)]
    Done(TransitionDenied),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A project's job. What it printed is shown to users and to who has a key of the project, and once it has run; while it waits, the
/// message says what for.
///
/// # Errors
/// There is no such job, or what is known of it could not be read.
pub async fn view(app: &App, principal: &Principal, project: &ProjectRow, uuid: JobUuid) -> Result<Job, ViewError> {
    let (mut job, row) = app.store.job(project, uuid).await?.ok_or(ViewError::Unknown(uuid))?;
    if job.status == JobStatus::Pending {
        let runners = app.store.runners_of_spec(row.spec_id).await?;
        job.message = Some(why_it_waits(job.spec.slug.as_str(), runners));
    }
    let is_known = matches!(principal, Principal::User(_)) || principal.has_key_of(project.id);
    if let (true, true, Some(key)) = (job.status.has_run(), is_known, &row.output_key) {
        job.output = Some(queue::output(app, key).await.map_err(|error| ViewError::Output(error.into()))?);
    }
    Ok(job)
}

/// Cancels a project's job. A runner that has it is told at once. Canceling it again changes nothing.
///
/// # Errors
/// There is no such job, or it is done.
pub async fn cancel(app: &App, principal: &Principal, project: &ProjectRow, uuid: JobUuid) -> Result<Job, CancelError> {
    let who = match principal {
        Principal::User(user) => format!("canceled by user {}", user.uuid),
        Principal::ProjectKey(holder) => format!("canceled with the project key {}", holder.key),
        Principal::Anonymous => "canceled".to_owned(),
    };
    match app.store.cancel_job(project, uuid, &who, app.clock.now()).await? {
        Canceled::From(status) => {
            tracing::info!(job.uuid = %uuid, %status, who, "canceled a job");
            if status.is_in_flight() {
                app.hub.cancel(uuid);
                queue::wake_next_of_source(app, uuid).await;
            }
        }
        // Whoever repeats it may not know that the first time was written; nor may the runner.
        Canceled::Already => app.hub.cancel(uuid),
        Canceled::Denied(denied) => return Err(CancelError::Done(denied)),
        Canceled::Unknown => return Err(CancelError::Unknown(uuid)),
    }
    let (job, _) = app.store.job(project, uuid).await?.ok_or(CancelError::Unknown(uuid))?;
    Ok(job)
}

fn why_it_waits(spec: &str, runners: RunnersOfSpec) -> String {
    let RunnersOfSpec { all, idle, online } = runners;
    let (noun, verb) = if all == 1 { ("runner", "is") } else { ("runners", "are") };
    match (all, online, idle) {
        (0, ..) => format!("no runner serves the spec {spec}; an admin can add it to one"),
        (_, 0, _) => format!("the {all} {noun} of the spec {spec} {verb} offline"),
        (_, _, 0) => format!("the {all} {noun} of the spec {spec} {verb} busy or offline"),
        _ => format!("a runner of the spec {spec} is about to take the job"),
    }
}

#[cfg(test)]
mod tests {
    use super::why_it_waits;
    use crate::store::job::RunnersOfSpec;

    fn check((all, online, idle): (i64, i64, i64), expected: &str) {
        assert_eq!(why_it_waits("small", RunnersOfSpec { all, idle, online }), expected);
    }

    #[test]
    fn a_waiting_job_says_why() {
        check((0, 0, 0), "no runner serves the spec small; an admin can add it to one");
        check((1, 0, 0), "the 1 runner of the spec small is offline");
        check((3, 0, 0), "the 3 runners of the spec small are offline");
        check((3, 2, 0), "the 3 runners of the spec small are busy or offline");
        check((3, 2, 1), "a runner of the spec small is about to take the job");
    }
}
