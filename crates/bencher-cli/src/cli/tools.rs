//! Arguments of the commands that need no server: `analyze`, `mock`, `noise`, `man`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{analyze::Analyze, profile::Profile};

/// Commands that need no server.
#[derive(Debug, Subcommand)]
pub(crate) enum Tool {
    /// Servers and credentials under a name
    #[command(subcommand)]
    Profile(Profile),
    /// Statistics of numbers in files: change points, comparisons
    #[command(subcommand)]
    Analyze(Analyze),
    /// Print made-up results, to try out a pipeline without a benchmark
    Mock(Mock),
    /// Measure how quiet this machine is
    Noise(Noise),
    /// Write the manual pages
    Man(Man),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// Print made-up results, to try out a pipeline without a benchmark.
///
/// What is printed is in Bencher Metric Format, which `bencher run --adapter json` reads: `bencher run --adapter json "bencher mock"`.
#[derive(Debug, Args)]
pub(crate) struct Mock {
    /// The same seed prints the same results
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// How many benchmarks
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub count: u32,
    /// What they measure; may be repeated
    #[arg(long, value_name = "MEASURE", default_value = "latency")]
    pub measure: Vec<String>,
    /// The values are about ten to this power
    #[arg(long, value_name = "EXPONENT", default_value_t = 1, allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(-300..=300))]
    pub pow: i32,
    /// Fail instead
    #[arg(long)]
    pub fail: bool,
    /// Fail every other time, by chance
    #[arg(long, conflicts_with = "fail")]
    pub flaky: bool,
}

/// Measure how quiet this machine is: how much the same work varies in time.
///
/// Three kinds of work take turns for the whole duration, each in many short samples: arithmetic (compute-jitter), walking
/// through memory that does not fit the inner caches (cache-jitter), and writing to disk with fsync (io-jitter). A jitter is how
/// far the 95th percentile of the samples lies above their median, in percent of the median. cpu-steal is the share of time
/// that a hypervisor gave to somebody else, in percent. The noise-score is the root mean square of the four: below 1 is a quiet
/// machine, above 10 one whose benchmarks tell little.
///
/// With `--format json` the result is in Bencher Metric Format, so that a machine's noise can be followed like any benchmark:
/// `bencher run --adapter json "bencher noise --quiet --format json"`.
#[derive(Debug, Args)]
pub(crate) struct Noise {
    /// Seconds to measure
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub duration: u32,
    /// No progress on standard error
    #[arg(short, long)]
    pub quiet: bool,
    /// Where to write for io-jitter
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub folder: PathBuf,
}

/// Write the manual pages of this program and all its commands.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Where to, such as /usr/local/share/man/man1; made if there is none
    pub folder: PathBuf,
    /// Write Markdown, one page per command, instead of pages for `man`
    #[arg(long)]
    pub markdown: bool,
}
