//! Arguments to request: the body of `POST /v0/run`. Pure: runs nothing and asks nobody.

use std::collections::BTreeMap;

use bencher_types::{
    DateTime, NameId, ProjectKey, ReportIdempotencyKey, Secret,
    wire::{
        run::{MAX_ARGS, MAX_ENV, MAX_FILE_PATHS, NewRun, NewRunJob, ReportSettings, ReportThresholds},
        threshold::Model,
    },
};
use serde_json::json;

use super::{RunError, git::Git};
use crate::{
    cli::run::{Elided, Run, Thresholds},
    error::CliError,
};

/// The shell of a command that is one text.
const DEFAULT_SHELL: &str = "/bin/sh";
/// The flag that makes it run that text.
const DEFAULT_SHELL_FLAG: &str = "-c";

/// What a run here brought; nothing yet where a runner is to measure.
#[derive(Debug)]
pub(super) struct Measured {
    /// Harness output, one text per iteration or file.
    pub results: Vec<String>,
    pub timing: Timing,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    pub start: DateTime,
    pub end: DateTime,
}

/// Arguments that are valid one by one but not together.
pub(super) fn check(args: &Run) -> Result<(), CliError> {
    let usage = |text: String| Err(CliError::Usage(text));
    if args.remote.image.is_some() {
        if !args.file.is_empty() && !args.file_size.is_empty() {
            return usage("a job either reads files (--file) or measures them (--file-size), not both".into());
        }
        let files = args.file.len() + args.file_size.len();
        for (what, found, most) in [
            ("files", files, MAX_FILE_PATHS),
            ("variables", args.remote.env.len(), MAX_ENV),
            ("arguments", args.command.len(), MAX_ARGS),
        ] {
            if found > most {
                return usage(format!("a job takes at most {most} {what}, and {found} were given"));
            }
        }
    }
    backdate(args)?;
    models(&args.thresholds)?;
    Ok(())
}

/// Whether it is known which project the results belong to, as far as somebody must know it.
pub(super) fn check_project(args: &Run, credential: Option<&Secret>) -> Result<(), CliError> {
    if args.project.is_some() || args.remote.image.is_some() {
        return Ok(());
    }
    if credential.is_some_and(|key| key.expose().starts_with(ProjectKey::PREFIX)) {
        return Err(CliError::Usage("the key is a project's: name the project with --project (BENCHER_PROJECT)".into()));
    }
    let ci = args.ci.environment.ci.as_deref() == Some("true");
    if ci && !args.ci.ci_on_the_fly && !args.dry_run {
        return Err(CliError::Usage(
            "no project is named, and in CI (CI=true) none is made by accident: give --project (BENCHER_PROJECT), or --ci-on-the-fly".into(),
        ));
    }
    Ok(())
}

/// The words of the command: a single text goes through a shell. `None` where there is no command.
pub(super) fn argv(args: &Run) -> Option<Vec<String>> {
    match args.command.as_slice() {
        [] => None,
        [text] if text.trim().is_empty() => None,
        [text] if !args.exec => {
            let shell = args.shell.as_deref().unwrap_or(DEFAULT_SHELL);
            let flag = args.flag.as_deref().unwrap_or(DEFAULT_SHELL_FLAG);
            Some(vec![shell.to_owned(), flag.to_owned(), text.clone()])
        }
        words => Some(words.to_vec()),
    }
}

/// The body of the request.
pub(super) fn new_run(args: &Run, git: &Git, measured: Measured) -> Result<NewRun, CliError> {
    let mut context = git.context();
    let mut timing = measured.timing;
    let backdate = backdate(args)?;
    let job = match &args.remote.image {
        Some(_) => new_job(args, backdate),
        None => {
            context.insert("bencher.dev/v0/testbed/os".into(), std::env::consts::OS.into());
            if let Some(start) = backdate {
                timing = Timing { start, end: start.saturating_add(timing.end.since(timing.start)) };
            }
            None
        }
    };
    let settings =
        ReportSettings { adapter: args.adapter, average: args.average.map(Into::into), fold: args.fold.map(Into::into) };
    Ok(NewRun {
        project: args.project.clone(),
        idempotency_key: Some(ReportIdempotencyKey::random()),
        branch: args.branch.clone().or_else(|| git.branch()?.parse::<NameId>().ok()),
        hash: args.hash.clone().or_else(|| git.head.clone()),
        start_point: args.start_point.body(),
        testbed: args.testbed.clone(),
        spec_reset: args.spec_reset.then_some(true),
        thresholds: thresholds(&args.thresholds)?,
        start_time: timing.start,
        end_time: timing.end,
        results: measured.results,
        settings: (settings != ReportSettings::default()).then_some(settings),
        context: (!context.is_empty()).then_some(context),
        job,
    })
}

