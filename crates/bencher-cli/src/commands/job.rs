//! `job`.

mod artifacts;

use std::time::Duration;

use bencher_types::{
    JobStatus,
    wire::{job::Job, live::OutputStream},
};

use super::{
    Context,
    run::{
        Ending,
        remote::{
            self, JobRef, Wait,
            live::{Show, Shown, Tail},
        },
    },
};
use crate::{
    cli::{Format, pairs, project as args, run::PollInterval},
    client::Answer,
    error::CliError,
    exit::Exit,
    limits,
};

pub(super) async fn job(context: &Context, args: args::Job) -> Result<Exit, CliError> {
    let Context { client, out, .. } = context;
    match args {
        args::Job::List { project, status, page } => {
            let mut query = pairs([("status", status.map(|status| status.as_str().to_owned()))]);
            query.extend(page.query());
            let path = ["v0", "projects", &project.to_string(), "jobs"];
            out.show_list(&client.get::<Vec<Job>>(&path, &query).await?)?;
        }
        args::Job::View(of) => out.show(&get(context, &of).await?)?,
        args::Job::Status { of, follow: false, .. } => show_status(context, &get(context, &of).await?)?,
        args::Job::Status { of, poll, .. } => follow_status(context, &named(&of), poll).await?,
        args::Job::Watch { of, poll } => {
            return remote::follow(context, &named(&of), wait(poll), Ending::default(), remote::Echo::Quiet).await;
        }
        args::Job::Logs { of, iteration, warmups, follow, poll } => {
            let job = named(&of);
            let mut tail = Tail::new(context, &job, Show::AsData, Shown { warmups: Some(warmups), number: iteration });
            if follow {
                // As JSON, it is one piece.
                let wants_tail = context.out.format != Format::Json;
                remote::watch(context, &job, wait(poll), wants_tail.then_some(&mut tail)).await?;
            }
            let of_which = if warmups { Runs::Warmups } else { Runs::Iterations };
            return logs(context, &get(context, &of).await?, &mut tail, of_which, iteration);
        }
        args::Job::Artifacts { of, save } => {
            return artifacts::artifacts(context, &get(context, &of).await?, save.as_deref());
        }
        args::Job::Cancel(of) => ask(context, &of, "cancel").await?,
        args::Job::Retry(of) => ask(context, &of, "retry").await?,
    }
    Ok(Exit::Ok)
}

/// Asks for something to be done with a job, and says where the job stands then.
async fn ask(context: &Context, of: &args::JobOf, what: &str) -> Result<(), CliError> {
    let Context { client, out, .. } = context;
    let path = ["v0", "projects", &of.project.to_string(), "jobs", &of.job.to_string(), what];
    let answer = client.post_empty::<Job>(&path).await?;
    match out.format {
        Format::Human | Format::Html | Format::Markdown | Format::Csv => {
            out.data(&format!("{}\n", remote::state(&answer.body()?)))
        }
        Format::Json => out.json(&answer.json),
    }
}

async fn get(context: &Context, of: &args::JobOf) -> Result<Answer<Job>, CliError> {
    remote::look(context, &named(of)).await
}

fn named(of: &args::JobOf) -> JobRef {
    JobRef { project: of.project.to_string(), job: of.job, report: None }
}

/// How patiently to wait for a job of which nothing else is known.
fn wait(poll: PollInterval) -> Wait {
    Wait {
        interval: Duration::from_secs(poll.job_poll_interval.into()),
        bound: Duration::from_secs(u64::from(limits::ASSUMED_JOB_TIMEOUT_SECS) * u64::from(limits::WAIT_TIMEOUTS)),
    }
}

fn show_status(context: &Context, answer: &Answer<Job>) -> Result<(), CliError> {
    let job = answer.body()?;
    match context.out.format {
        Format::Human | Format::Html | Format::Markdown | Format::Csv => {
            context.out.data(&format!("{}\n", remote::state(&job)))?;
            if let Some(what_to_do) = &job.what_to_do {
                context.out.talk(what_to_do);
            }
        }
        Format::Json => {
            let output = job.output.as_ref();
            let timings = output.map(|output| output.results.iter().map(|run| run.timings).collect::<Vec<_>>());
            context.out.json(&serde_json::json!({
                "status": job.status,
                "message": job.message,
                "failure": job.failure,
                "what_to_do": job.what_to_do,
                "queue": job.queue,
                "attempts": job.attempts,
                "timings": timings,
            }))?;
        }
    }
    Ok(())
}

/// Prints where a job stands, and again whenever that changes.
async fn follow_status(context: &Context, job: &JobRef, poll: PollInterval) -> Result<(), CliError> {
    let mut changes = remote::Changes::new(&context.client, job, wait(poll).interval);
    let mut last = None;
    loop {
        let answer = remote::look(context, job).await?;
        let now = answer.body()?;
        let state = remote::state(&now);
        if last.as_ref() != Some(&state) {
            show_status(context, &answer)?;
            last = Some(state);
        }
        if now.status.is_final() {
            return Ok(());
        }
        changes.wait(&now).await;
    }
}

/// Which runs of a benchmark are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runs {
    Iterations,
    Warmups,
}

/// A job's stdout goes to ours and its stderr to ours, so that they can be told apart again; nothing that was printed before.
fn logs(
    context: &Context,
    answer: &Answer<Job>,
    tail: &mut Tail<'_>,
    of_which: Runs,
    iteration: Option<usize>,
) -> Result<Exit, CliError> {
    let out = context.out;
    tail.end_line();
    let job = answer.body()?;
    let Some(output) = job.output else {
        out.talk(&match job.status {
            status if !status.is_final() && status != JobStatus::Completed => {
                format!("the job is {status}: its output arrives when it ends")
            }
            _ => "the server shows no output of this job; only those who may see it are shown it, so say who you are".to_owned(),
        });
        return Ok(Exit::Refused);
    };
    let (noun, runs) = match of_which {
        Runs::Iterations => ("iteration", output.results.as_slice()),
        Runs::Warmups => ("warm-up", output.warmups.as_deref().unwrap_or_default()),
    };
    let shown: Vec<_> = runs.iter().enumerate().filter(|(index, _)| iteration.is_none_or(|wanted| wanted == *index)).collect();
    if let (Some(wanted), true) = (iteration, shown.is_empty()) {
        return Err(CliError::Usage(format!("there is no {noun} {wanted}: the job has {}", runs.len())));
    }
    if of_which == Runs::Warmups && runs.is_empty() {
        out.talk("the job has no output of warm-up runs: it asked for none, or there was no room for them beside the results");
    }
    if out.format == Format::Json {
        out.json(&answer.json["output"])?;
        return Ok(Exit::Ok);
    }
    for (index, result) in shown {
        if runs.len() > 1 {
            out.talk(&format!("--- {noun} {index}, exit code {}", result.exit_code));
        }
        let rest = |stream, text: &Option<String>| -> String {
            tail.rest(of_which == Runs::Warmups, index, stream, text.as_deref().unwrap_or_default()).concat()
        };
        out.data(&rest(OutputStream::Stdout, &result.stdout))?;
        let stderr = rest(OutputStream::Stderr, &result.stderr);
        if !stderr.is_empty() {
            out.talk(stderr.trim_end_matches('\n'));
        }
    }
    if let Some(error) = &output.error {
        out.talk(&format!("--- {error}"));
    }
    Ok(Exit::Ok)
}
