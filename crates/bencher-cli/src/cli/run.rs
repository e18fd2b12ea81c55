//! Arguments of `run`.

use bencher_types::{
    GitHash, ImageRef, Label, NameId, ResourceId, SampleSize, Timeout, Window,
    wire::{
        adapter::{Adapter, Average, Fold},
        run::{MAX_RETRIES, UpdateStartPoint},
        threshold::ModelTest,
    },
};
use clap::{Args, ValueEnum};

use super::ci::Ci;
use crate::limits;

/// Measure something, here or on a runner, and report the results.
///
/// Without --image, the command runs here and what it prints on its standard output is read by the adapter. With --image, the
/// command runs in that image on a runner, and this program waits for the results.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The project's slug or UUID; one that does not exist yet is made
    #[arg(long, env = "BENCHER_PROJECT")]
    pub project: Option<ResourceId>,
    /// The branch (name, slug or UUID) that the results belong to; git's current branch if absent
    #[arg(long, env = "BENCHER_BRANCH")]
    pub branch: Option<NameId>,
    /// The commit that was measured; git's current commit if absent
    #[arg(long, value_name = "SHA1")]
    pub hash: Option<GitHash>,
    /// The testbed (name, slug or UUID) that the results belong to
    #[arg(long, env = "BENCHER_TESTBED")]
    pub testbed: Option<NameId>,
    /// Forget which spec the testbed had
    #[arg(long, requires = "testbed", conflicts_with = "image")]
    pub spec_reset: bool,

    /// Which harness printed the results
    #[arg(long, env = "BENCHER_ADAPTER")]
    pub adapter: Option<Adapter>,
    /// Which average to take where the harness offers two
    #[arg(long, value_enum)]
    pub average: Option<AverageArg>,
    /// How often to run the command
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub iter: u32,
    /// How often to run it before that, with results that do not count
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub warmup: u32,
    /// Make one result of all iterations
    #[arg(long, value_enum)]
    pub fold: Option<FoldArg>,
    /// When the results were measured, in seconds since 1970
    #[arg(long, value_name = "SECONDS")]
    pub backdate: Option<i64>,
    /// Go on when the command fails
    #[arg(long)]
    pub allow_failure: bool,

    /// Exit with 5 when the report has active alerts
    #[arg(long, visible_alias = "err")]
    pub error_on_alert: bool,
    /// Do not show what the command prints
    #[arg(short, long)]
    pub quiet: bool,

    /// Measure how long the command takes, instead of reading what it prints
    #[arg(long)]
    pub build_time: bool,
    /// Read the results from this file, instead of what the command prints; may be repeated
    #[arg(long, value_name = "PATH")]
    pub file: Vec<String>,
    /// Measure the size of this file, instead of reading what the command prints; may be repeated
    #[arg(long, value_name = "PATH")]
    pub file_size: Vec<String>,
    /// The shell that runs a command given as one text
    #[arg(long, value_name = "PATH", conflicts_with = "exec")]
    pub shell: Option<String>,
    /// The shell's flag for a command
    #[arg(long, value_name = "FLAG", conflicts_with = "exec", allow_hyphen_values = true)]
    pub flag: Option<String>,
    /// Run the command itself, without a shell; so are commands of several words
    #[arg(long)]
    pub exec: bool,
    /// Print what would be sent, and send nothing
    #[arg(long)]
    pub dry_run: bool,

    /// The command; standard input is read as its output if there is none
    #[arg(env = "BENCHER_CMD", trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<String>,

    // Last, since a heading holds for everything that follows it.
    #[command(flatten)]
    pub remote: Remote,
    #[command(flatten)]
    pub ci: Ci,
    #[command(flatten)]
    pub start_point: StartPoint,
    #[command(flatten)]
    pub thresholds: Thresholds,
}

/// Where a new branch takes its history from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Start point")]
pub(crate) struct StartPoint {
    /// The branch that this one starts from
    #[arg(long = "start-point", id = "start-point", value_name = "BRANCH")]
    pub branch: Option<NameId>,
    /// The commit of that branch
    #[arg(long = "start-point-hash", id = "start-point-hash", value_name = "SHA1", requires = "start-point")]
    pub hash: Option<GitHash>,
    /// How many of its versions to take; 255 if absent
    #[arg(long = "start-point-max-versions", id = "start-point-max-versions", value_name = "N", requires = "start-point")]
    pub max_versions: Option<u32>,
    /// Take its thresholds, too
    #[arg(long = "start-point-clone-thresholds", id = "start-point-clone-thresholds", requires = "start-point")]
    pub clone_thresholds: bool,
    /// Begin anew, even if nothing of the start point changed
    #[arg(long = "start-point-reset", id = "start-point-reset")]
    pub reset: bool,
}

impl StartPoint {
    /// As it is sent; nothing where nothing was given.
    pub(crate) fn body(&self) -> Option<UpdateStartPoint> {
        let body = UpdateStartPoint {
            branch: self.branch.clone(),
            hash: self.hash.clone(),
            max_versions: self.max_versions,
            clone_thresholds: self.clone_thresholds.then_some(true),
            reset: self.reset.then_some(true),
        };
        (body != UpdateStartPoint::default()).then_some(body)
    }
}

