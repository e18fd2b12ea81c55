//! Arguments of `import`: a past that other tools have kept.

use std::path::PathBuf;

use bencher_types::{GitHash, NameId, ResourceId, wire::adapter::Adapter};
use clap::{Args, Subcommand};

use super::Moment;

/// Where the past is kept.
#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    Bmf(Bmf),
    GithubActionBenchmark(GithubActionBenchmark),
    Asv(Asv),
}

/// Where a past goes.
#[derive(Debug, Args)]
pub(crate) struct Destination {
    /// The project's slug or UUID; the profile's if absent
    #[arg(long, env = "BENCHER_PROJECT")]
    pub project: Option<ResourceId>,
    /// The branch (name, slug or UUID) that it is the past of
    #[arg(long, env = "BENCHER_BRANCH", default_value = "main")]
    pub branch: NameId,
    /// The testbed (name, slug or UUID) where it was measured; `localhost` if absent, of asv the machine's name
    #[arg(long, env = "BENCHER_TESTBED")]
    pub testbed: Option<NameId>,
    /// Say what would be sent, and send nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Import files of results, one for each commit.
///
/// They are in Bencher Metric Format, or whatever --adapter reads. The commit is in the file's name, and git knows its time:
/// `results/45d78258e495044a551046f50604da3c893052ce.json`. --name-pattern says it for other names, with groups called `hash` (7 to 40
/// digits, in full from git) and `time` (RFC 3339, a date, or seconds or milliseconds since 1970):
/// `--name-pattern '(?<time>\d{4}-\d\d-\d\d)-(?<hash>[0-9a-f]+)'`.
#[derive(Debug, Args)]
pub(crate) struct Bmf {
    /// Files, and folders of which every file but hidden ones is taken
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// What finds commit and time in the name of a file
    #[arg(long, value_name = "REGEX", default_value = "(?<hash>[0-9a-f]{40})", conflicts_with_all = ["hash", "time"])]
    pub name_pattern: String,
    /// The commit of the one file
    #[arg(long, value_name = "SHA1")]
    pub hash: Option<GitHash>,
    /// When the commit of the one file was made: RFC 3339, or seconds or milliseconds since 1970
    #[arg(long, value_name = "TIME")]
    pub time: Option<Moment>,
    /// The git repository that knows the commits
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub repository: PathBuf,
    /// Which harness wrote the files
    #[arg(long, env = "BENCHER_ADAPTER", default_value = "json")]
    pub adapter: Adapter,
    // Last, since it has the flags that all imports share.
    #[command(flatten)]
    pub to: Destination,
}

/// Import `data.js`, in which github-action-benchmark keeps its history (branch `gh-pages`, folder `dev/bench`).
///
/// Times become the measure latency in nanoseconds, operations per time throughput; any other unit is a measure of its own.
#[derive(Debug, Args)]
pub(crate) struct GithubActionBenchmark {
    /// The file `data.js`
    pub file: PathBuf,
    /// Only this suite; may be repeated
    #[arg(long, value_name = "NAME")]
    pub suite: Vec<String>,
    /// Put the suite before each benchmark's name: `Suite/name`
    #[arg(long)]
    pub prefix_suite: bool,
    #[command(flatten)]
    pub to: Destination,
}

/// Import the folder `results` of airspeed velocity (asv).
///
/// Times become the measure latency in nanoseconds, with the quartiles as bounds. Parameters become a benchmark each, as in what `asv run`
/// prints. What failed or was left out is no result, and results of another version of a benchmark than in benchmarks.json are passed
/// over, as asv does.
#[derive(Debug, Args)]
pub(crate) struct Asv {
    /// The folder with benchmarks.json and a folder for each machine
    #[arg(default_value = "results")]
    pub folder: PathBuf,
    /// Only this machine; may be repeated
    #[arg(long, value_name = "NAME")]
    pub machine: Vec<String>,
    /// Only this environment, as the files are called after the commit; needed where there are several
    #[arg(long, value_name = "NAME")]
    pub environment: Option<String>,
    #[command(flatten)]
    pub to: Destination,
}
