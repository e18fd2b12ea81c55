//! `run`: measures here or has a runner measure, and reports the results.

mod dry;
pub(crate) mod error;
mod git;
pub(crate) mod interrupt;
mod local;
pub(crate) mod remote;
mod request;

use std::time::Duration;

use bencher_types::wire::report::Report;

pub(crate) use self::error::RunError;
use self::{
    remote::{JobRef, OnAlert, Wait},
    request::{Measured, Timing},
};
use super::Context;
use crate::{
    cli::{Format, run::Run},
    client::Answer,
    clock,
    error::CliError,
    exit::Exit,
    limits,
    output::report::active_alerts,
};

pub(super) async fn run(context: &Context, args: Run) -> Result<Exit, CliError> {
    request::check(&args)?;
    let git = git::look().await;
    let measured = match &args.remote.image {
        Some(_) => {
            let now = clock::now();
            Measured { results: Vec::new(), timing: Timing { start: now, end: now } }
        }
        None => local::measure(context.out, &args).await?,
    };
    let body = request::new_run(&args, &git, measured)?;
    if args.dry_run {
        dry::show(context.out, &body)?;
        context.out.talk("dry run: nothing was sent");
        return Ok(Exit::Ok);
    }

    let answer = context.client.post::<Report>(&["v0", "run"], &body).await?;
    let on_alert = if args.error_on_alert { OnAlert::Fail } else { OnAlert::Ignore };
    if args.remote.image.is_none() {
        return show_report(context, &answer, on_alert);
    }
    let report = answer.body()?;
    let job = report.job.ok_or(RunError::NoJob { report: report.uuid })?;
    let job = JobRef { project: report.project.slug.to_string(), job, report: Some(report.uuid) };
    if args.remote.detach {
        match context.out.format {
            Format::Human => context.out.data(&format!("{}\n", job.job))?,
            Format::Json => context.out.json(&answer.json)?,
        }
        context.out.talk(&format!("follow it with `bencher job watch {} {}`", job.project, job.job));
        return Ok(Exit::Ok);
    }
    context.out.done(&format!(
        "job {} on spec {}",
        job.job,
        report.testbed.spec.map_or_else(|| "?".into(), |spec| spec.slug.to_string())
    ));
    remote::follow(context, &job, wait(&args), on_alert, echo(&args)).await
}

/// How patiently a run waits for its job.
fn wait(args: &Run) -> Wait {
    let timeout = args.remote.job_timeout.map_or(limits::ASSUMED_JOB_TIMEOUT_SECS, bencher_types::Timeout::get);
    // The job's bound is for one iteration.
    let bound = u64::from(timeout).saturating_mul(u64::from(args.iter)).saturating_mul(u64::from(limits::WAIT_TIMEOUTS));
    Wait { interval: Duration::from_secs(args.remote.poll.job_poll_interval.into()), bound: Duration::from_secs(bound) }
}

const fn echo(args: &Run) -> remote::Echo {
    if args.quiet { remote::Echo::Quiet } else { remote::Echo::JobOutput }
}

/// Prints a finished report and where to find it.
pub(crate) fn show_report(context: &Context, answer: &Answer<Report>, on_alert: OnAlert) -> Result<Exit, CliError> {
    let Context { client, out, .. } = context;
    out.show(answer)?;
    let report = match answer.body() {
        Ok(report) => report,
        Err(error) if on_alert == OnAlert::Fail => return Err(error.into()),
        // It was shown as JSON, with a warning; nothing more is to be said of it.
        Err(_) => return Ok(Exit::Ok),
    };
    let url = client.url(&["v0", "projects", report.project.slug.as_str(), "reports", &report.uuid.to_string()]);
    out.done(&format!("\nreport {url}\nsee it again with `bencher report view {} {}`", report.project.slug, report.uuid));

    let alerts = active_alerts(&report);
    if alerts > 0 && on_alert == OnAlert::Fail {
        out.talk(&format!("error: the report has {alerts} active alert{}", if alerts == 1 { "" } else { "s" }));
        return Ok(Exit::Alert);
    }
    Ok(Exit::Ok)
}
