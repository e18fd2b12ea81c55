//! The command line: argument structs and nothing else. What is read here is checked and resolved in `config`.

use std::path::PathBuf;

use bencher_types::{ResourceId, Secret, Timeout};
use clap::{Args, Parser, Subcommand, ValueEnum, builder::FalseyValueParser};
use tracing_subscriber::EnvFilter;
use url::Url;

use crate::{exit, size::ByteSize};

mod firecracker;
mod install;
mod tuning;
mod verbs;

pub use firecracker::FirecrackerArgs;
pub use install::InstallArgs;
pub use tuning::{Thp, TuningArgs};
pub use verbs::{CacheArgs, CacheCommand, DataArgs, DoctorArgs, OutputFormat, StatusArgs, StopArgs, VerifyArgs};

#[derive(Debug, Parser)]
#[command(
    name = "runner",
    version,
    about = "Runs benchmark jobs on this machine",
    long_about = "Runs benchmark jobs on this machine: either as the daemon of a server (`runner up`), or one image, here and \
                  now, without a server (`runner run`).",
    after_long_help = exit::HELP,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    /// What is logged to stderr: error, warn, info, debug or trace, or more finely such as `info,bencher_runner=trace`.
    #[arg(long, global = true, value_name = "LEVEL", env = "BENCHER_LOG", default_value = "info", value_parser = log_level)]
    pub log_level: LogLevel,
    /// How log lines look.
    #[arg(long, global = true, value_name = "FORMAT", env = "BENCHER_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    #[value(alias = "human")]
    Text,
    /// One object per line.
    Json,
}

/// A filter of log lines that is known to be one. Empty means the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLevel(String);

impl LogLevel {
    #[must_use]
    pub fn filter(&self) -> EnvFilter {
        EnvFilter::new(&self.0)
    }
}

fn log_level(text: &str) -> Result<LogLevel, String> {
    let text = if text.trim().is_empty() { "info" } else { text.trim() };
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(LogLevel(text.to_owned())),
        Err(problem) => {
            Err(format!("expected error, warn, info, debug, trace, or a list such as `info,bencher_runner=trace` ({problem})"))
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Claim jobs from a server, run them and deliver the results, until told to stop.
    #[command(long_about = "Claim jobs from a server, run them and deliver the results, until told to stop.\n\n\
        Register the runner first (`bencher runner create`), which shows its key once, and give it at least one spec \
        (`bencher runner spec add`). Then:\n\n    \
        BENCHER_RUNNER_KEY=bencher_runner_… runner up --host https://bench.example.com --runner my-runner\n\n\
        The key is better given by the environment, since every user of this machine can read a command line.\n\n\
        Every flag can also be a line of the configuration file, under its name with `_` for `-`; flags go before the \
        environment, the environment before the file.\n\n\
        SIGTERM, Ctrl-C or `runner stop` stops the runner as --on-shutdown says, a second signal cancels the running job, a \
        third leaves at once. Results that could not be delivered wait in the data folder for the next start.")]
    Up(Box<UpArgs>),
    /// Start the runner in the background, as the system's service.
    #[command(long_about = "Start the runner in the background, as the system's service `runner.service`.\n\n\
        Needs systemd and the unit from the package; where either is missing this says so and starts nothing.")]
    Start,
    /// Show what the runner on this machine does.
    #[command(long_about = "Show what the runner on this machine does: its state, its job, its server, undelivered results and \
        the size of its image cache.\n\nExits with 0 where a runner uses the data folder, and with 5 where none does.")]
    Status(StatusArgs),
    /// Stop the runner on this machine, once its job is finished or canceled.
    #[command(
        long_about = "Stop the runner on this machine and wait until it has gone. It takes no further job; a running one is \
        finished or canceled as its --on-shutdown says, or canceled with --cancel; results are delivered.\n\n\
        Exits with 5 where no runner uses the data folder, and with 6 where it still works when --timeout is over."
    )]
    Stop(StopArgs),
    /// Show, empty or check the images that are kept on this machine. Safe beside a working runner.
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Check whether this machine has what a runner needs.
    #[command(long_about = "Check whether this machine has what a runner needs, and what makes its numbers steady.\n\n\
        Exits with 0 unless something that `runner up` needs is missing (7). Leaves nothing changed.")]
    Doctor(Box<DoctorArgs>),
    /// Install what microVMs need: Firecracker, its jailer and a guest's kernel.
    #[command(
        long_about = "Install what microVMs need: Firecracker, its jailer and a guest's kernel, from a folder or an address \
        that you name.\n\n\
        Every file is compared with the SHA-256 that a pins file gives. Without one, what was fetched is shown and asked about, \
        and a pins file for other machines is written:\n\n    \
        runner install-deps --from https://mirror.example.com/firecracker/ --pins pins.toml\n    \
        runner install-deps --from /media/usb --dry-run\n\n\
        Needs Firecracker 1.16.1 or a later 1.x, as its makers publish it (firecracker-vVERSION-ARCH.tgz), and an uncompressed \
        kernel `vmlinux`. Nothing is installed unless everything fits; what was installed before stays until then."
    )]
    InstallDeps(InstallArgs),
    /// Run one image here and now, without a server.
    #[command(long_about = "Run one image here and now, without a server, and print what it prints.\n\n\
        The image is a folder with an OCI image layout (as `bencher image build` or `skopeo copy … oci:FOLDER` makes it), or \
        a reference in a registry:\n\n    \
        runner run --image ./shop\n    \
        runner run --image localhost:6610/shop:v1 --token \"$TOKEN\" --iter 5 --output results.json\n\n\
        The benchmark's stdout and stderr go to stdout and stderr. The files named by --output follow on stdout, or go below \
        --output-dir.")]
    Run(Box<RunArgs>),
}

