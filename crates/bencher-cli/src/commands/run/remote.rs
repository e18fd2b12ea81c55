//! Waiting for a job: live state, Ctrl-C, and what is printed when it ends.

mod changes;
pub(crate) mod live;
mod progress;

use std::time::Duration;

use bencher_types::{
    JobStatus, JobUuid, ReportUuid,
    wire::{job::Job, live::OutputStream, report::Report},
};
use tokio::time::Instant;

pub(crate) use self::changes::Changes;
use self::{
    changes::{Change, look_again},
    live::{Show, Shown, Tail},
    progress::Progress,
};
use super::{
    Ending, RunError,
    interrupt::{Interrupt, Interrupts, Wish},
    show_report,
};
use crate::{
    client::Answer,
    commands::Context,
    error::CliError,
    exit::Exit,
    limits,
    output::{Out, timings},
};

/// A job to wait for.
#[derive(Clone, Debug)]
pub(crate) struct JobRef {
    /// The project's slug or UUID.
    pub project: String,
    pub job: JobUuid,
    /// Where its results go, if that is known; else the job says so.
    pub report: Option<ReportUuid>,
}

/// How patiently to wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    /// The longest pause between two looks, where the server does not tell of changes.
    pub interval: Duration,
    /// How long in all.
    pub bound: Duration,
}

/// Whether a job's own output is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Echo {
    /// When it has ended.
    JobOutput,
    /// While it runs, and the rest when it has ended.
    Live,
    Quiet,
}

/// Waits for a job to end, then prints its report.
pub(crate) async fn follow(
    context: &Context,
    job: &JobRef,
    wait: Wait,
    ending: Ending<'_>,
    echo: Echo,
) -> Result<Exit, CliError> {
    let mut tail = (echo == Echo::Live).then(|| Tail::new(context, job, Show::Aside, Shown::default()));
    let ended = watch(context, job, wait, tail.as_mut()).await?;
    if let Some(tail) = &mut tail {
        tail.end_line();
    }
    if echo != Echo::Quiet {
        show_output(context.out, &ended, tail.as_ref());
    }
    match ended.status {
        JobStatus::Failed => {
            let message =
                ended.output.and_then(|output| output.error).or(ended.message).unwrap_or_else(|| "unknown error".into());
            Err(RunError::JobFailed { project: job.project.clone(), job: job.job, message, failure: ended.failure }.into())
        }
        JobStatus::Canceled => Err(RunError::JobCanceled { job: job.job }.into()),
        _ => match job.report.or(ended.report) {
            Some(report) => {
                let path = ["v0", "projects", &job.project, "reports", &report.to_string()];
                show_report(context, &context.client.get::<Report>(&path, &[]).await?, ending).await
            }
            None => {
                context.out.talk(&format!("job {} is done; `bencher report list {}` shows its report", job.job, job.project));
                Ok(Exit::Ok)
            }
        },
    }
}

/// Where a job stands, in a few words.
pub(crate) fn state(job: &Job) -> String {
    let place = job.queue.as_ref().and_then(|queue| Some(format!("number {} of {}", queue.position?, queue.waiting)));
    match (job.status, &job.message) {
        (JobStatus::Pending, Some(message)) if place.is_some() => {
            format!("pending, {} in the queue: {message}", place.unwrap_or_default())
        }
        (JobStatus::Pending, None) => format!("pending: waits for a runner of spec {}", job.spec.slug),
        (JobStatus::Claimed, None) => match job.runner {
            Some(runner) => format!("claimed by runner {runner}"),
            None => "claimed by a runner".to_owned(),
        },
        (JobStatus::Completed, None) => "completed: its results are being read".to_owned(),
        (JobStatus::Failed, Some(message)) if job.failure.is_some() => {
            format!("failed ({}): {message}", job.failure.map_or_else(String::new, |class| class.to_string()))
        }
        (status, Some(message)) => format!("{status}: {message}"),
        (status, None) => status.to_string(),
    }
}

