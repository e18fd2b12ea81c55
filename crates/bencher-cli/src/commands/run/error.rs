//! What can go wrong with a run, apart from the server.

use std::{fmt, io, process::ExitStatus};

use bencher_analysis::AdapterError;
use bencher_types::{JobFailure, JobUuid, ReportUuid, wire::report::Report};

use crate::exit::Exit;

/// One run of the command, counted from 0; people are told of the first, the second, …
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Warmup(u32),
    Iteration(u32),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Warmup(number) => write!(f, "warm-up {}", number + 1),
            Self::Iteration(number) => write!(f, "iteration {}", number + 1),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("there is nothing to measure: give a command, --file, --file-size or --image, or pipe results in")]
    NothingToDo,
    #[error("could not start `{program}`")]
    NotStarted {
        program: String,
        #[source]
        source: io::Error,
    },
    #[error("could not follow `{command}`")]
    Lost {
        command: String,
        #[source]
        source: io::Error,
    },
    #[error("`{command}` failed in {part}: {status}")]
    CommandFailed { command: String, part: Part, status: ExitStatus },
    #[error("`{command}` printed nothing on its standard output, and no --file was given")]
    NothingPrinted { command: String },
    #[error("there is nothing in {paths}")]
    EmptyFiles { paths: String },
    #[error("{what} has more than {limit} bytes")]
    TooMuch { what: String, limit: u64 },
    #[error("could not read {path}")]
    File {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("the results cannot be read")]
    NotUnderstood {
        #[source]
        source: AdapterError,
    },
    #[error("there is nothing in the results")]
    NoResults,
    #[error("could not read what happened from {path} (GITHUB_EVENT_PATH)")]
    Event {
        path: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("a pull request of {head} must not run in a workflow that sees the secrets of {base} (pull_request_target)")]
    PwnRequest { head: String, base: String },
    #[error("GITHUB_API_URL is `{url}`: expected https://…")]
    GitHubAddress { url: String },
    #[error("{unreadable} of the results could not be read, as the report says; the others are stored")]
    PartlyRead { unreadable: usize },
    #[error("could not listen for Ctrl-C")]
    Signals(#[source] io::Error),

    #[error("the server made report {report} without a job")]
    NoJob { report: ReportUuid },
    #[error("job {job} failed: {message}")]
    JobFailed { project: String, job: JobUuid, message: String, failure: Option<JobFailure> },
    #[error("job {job} was canceled")]
    JobCanceled { job: JobUuid },
    #[error("job {job} is {state} after {waited_secs} s; it goes on without us")]
    WaitedTooLong { project: String, job: JobUuid, state: String, waited_secs: u64 },
    #[error("interrupted; job {job} goes on")]
    Interrupted { project: String, job: JobUuid },
}

/// Whether everything could be read that a report was made of.
///
/// # Errors
/// Something could not.
pub(crate) fn whole(report: &Report) -> Result<(), RunError> {
    match report.problems.as_deref().unwrap_or_default().len() {
        0 => Ok(()),
        unreadable => Err(RunError::PartlyRead { unreadable }),
    }
}

impl RunError {
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::NothingToDo | Self::NoResults | Self::PwnRequest { .. } | Self::GitHubAddress { .. } => Exit::Usage,
            Self::Event { .. } => Exit::Local,
            Self::NotStarted { .. } | Self::CommandFailed { .. } | Self::NothingPrinted { .. } | Self::JobFailed { .. } => {
                Exit::Failed
            }
            Self::EmptyFiles { .. }
            | Self::TooMuch { .. }
            | Self::NotUnderstood { .. }
            | Self::PartlyRead { .. }
            | Self::WaitedTooLong { .. } => Exit::Failed,
            Self::Lost { .. } | Self::File { .. } | Self::Signals(_) => Exit::Local,
            Self::NoJob { .. } => Exit::Unreachable,
            Self::JobCanceled { .. } => Exit::Canceled,
            Self::Interrupted { .. } => Exit::Interrupted,
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::CommandFailed { .. } => Some("--allow-failure takes its results all the same".to_owned()),
            Self::NothingPrinted { .. } => Some("harnesses that write to a file are read with --file PATH".to_owned()),
            Self::PwnRequest { .. } => Some(
                "its author could read the secrets. Measure in a `pull_request` workflow without secrets, hand the results to a \
                 `workflow_run` workflow, and comment from there with --ci-number"
                    .to_owned(),
            ),
            Self::JobFailed { project, job, failure: Some(JobFailure::Infrastructure), .. } => Some(format!(
                "the benchmark is not to blame: `bencher job retry {project} {job}` runs it again, `--retries` lets jobs do so by themselves"
            )),
            Self::JobFailed { project, job, .. } => Some(format!("`bencher job logs {project} {job}` prints what it wrote")),
            Self::WaitedTooLong { project, job, .. } => {
                Some(format!("`bencher job watch {project} {job}` waits on, `bencher job cancel {project} {job}` stops it"))
            }
            Self::Interrupted { project, job } => {
                Some(format!("`bencher job cancel {project} {job}` stops it, `bencher job watch {project} {job}` waits on"))
            }
            _ => None,
        }
    }
}
