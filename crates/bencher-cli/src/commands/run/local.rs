//! Running the benchmark here: start it, take what it prints, time it, read its files.

use std::{
    io::{self, IsTerminal as _},
    path::Path,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use tokio::process::Command;

use super::{
    error::{Part, RunError},
    read::{self, Tee},
    request::{self, Measured, Timing},
};
use crate::{cli::run::Run, clock, output::Out};

/// Runs the command as often as asked and collects its results.
pub(super) async fn measure(out: Out, args: &Run) -> Result<Measured, RunError> {
    request::something_to_do(args, !io::stdin().is_terminal())?;
    let argv = request::argv(args);
    if let Some(argv) = &argv {
        for warmup in 0..args.warmup {
            out.talk(&format!("warm-up {warmup} of {}", args.warmup));
            run(out, args, argv, Part::Warmup(warmup)).await?;
        }
    }
    let start = clock::now();
    let mut results = Vec::new();
    let iterations = if argv.is_some() { args.iter } else { 1 };
    for iteration in 0..iterations {
        if iterations > 1 {
            out.talk(&format!("iteration {} of {iterations}", iteration + 1));
        }
        results.extend(one(out, args, argv.as_deref(), iteration).await?);
    }
    if results.iter().all(|result| result.trim().is_empty()) {
        return Err(match argv {
            Some(_) => RunError::NothingPrinted { command: request::command_name(args) },
            None if args.file.is_empty() => RunError::NothingToDo,
            None => RunError::EmptyFiles { paths: args.file.join(", ") },
        });
    }
    Ok(Measured { results, timing: Timing { start, end: clock::now() } })
}

/// The results of one iteration: its files and our own metrics, or else what the command printed.
async fn one(out: Out, args: &Run, argv: Option<&[String]>, iteration: u32) -> Result<Vec<String>, RunError> {
    let mut results = Vec::new();
    let mut printed = String::new();
    match argv {
        Some(argv) => {
            let ran = run(out, args, argv, Part::Iteration(iteration)).await?;
            if args.build_time {
                results.push(request::own_metric(&request::command_name(args), "build-time", ran.took.as_secs_f64()));
            }
            printed = ran.stdout;
        }
        None if args.file.is_empty() && args.file_size.is_empty() => {
            printed = read::piped().await?;
        }
        None => {}
    }
    for path in &args.file_size {
        let size = tokio::fs::metadata(path).await.map_err(|source| RunError::File { path: path.clone(), source })?.len();
        #[expect(clippy::cast_precision_loss, reason = "metrics are floating-point numbers; exact to 8 PiB")]
        results.push(request::own_metric(path, "file-size", size as f64));
    }
    for path in &args.file {
        results.push(read::file(Path::new(path)).await?);
    }
    if results.is_empty() {
        results.push(printed);
    }
    Ok(results)
}

/// Runs the command once; that it fails is told or is the end, as the arguments say.
async fn run(out: Out, args: &Run, argv: &[String], part: Part) -> Result<Ran, RunError> {
    let ran = execute(argv, &request::command_name(args), args.quiet).await?;
    if !ran.status.success() {
        let failed = RunError::CommandFailed { command: request::command_name(args), part, status: ran.status };
        if !args.allow_failure {
            return Err(failed);
        }
        out.talk(&format!("warning: {failed}"));
    }
    Ok(ran)
}

struct Ran {
    status: ExitStatus,
    stdout: String,
    took: Duration,
}

/// Runs a program in the foreground: it has our standard input and error, and its output is shown on our standard error.
async fn execute(argv: &[String], name: &str, quiet: bool) -> Result<Ran, RunError> {
    let (program, words) = argv.split_first().ok_or(RunError::NothingToDo)?;
    let started = Instant::now();
    let mut child = Command::new(program)
        .args(words)
        .stdout(Stdio::piped())
        .stderr(if quiet { Stdio::null() } else { Stdio::inherit() })
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| RunError::NotStarted { program: program.clone(), source })?;
    let stdout = match child.stdout.take() {
        Some(mut pipe) => {
            read::all(&mut pipe, &format!("the output of `{name}`"), if quiet { Tee::No } else { Tee::Stderr }).await?
        }
        None => Vec::new(),
    };
    let status = child.wait().await.map_err(|source| RunError::Lost { command: name.to_owned(), source })?;
    Ok(Ran { status, stdout: read::lossy(stdout), took: started.elapsed() })
}