/// Thresholds of the run's branch and testbed: the n-th value of each list belongs to the n-th measure, `_` leaves one out.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Thresholds")]
pub(crate) struct Thresholds {
    /// A measure (name, slug or UUID) to watch; may be repeated, as may all of these
    #[arg(long = "threshold-measure", id = "threshold-measure", value_name = "MEASURE")]
    pub measure: Vec<NameId>,
    /// The test
    #[arg(long = "threshold-test", id = "threshold-test", value_name = "TEST", requires = "threshold-measure")]
    pub test: Vec<TestArg>,
    /// The fewest samples it needs
    #[arg(
        long = "threshold-min-sample-size",
        id = "threshold-min-sample-size",
        value_name = "N",
        requires = "threshold-measure"
    )]
    pub min_sample_size: Vec<Elided<SampleSize>>,
    /// The most samples it takes
    #[arg(
        long = "threshold-max-sample-size",
        id = "threshold-max-sample-size",
        value_name = "N",
        requires = "threshold-measure"
    )]
    pub max_sample_size: Vec<Elided<SampleSize>>,
    /// How far it looks back, in seconds
    #[arg(long = "threshold-window", id = "threshold-window", value_name = "SECONDS", requires = "threshold-measure")]
    pub window: Vec<Elided<Window>>,
    /// The lower boundary
    #[arg(
        long = "threshold-lower-boundary",
        id = "threshold-lower-boundary",
        value_name = "NUMBER",
        requires = "threshold-measure",
        allow_hyphen_values = true
    )]
    pub lower_boundary: Vec<Elided<f64>>,
    /// The upper boundary
    #[arg(
        long = "threshold-upper-boundary",
        id = "threshold-upper-boundary",
        value_name = "NUMBER",
        requires = "threshold-measure",
        allow_hyphen_values = true
    )]
    pub upper_boundary: Vec<Elided<f64>>,
    /// Whether to look back no further than to the last accepted change point: true or false
    #[arg(
        long = "threshold-since-change-point",
        id = "threshold-since-change-point",
        value_name = "BOOL",
        requires = "threshold-measure"
    )]
    pub since_change_point: Vec<Elided<bool>>,
    /// Remove the thresholds of all other measures
    #[arg(long = "thresholds-reset", id = "thresholds-reset")]
    pub reset: bool,
}

/// A value, or `_` for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Elided<T>(pub Option<T>);

impl<T: std::str::FromStr> std::str::FromStr for Elided<T>
where
    T::Err: std::fmt::Display,
{
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "_" {
            return Ok(Self(None));
        }
        text.parse().map(|value| Self(Some(value))).map_err(|error| format!("{error}; or _ for none"))
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum TestArg {
    Static,
    Percentage,
    #[value(alias = "z")]
    ZScore,
    #[value(alias = "t")]
    TTest,
    LogNormal,
    Iqr,
    DeltaIqr,
}

impl From<TestArg> for ModelTest {
    fn from(test: TestArg) -> Self {
        match test {
            TestArg::Static => Self::Static,
            TestArg::Percentage => Self::Percentage,
            TestArg::ZScore => Self::ZScore,
            TestArg::TTest => Self::TTest,
            TestArg::LogNormal => Self::LogNormal,
            TestArg::Iqr => Self::Iqr,
            TestArg::DeltaIqr => Self::DeltaIqr,
        }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Running on a runner")]
pub(crate) struct Remote {
    /// The image on this server, such as shop:v1, shop/http:v1 or shop@sha256:…
    #[arg(long)]
    pub image: Option<ImageRef>,
    /// The spec (slug or UUID) to run on
    #[arg(long, requires = "image")]
    pub spec: Option<ResourceId>,
    /// The program to run instead of the image's entrypoint
    #[arg(long, requires = "image", value_name = "PROGRAM")]
    pub entrypoint: Option<String>,
    /// A variable of the job's environment; may be repeated
    #[arg(long, requires = "image", value_name = "NAME=VALUE", value_parser = env_pair)]
    pub env: Vec<(String, String)>,
    /// Seconds that one iteration may take
    #[arg(long, requires = "image", value_name = "SECONDS")]
    pub job_timeout: Option<Timeout>,
    /// Try the job again this often where its runner, and not the benchmark, fails
    #[arg(long, requires = "image", value_name = "N", value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_RETRIES)))]
    pub retries: Option<u32>,
    /// A label that the runner must have; may be repeated
    #[arg(long, requires = "image", value_name = "LABEL")]
    pub require_label: Vec<Label>,
    /// Run everything in one microVM, instead of each run in a fresh one; where the spec has no sandbox, without effect
    #[arg(long, requires = "image")]
    pub reuse_vm: bool,
    /// Show what the benchmark prints while it runs; this disturbs what is measured
    #[arg(long, requires = "image")]
    pub live: bool,
    #[command(flatten)]
    pub poll: PollInterval,
    /// Do not wait for the job
    #[arg(long, requires = "image")]
    pub detach: bool,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct PollInterval {
    /// Seconds between two looks at the job, where the server does not tell of its changes
    #[arg(
        long, visible_alias = "poll-interval", value_name = "SECONDS", default_value_t = limits::DEFAULT_JOB_POLL_SECS,
        value_parser = clap::value_parser!(u32).range(1..=limits::MAX_WAIT_SECS)
    )]
    pub job_poll_interval: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum AverageArg {
    Mean,
    Median,
}

impl From<AverageArg> for Average {
    fn from(average: AverageArg) -> Self {
        match average {
            AverageArg::Mean => Self::Mean,
            AverageArg::Median => Self::Median,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FoldArg {
    Min,
    Max,
    Mean,
    Median,
}

impl From<FoldArg> for Fold {
    fn from(fold: FoldArg) -> Self {
        match fold {
            FoldArg::Min => Self::Min,
            FoldArg::Max => Self::Max,
            FoldArg::Mean => Self::Mean,
            FoldArg::Median => Self::Median,
        }
    }
}

/// A variable's name and value.
pub(crate) fn env_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not a variable: expected NAME=VALUE")),
    }
}