/// Waits for the end, and for somebody who does not want to. `tail` prints what the job prints until then.
pub(crate) async fn watch(context: &Context, job: &JobRef, wait: Wait, tail: Option<&mut Tail<'_>>) -> Result<Job, CliError> {
    let mut interrupts = Interrupts::listen()?;
    let progress = Progress::new(context.out);
    let mut end = std::pin::pin!(look_until_ended(context, job, wait, &progress, tail));
    loop {
        let interrupt = tokio::select! {
            ended = &mut end => return ended,
            interrupt = interrupts.next() => interrupt,
        };
        let wish = if interrupt == Interrupt::CtrlC && context.out.interactive {
            progress.pause();
            interrupts.ask().await
        } else {
            Wish::Leave
        };
        match wish {
            Wish::Wait => progress.resume(),
            Wish::Cancel => {
                cancel(context, job).await?;
                progress.resume();
            }
            Wish::Leave => return Err(RunError::Interrupted { project: job.project.clone(), job: job.job }.into()),
        }
    }
}

async fn cancel(context: &Context, job: &JobRef) -> Result<(), CliError> {
    let path = ["v0", "projects", &job.project, "jobs", &job.job.to_string(), "cancel"];
    match context.client.post_empty::<Job>(&path).await {
        Ok(_) => Ok(()),
        // It ended while we asked; what it ended as is found by looking again.
        Err(error) if error.refused_with() == Some(409) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Looks at the job when it may have changed, until it has ended.
async fn look_until_ended(
    context: &Context,
    job: &JobRef,
    wait: Wait,
    progress: &Progress,
    mut tail: Option<&mut Tail<'_>>,
) -> Result<Job, CliError> {
    let began = Instant::now();
    let mut changes = Changes::new(&context.client, job, wait.interval);
    loop {
        let now = look(context, job).await?.body()?;
        if now.status.is_final() {
            progress.end();
            return Ok(now);
        }
        progress.show(&now);
        if began.elapsed() >= wait.bound {
            progress.end();
            let (state, waited_secs) = (now.status.to_string(), began.elapsed().as_secs());
            return Err(RunError::WaitedTooLong { project: job.project.clone(), job: job.job, state, waited_secs }.into());
        }
        // What it prints is told as it comes where changes are, else it is asked for at each look.
        let mut live = tail.as_deref_mut().and_then(|tail| tail.is_for(&now).then_some(tail));
        if let Some(live) = &mut live
            && !changes.are_told()
        {
            live.catch_up(progress).await?;
        }
        let until = look_again(&now);
        loop {
            match (changes.next(&now, until).await, &mut live) {
                (Change::Job, _) => break,
                (Change::Began, Some(live)) => live.catch_up(progress).await?,
                (Change::Printed(printed), Some(live)) => live.tell(printed.attempt, &printed.piece, progress)?,
                (Change::Began | Change::Printed(_), None) => {}
            }
        }
    }
}

/// The job as it is now.
pub(crate) async fn look(context: &Context, job: &JobRef) -> Result<Answer<Job>, CliError> {
    let path = ["v0", "projects", &job.project, "jobs", &job.job.to_string()];
    Ok(context.client.get(&path, &[]).await?)
}

/// What the job wrote and was not shown before, as far as it is a reasonable amount.
fn show_output(out: Out, job: &Job, tail: Option<&Tail<'_>>) {
    let Some(output) = &job.output else { return };
    for (index, result) in output.results.iter().enumerate() {
        if let Some(timings) = result.timings.as_ref().and_then(timings::spoken) {
            out.talk(&format!("--- times of iteration {index}: {timings}"));
        }
        for (stream, text) in [(OutputStream::Stdout, &result.stdout), (OutputStream::Stderr, &result.stderr)] {
            let whole = text.as_deref().unwrap_or_default();
            for text in tail.map_or_else(|| vec![whole], |tail| tail.rest(false, index, stream, whole)) {
                let shown = last(text, limits::SHOWN_OUTPUT_BYTES);
                if shown.is_empty() {
                    continue;
                }
                let what = if text.len() == whole.len() { "" } else { "more of " };
                out.talk(&match text.len() - shown.len() {
                    0 => format!("--- {what}{stream} of iteration {index}"),
                    omitted => format!("--- {what}{stream} of iteration {index}, without its first {omitted} bytes"),
                });
                out.talk(shown.trim_end_matches('\n'));
            }
        }
    }
}

/// The end of a text, of at most so many bytes.
fn last(text: &str, bytes: usize) -> &str {
    let mut start = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests;