#[derive(Debug, Args)]
pub struct UpArgs {
    /// The configuration file. Default: /etc/bencher/runner.toml, where it is there.
    #[arg(long, env = "BENCHER_RUNNER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The server's address.
    #[arg(long, env = "BENCHER_HOST", default_value = "http://localhost:6610", value_name = "URL")]
    pub host: Url,
    /// The UUID or slug of the runner to be.
    #[arg(long, env = "BENCHER_RUNNER", value_name = "RUNNER")]
    pub runner: ResourceId,
    /// The runner's key (bencher_runner_…). Better in --key-file or the environment: others can read a command line.
    #[arg(long, env = "BENCHER_RUNNER_KEY", hide_env_values = true, value_name = "KEY")]
    pub key: Option<Secret>,
    /// A file with the runner's key, which nobody else may read. Without any key, the systemd credential `runner-key` is taken.
    #[arg(long, env = "BENCHER_RUNNER_KEY_FILE", value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// How long the server may hold a request for a job before it says that there is none.
    #[arg(long, default_value_t = 55, value_parser = clap::value_parser!(u32).range(1..=900), value_name = "SECONDS")]
    pub poll_timeout: u32,
    /// Run jobs whose spec has no sandbox directly on this machine. Only for benchmarks you trust: what isolates them is no
    /// security boundary.
    #[arg(long, env = "BENCHER_DANGER_ALLOW_NO_SANDBOX", value_parser = FalseyValueParser::new())]
    pub danger_allow_no_sandbox: bool,
    /// What happens to a running job when the runner is told to stop.
    #[arg(long, env = "BENCHER_ON_SHUTDOWN", default_value = "finish", value_name = "POLICY")]
    pub on_shutdown: ShutdownPolicy,
    /// How long fetching and unpacking a job's image may take.
    #[arg(long, env = "BENCHER_RUNNER_FETCH_TIMEOUT", default_value = "900", value_name = "SECONDS")]
    pub fetch_timeout: Timeout,
    /// The largest result message the server takes: its `request_body_max_bytes`. A larger result fails its job.
    #[arg(long, env = "BENCHER_RUNNER_MAX_MESSAGE_SIZE", default_value = "4MiB", value_name = "SIZE")]
    pub max_message_size: ByteSize,

    #[command(flatten)]
    pub firecracker: FirecrackerArgs,
    #[command(flatten)]
    pub storage: StorageArgs,
    #[command(flatten)]
    pub bounds: BoundArgs,

