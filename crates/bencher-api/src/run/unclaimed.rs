//! Runs of whom nobody knows: which project they go to, and what their jobs may take.

use bencher_types::{Permission, ResourceId, Slug, Timeout, wire::run::NewRunJob};

use super::{JobError, RunError, context::Origin};
use crate::{
    app::App,
    auth::Principal,
    limits::UNCLAIMED_JOB_SECS,
    permission::{self, AccessError},
    store::{StoreError, project::ProjectRow},
};

/// The project of an anonymous run: the one of earlier runs from the same place, made where there is none.
pub(super) async fn project(app: &App, origin: &Origin) -> Result<ProjectRow, RunError> {
    let Some(slug) = origin.slug.as_ref().filter(|_| app.config.anonymous_runs()) else { return Err(RunError::LogIn) };
    if let Some(found) = find(app, slug).await? {
        return Ok(found);
    }
    match app.store.create_unclaimed_project(&origin.name, slug, app.clock.now()).await {
        // Two first runs may come at once.
        Ok(()) | Err(StoreError::Unique { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    // Nothing there after all: somebody has claimed it, and hides it or deleted it.
    find(app, slug).await?.ok_or(RunError::LogIn)
}

async fn find(app: &App, slug: &Slug) -> Result<Option<ProjectRow>, RunError> {
    let id = ResourceId::Slug(slug.clone());
    match permission::project_to_file_under(app, &Principal::Anonymous, &id, Permission::Create).await {
        Ok(project) => Ok(Some(project)),
        Err(AccessError::NotFound { .. }) => Ok(None),
        Err(AccessError::Store(error)) => Err(error.into()),
        Err(_) => Err(RunError::LogIn),
    }
}

/// Cuts what a job of an unclaimed project may take: all of its iterations, and what it runs before them, share one minute.
pub(super) fn bound(job: &mut NewRunJob) -> Result<(), JobError> {
    let iterations = job.iter.unwrap_or(1).saturating_add(job.warmup_runs.unwrap_or_default());
    if iterations > UNCLAIMED_JOB_SECS {
        return Err(JobError::TooManyIterations { found: iterations });
    }
    let longest = Timeout::new(UNCLAIMED_JOB_SECS / iterations.max(1)).expect("a minute for at most sixty is a timeout");
    job.timeout = Some(job.timeout.map_or(longest, |asked| asked.min(longest)));
    Ok(())
}

#[cfg(test)]
mod tests;
