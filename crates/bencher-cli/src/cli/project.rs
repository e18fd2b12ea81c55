//! Arguments of `job`, `report` and `metric`.

use std::path::PathBuf;

use bencher_types::{GitHash, JobUuid, MetricUuid, NameId, ReportUuid, ResourceId, wire::adapter::Adapter};
use clap::{Args, Subcommand, ValueEnum};

use super::{
    Moment, Page, Span, Sure,
    run::{AverageArg, FoldArg, PollInterval, StartPoint, Thresholds},
};

/// One job of one project.
#[derive(Debug, Args)]
pub(crate) struct JobOf {
    /// The project's slug or UUID
    pub project: ResourceId,
    /// The job's UUID
    pub job: JobUuid,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Job {
    /// List jobs, the newest first
    #[command(alias = "ls")]
    List {
        /// The project's slug or UUID
        project: ResourceId,
        /// Only jobs in this status
        #[arg(long, value_enum)]
        status: Option<JobStatusFilter>,
        #[command(flatten)]
        page: Page,
    },
    /// Show a job
    #[command(alias = "get")]
    View(JobOf),
    /// Print where a job stands, in one line
    Status {
        #[command(flatten)]
        of: JobOf,
        /// Print a line whenever that changes, until the job has ended
        #[arg(long, short)]
        follow: bool,
        #[command(flatten)]
        poll: PollInterval,
    },
    /// Wait for a job to end, then print its report
    Watch {
        #[command(flatten)]
        of: JobOf,
        #[command(flatten)]
        poll: PollInterval,
    },
    /// Print what a job wrote to its stdout and stderr
    Logs {
        #[command(flatten)]
        of: JobOf,
        /// Only this iteration, from 0
        #[arg(long, value_name = "N")]
        iteration: Option<usize>,
        /// Those of the warm-up runs instead
        #[arg(long)]
        warmups: bool,
        /// Wait for the job to end first; of a job that was started with --live, show what it prints while it runs
        #[arg(long, short)]
        follow: bool,
        #[command(flatten)]
        poll: PollInterval,
    },
    /// List the files that a job kept because its image names them as artifacts, or save them
    Artifacts {
        #[command(flatten)]
        of: JobOf,
        /// Write them into this folder, those of each iteration into one of its own
        #[arg(long, value_name = "DIR")]
        save: Option<PathBuf>,
    },
    /// Cancel a job
    Cancel(JobOf),
    /// Try a job that failed again
    Retry(JobOf),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum JobStatusFilter {
    Pending,
    Claimed,
    Running,
    Completed,
    Processed,
    Failed,
    Canceled,
}

impl JobStatusFilter {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Claimed => "claimed",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Processed => "processed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Report {
    /// List reports, the newest first
    #[command(alias = "ls")]
    List {
        /// The project's slug or UUID
        project: ResourceId,
        /// Only those of this branch (UUID, slug or name)
        #[arg(long)]
        branch: Option<NameId>,
        /// Only those of this testbed (UUID, slug or name)
        #[arg(long)]
        testbed: Option<NameId>,
        /// Those of archived branches and testbeds
        #[arg(long)]
        archived: bool,
        /// With all results, not only how many there are
        #[arg(long)]
        expand: bool,
        #[command(flatten)]
        span: Span,
        #[command(flatten)]
        page: Page,
    },
    /// Store results that were measured already; `bencher run` measures them, too
    #[command(alias = "add")]
    Create(Box<CreateReport>),
    /// Show a report
    #[command(alias = "get")]
    View {
        /// The project's slug or UUID
        project: ResourceId,
        /// The report's UUID
        report: ReportUuid,
    },
    /// Delete a report and its results
    #[command(alias = "rm")]
    Delete {
        /// The project's slug or UUID
        project: ResourceId,
        /// The report's UUID
        report: ReportUuid,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateReport {
    /// The project's slug or UUID
    pub project: ResourceId,
    /// The branch (name, slug or UUID) that the results belong to
    #[arg(long, env = "BENCHER_BRANCH", default_value = "main")]
    pub branch: NameId,
    /// The commit that was measured
    #[arg(long, value_name = "SHA1")]
    pub hash: Option<GitHash>,
    /// The testbed (name, slug or UUID) that the results belong to
    #[arg(long, env = "BENCHER_TESTBED", default_value = "localhost")]
    pub testbed: NameId,
    /// When measuring began: RFC 3339, or seconds or milliseconds since 1970; now if absent
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub start_time: Option<Moment>,
    /// When measuring ended; when it began if absent
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub end_time: Option<Moment>,
    /// What the harness printed; may be repeated, one for each iteration
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub results: Vec<String>,
    /// A file with what the harness printed; may be repeated. Standard input is read if there is neither
    #[arg(long, value_name = "PATH")]
    pub file: Vec<PathBuf>,
    /// Which harness printed the results
    #[arg(long, env = "BENCHER_ADAPTER")]
    pub adapter: Option<Adapter>,
    /// Which average to take where the harness offers two
    #[arg(long, value_enum)]
    pub average: Option<AverageArg>,
    /// Make one result of all iterations
    #[arg(long, value_enum)]
    pub fold: Option<FoldArg>,
    // Last, since a heading holds for everything that follows it.
    #[command(flatten)]
    pub start_point: StartPoint,
    #[command(flatten)]
    pub thresholds: Thresholds,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Metric {
    /// Show a metric and everything it is filed under
    #[command(alias = "get")]
    View {
        /// The project's slug or UUID
        project: ResourceId,
        /// The metric's UUID
        metric: MetricUuid,
    },
}