    /// Never let the server update this runner. This version never does.
    #[arg(long, env = "BENCHER_NO_AUTO_UPDATE", value_parser = FalseyValueParser::new(), help_heading = "Updates")]
    pub no_auto_update: bool,
    /// Which updates to take. Without effect in this version, which refuses updates.
    #[arg(
        long,
        env = "BENCHER_UPDATE_CHANNEL",
        conflicts_with = "no_auto_update",
        value_name = "CHANNEL",
        help_heading = "Updates"
    )]
    pub update_channel: Option<UpdateChannel>,
    /// The largest update to download. Without effect in this version, which refuses updates.
    #[arg(long, default_value = "500MiB", conflicts_with = "no_auto_update", value_name = "SIZE", help_heading = "Updates")]
    pub max_download_size: ByteSize,

    #[command(flatten)]
    pub tuning: TuningArgs,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// A folder with an OCI image layout, or an image reference such as localhost:6610/shop:v1.
    #[arg(long, value_name = "IMAGE")]
    pub image: String,
    /// A token for the registry.
    #[arg(long, env = "BENCHER_REGISTRY_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<Secret>,
    /// How many CPUs the benchmark may use.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024), value_name = "COUNT")]
    pub vcpus: u32,
    /// How much memory the benchmark may use.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u64).range(1..=1 << 30), value_name = "MIB")]
    pub memory: u64,
    /// How much the benchmark may write.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..=1 << 30), value_name = "MIB")]
    pub disk: u64,
    /// How long one iteration may take.
    #[arg(long, default_value = "300", value_name = "SECONDS")]
    pub timeout: Timeout,
    /// A file in the image's file system to collect after each iteration. May be given several times.
    #[arg(long, value_name = "PATH")]
    pub output: Vec<String>,
    /// Write collected files below this folder, in one folder per iteration where there are several, instead of printing them.
    #[arg(long, value_name = "FOLDER", requires = "output")]
    pub output_dir: Option<PathBuf>,
    /// Replaces the image's entrypoint, and with it its command. A value that starts with a hyphen is given as
    /// `--entrypoint=-c`.
    #[arg(long, num_args = 1..=64, value_name = "ARG")]
    pub entrypoint: Vec<String>,
    /// Replaces the image's command. A command with hyphens is easier to give after `--`.
    #[arg(long, num_args = 1..=64, value_name = "ARG")]
    pub cmd: Vec<String>,
    /// Replaces the image's command.
    #[arg(last = true, conflicts_with = "cmd", value_name = "COMMAND")]
    pub command: Vec<String>,
    /// Sets an environment variable. May be given several times.
    #[arg(long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// Give the benchmark a network: the machine's own, or in a microVM the way out of it.
    #[arg(long)]
    pub network: bool,
    /// What isolates the benchmark from this machine; directly on the host where absent.
    #[arg(long, value_name = "SANDBOX")]
    pub sandbox: Option<SandboxKind>,
    /// The configuration file, of which the section `[firecracker]` is taken for a run in a microVM. Default:
    /// /etc/bencher/runner.toml, where it is there.
    #[arg(long, env = "BENCHER_RUNNER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How many times to run the benchmark.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), value_name = "COUNT")]
    pub iter: u32,
    /// How many times to run it before that, without printing what comes of it.
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    pub warmup: u32,
    /// Run everything in one microVM, instead of each run in a fresh one.
    #[arg(long, requires = "sandbox")]
    pub reuse_vm: bool,
    /// Go on, and succeed, where the benchmark exits with another code than 0.
    #[arg(long)]
    pub allow_failure: bool,

    #[command(flatten)]
    pub firecracker: FirecrackerArgs,
    #[command(flatten)]
    pub storage: StorageArgs,
    #[command(flatten)]
    pub bounds: BoundArgs,
    #[command(flatten)]
    pub tuning: TuningArgs,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Storage")]
pub struct StorageArgs {
    /// Where images and undelivered results are kept. Default: /var/lib/bencher-runner for root, else bencher-runner in
    /// XDG_DATA_HOME.
    #[arg(long, env = "BENCHER_RUNNER_DATA_DIR", value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
    /// How much space images may take before the least recently used ones are removed. Downloaded layers may take as much
    /// again, but never more than 20 GiB.
    #[arg(long, env = "BENCHER_RUNNER_IMAGE_CACHE_SIZE", default_value = "50GiB", value_name = "SIZE")]
    pub image_cache_size: ByteSize,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Bounds")]
pub struct BoundArgs {
    /// How much of a benchmark's stdout, of its stderr and of all its files together is kept, each.
    #[arg(long, default_value = "25MiB", value_name = "SIZE")]
    pub max_output_size: ByteSize,
    /// How many files are collected.
    #[arg(long, default_value_t = 255, value_name = "COUNT")]
    pub max_file_count: u32,
    /// How many symbolic links are followed on the way to a collected file. Only without a sandbox.
    #[arg(long, default_value_t = 40, value_name = "COUNT")]
    pub max_symlinks: u32,
    /// How long to wait, once a benchmark's first process is gone, for what it left behind to finish writing.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=900), value_name = "SECONDS")]
    pub grace_period: u32,
    /// How much the sandbox's own processes log.
    #[arg(long, default_value = "warning", value_name = "LEVEL")]
    pub sandbox_log_level: SandboxLogLevel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ShutdownPolicy {
    /// Finish the job, deliver, then stop.
    Finish,
    /// Cancel the job, tell the server, then stop.
    Cancel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UpdateChannel {
    Stable,
    Canary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SandboxKind {
    /// A microVM.
    Firecracker,
    /// Directly on this machine.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SandboxLogLevel {
    Off,
    Error,
    #[value(alias = "warn")]
    Warning,
    Info,
    Debug,
    Trace,
}
