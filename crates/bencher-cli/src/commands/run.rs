//! `run`: measures here or has a runner measure, and reports the results.

mod dry;
pub(crate) mod error;
mod git;
mod github;
pub(crate) mod interrupt;
mod local;
pub(crate) mod read;
pub(crate) mod remote;
mod request;

use std::time::Duration;

use bencher_types::wire::{report::Report, server::Console};

pub(crate) use self::{error::RunError, request::thresholds};
use self::{
    remote::{JobRef, Wait},
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
    output::{
        comment::{Pages, comment, markup::Markup},
        report::active_alerts,
    },
};

pub(super) async fn run(context: &Context, args: Run) -> Result<Exit, CliError> {
    request::check(&args)?;
    request::check_project(&args, context.client.credential())?;
    let plan = github::plan(context, &args.ci, args.hash.as_ref().map(bencher_types::GitHash::as_str)).await?;
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
    let ending = Ending { on_alert, plan: plan.as_ref() };
    if args.remote.image.is_none() {
        return show_report(context, &answer, ending).await;
    }
    let report = answer.body()?;
    let job = report.job.ok_or(RunError::NoJob { report: report.uuid })?;
    let job = JobRef { project: report.project.slug.to_string(), job, report: Some(report.uuid) };
    if args.remote.detach {
        match context.out.format {
            Format::Human | Format::Html | Format::Markdown | Format::Csv => context.out.data(&format!("{}\n", job.job))?,
            Format::Json => context.out.json(&answer.json)?,
        }
        if plan.is_some() {
            context.out.talk("no comment: a detached run has no results yet");
        }
        context.out.talk(&format!("follow it with `bencher job watch {} {}`", job.project, job.job));
        return Ok(Exit::Ok);
    }
    context.out.done(&format!(
        "job {} on spec {}",
        job.job,
        report.testbed.spec.map_or_else(|| "?".into(), |spec| spec.slug.to_string())
    ));
    remote::follow(context, &job, wait(&args), ending, echo(&args)).await
}

/// How patiently a run waits for its job.
fn wait(args: &Run) -> Wait {
    let timeout = args.remote.job_timeout.map_or(limits::ASSUMED_JOB_TIMEOUT_SECS, bencher_types::Timeout::get);
    // The job's bound is for one run of the benchmark.
    let runs = u64::from(args.warmup) + u64::from(args.iter);
    let bound = u64::from(timeout).saturating_mul(runs).saturating_mul(u64::from(limits::WAIT_TIMEOUTS));
    Wait { interval: Duration::from_secs(args.remote.poll.job_poll_interval.into()), bound: Duration::from_secs(bound) }
}

const fn echo(args: &Run) -> remote::Echo {
    match (args.quiet, args.remote.live) {
        (true, _) => remote::Echo::Quiet,
        (false, true) => remote::Echo::Live,
        (false, false) => remote::Echo::JobOutput,
    }
}

/// What active alerts of the report mean for the exit code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnAlert {
    Fail,
    #[default]
    Ignore,
}

/// What is done with a report when there is one.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ending<'a> {
    on_alert: OnAlert,
    plan: Option<&'a github::Plan>,
}

/// Prints a finished report and where to find it, and tells whoever is to be told.
pub(crate) async fn show_report(context: &Context, answer: &Answer<Report>, ending: Ending<'_>) -> Result<Exit, CliError> {
    let Context { client, out, .. } = context;
    let Ending { on_alert, plan } = ending;
    let report = match answer.body() {
        Ok(report) => report,
        Err(error) if on_alert == OnAlert::Fail || plan.is_some() => return Err(error.into()),
        // It is shown as JSON, with a warning; nothing more is to be said of it.
        Err(_) => return out.show(answer).map(|()| Exit::Ok),
    };
    let markup = match out.format {
        Format::Html => Some(Markup::Html),
        Format::Markdown => Some(Markup::Markdown),
        Format::Human | Format::Json | Format::Csv => None,
    };
    let pages = if markup.is_some() || plan.is_some() { pages(context, plan).await } else { None };
    match markup {
        Some(markup) => out.data(&comment(&report, pages.as_ref(), markup, limits::MAX_COMMENT_BYTES))?,
        None => out.show(answer)?,
    }
    let url = client.url(&["v0", "projects", report.project.slug.as_str(), "reports", &report.uuid.to_string()]);
    out.done(&format!("\nreport {url}\nsee it again with `bencher report view {} {}`", report.project.slug, report.uuid));

    if let Some(plan) = plan {
        github::tell(context, plan, on_alert, (&report, pages.as_ref())).await;
    }
    let alerts = active_alerts(&report);
    if alerts > 0 && on_alert == OnAlert::Fail {
        out.talk(&format!("error: the report has {alerts} active alert{}", if alerts == 1 { "" } else { "s" }));
        return Ok(Exit::Alert);
    }
    error::whole(&report)?;
    Ok(Exit::Ok)
}

/// Where the server's pages are; nothing where it does not say.
async fn pages(context: &Context, plan: Option<&github::Plan>) -> Option<Pages> {
    let console = context.client.get::<Console>(&["v0", "server", "config", "console"], &[]).await.ok()?.body().ok()?.url;
    Some(Pages { console, public: plan.is_some_and(|plan| plan.public_links) })
}