fn new_job(args: &Run, backdate: Option<DateTime>) -> Option<NewRunJob> {
    let remote = &args.remote;
    let file_paths = if args.file_size.is_empty() { &args.file } else { &args.file_size };
    Some(NewRunJob {
        image: remote.image.clone()?,
        spec: remote.spec.clone(),
        entrypoint: remote.entrypoint.clone().map(|program| vec![program]),
        cmd: argv(args),
        env: (!remote.env.is_empty()).then(|| remote.env.iter().cloned().collect()),
        timeout: remote.job_timeout,
        file_paths: (!file_paths.is_empty()).then(|| file_paths.clone()),
        build_time: args.build_time.then_some(true),
        file_size: (!args.file_size.is_empty()).then_some(true),
        iter: Some(args.iter),
        warmup_runs: (args.warmup > 0).then_some(args.warmup),
        retries: args.remote.retries.filter(|retries| *retries > 0),
        required_labels: (!args.remote.require_label.is_empty()).then(|| args.remote.require_label.clone()),
        reuse_vm: remote.reuse_vm.then_some(true),
        live: remote.live.then_some(true),
        allow_failure: args.allow_failure.then_some(true),
        backdate,
    })
}

fn backdate(args: &Run) -> Result<Option<DateTime>, CliError> {
    let Some(seconds) = args.backdate else { return Ok(None) };
    DateTime::from_micros(seconds.saturating_mul(1_000_000))
        .map(Some)
        .map_err(|_| CliError::Usage(format!("--backdate {seconds}: no such time; expected seconds since 1970")))
}

/// As they are sent; nothing where nothing was given.
pub(crate) fn thresholds(args: &Thresholds) -> Result<Option<ReportThresholds>, CliError> {
    let models = models(args)?;
    let body = ReportThresholds { models: (!models.is_empty()).then_some(models), reset: args.reset.then_some(true) };
    Ok((body != ReportThresholds::default()).then_some(body))
}

/// The n-th value of each list belongs to the n-th measure.
fn models(args: &Thresholds) -> Result<BTreeMap<String, Model>, CliError> {
    let count = args.measure.len();
    let lists = [
        ("--threshold-test", args.test.len(), true),
        ("--threshold-min-sample-size", args.min_sample_size.len(), false),
        ("--threshold-max-sample-size", args.max_sample_size.len(), false),
        ("--threshold-window", args.window.len(), false),
        ("--threshold-lower-boundary", args.lower_boundary.len(), false),
        ("--threshold-upper-boundary", args.upper_boundary.len(), false),
        ("--threshold-since-change-point", args.since_change_point.len(), false),
    ];
    for (flag, found, required) in lists {
        if found != count && (required || found != 0) {
            let how = if required { "" } else { ", `_` for none" };
            return Err(CliError::Usage(format!("{flag} is given {found} times for {count} measures: give one each{how}")));
        }
    }

    let mut models = BTreeMap::new();
    for (index, (measure, test)) in args.measure.iter().zip(&args.test).enumerate() {
        let model = Model {
            test: (*test).into(),
            min_sample_size: nth(&args.min_sample_size, index),
            max_sample_size: nth(&args.max_sample_size, index),
            window: nth(&args.window, index),
            lower_boundary: nth(&args.lower_boundary, index),
            upper_boundary: nth(&args.upper_boundary, index),
            since_change_point: nth(&args.since_change_point, index),
        };
        if models.insert(measure.to_string(), model).is_some() {
            return Err(CliError::Usage(format!("--threshold-measure {measure} is given twice")));
        }
    }
    Ok(models)
}

fn nth<T: Copy>(list: &[Elided<T>], index: usize) -> Option<T> {
    list.get(index)?.0
}

/// A result of our own making, in the JSON that the `json` adapter reads.
pub(super) fn own_metric(benchmark: &str, measure: &str, value: f64) -> String {
    json!({ benchmark: { measure: { "value": value } } }).to_string()
}

/// The name of a benchmark that is a command.
pub(super) fn command_name(args: &Run) -> String {
    args.command.join(" ")
}

/// # Errors
/// There is no command, no file, and nothing can be piped in.
pub(super) fn something_to_do(args: &Run, piped: bool) -> Result<(), RunError> {
    let files = !args.file.is_empty() || !args.file_size.is_empty();
    if argv(args).is_some() || (files && !args.build_time) || (piped && !args.build_time) {
        Ok(())
    } else {
        Err(RunError::NothingToDo)
    }
}

#[cfg(test)]
mod tests;
