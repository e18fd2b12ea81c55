//! Arguments of what lives in a project: `job`, `report`, `branch`, `testbed`, `benchmark`, `measure`.

use bencher_types::{BenchmarkName, BranchName, JobUuid, NameId, ReportUuid, ResourceId, ResourceName, Slug};
use clap::{Args, Subcommand, ValueEnum};

use super::{
    Filter, Page,
    run::{PollInterval, StartPoint},
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
    Status(JobOf),
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
    },
    /// Cancel a job
    Cancel(JobOf),
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
        #[command(flatten)]
        page: Page,
    },
    /// Show a report
    #[command(alias = "get")]
    View {
        /// The project's slug or UUID
        project: ResourceId,
        /// The report's UUID
        report: ReportUuid,
    },
}

/// Arguments of a list of things in a project.
#[derive(Debug, Args)]
pub(crate) struct DimensionList {
    /// The project's slug or UUID
    pub project: ResourceId,
    /// Only what is archived
    #[arg(long)]
    pub archived: bool,
    #[command(flatten)]
    pub filter: Filter,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Branch {
    /// List branches
    #[command(alias = "ls")]
    List(DimensionList),
    /// Create a branch
    #[command(alias = "add")]
    Create {
        /// The project's slug or UUID
        project: ResourceId,
        /// Its name
        #[arg(long)]
        name: BranchName,
        /// Its name in URLs; made from the name if absent
        #[arg(long)]
        slug: Option<Slug>,
        #[command(flatten)]
        start_point: StartPoint,
    },
    /// Show a branch
    #[command(alias = "get")]
    View {
        /// The project's slug or UUID
        project: ResourceId,
        /// The branch's slug or UUID
        branch: ResourceId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Testbed {
    /// List testbeds
    #[command(alias = "ls")]
    List(DimensionList),
    /// Create a testbed
    #[command(alias = "add")]
    Create {
        /// The project's slug or UUID
        project: ResourceId,
        /// Its name
        #[arg(long)]
        name: ResourceName,
        /// Its name in URLs; made from the name if absent
        #[arg(long)]
        slug: Option<Slug>,
        /// The spec of its jobs (slug or UUID)
        #[arg(long)]
        spec: Option<ResourceId>,
    },
    /// Show a testbed
    #[command(alias = "get")]
    View {
        /// The project's slug or UUID
        project: ResourceId,
        /// The testbed's slug or UUID
        testbed: ResourceId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Benchmark {
    /// List benchmarks
    #[command(alias = "ls")]
    List(DimensionList),
    /// Create a benchmark
    #[command(alias = "add")]
    Create {
        /// The project's slug or UUID
        project: ResourceId,
        /// Its name
        #[arg(long)]
        name: BenchmarkName,
        /// Its name in URLs; made from the name if absent
        #[arg(long)]
        slug: Option<Slug>,
    },
    /// Show a benchmark
    #[command(alias = "get")]
    View {
        /// The project's slug or UUID
        project: ResourceId,
        /// The benchmark's slug or UUID
        benchmark: ResourceId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Measure {
    /// List measures
    #[command(alias = "ls")]
    List(DimensionList),
    /// Create a measure
    #[command(alias = "add")]
    Create {
        /// The project's slug or UUID
        project: ResourceId,
        /// Its name
        #[arg(long)]
        name: ResourceName,
        /// Its name in URLs; made from the name if absent
        #[arg(long)]
        slug: Option<Slug>,
        /// Its unit, such as `nanoseconds (ns)`
        #[arg(long)]
        units: ResourceName,
    },
    /// Show a measure
    #[command(alias = "get")]
    View {
        /// The project's slug or UUID
        project: ResourceId,
        /// The measure's slug or UUID
        measure: ResourceId,
    },
}
