//! Arguments of the verbs that look at or act on a runner that is there already.

use std::path::PathBuf;

use bencher_types::{Secret, Timeout};
use clap::{Args, Subcommand, ValueEnum, builder::FalseyValueParser};
use url::Url;

use super::FirecrackerArgs;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// Which runner is meant.
#[derive(Clone, Debug, Args)]
pub struct DataArgs {
    /// The configuration file of the runner. Default: /etc/bencher/runner.toml, where it is there.
    #[arg(long, env = "BENCHER_RUNNER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The runner's data folder. Default: /var/lib/bencher-runner for root, else bencher-runner in XDG_DATA_HOME.
    #[arg(long, env = "BENCHER_RUNNER_DATA_DIR", value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    pub data: DataArgs,
    /// How to print it.
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    pub format: OutputFormat,
}

#[derive(Debug, Args)]
pub struct StopArgs {
    #[command(flatten)]
    pub data: DataArgs,
    /// Cancel a running job instead of what the runner's --on-shutdown says.
    #[arg(long)]
    pub cancel: bool,
    /// How long to wait until the runner has gone. It goes on stopping after that.
    #[arg(long, default_value = "3600", value_name = "SECONDS")]
    pub timeout: Timeout,
}

#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// Show the images that are kept, the most recently used first.
    List(CacheArgs),
    /// Remove every image and download that no job uses now.
    Clear(CacheArgs),
    /// Read everything that is kept and say what is damaged.
    #[command(long_about = "Read everything that is kept and say what is damaged.\n\nExits with 7 where something is.")]
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
pub struct CacheArgs {
    #[command(flatten)]
    pub data: DataArgs,
    /// How to print it.
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    pub format: OutputFormat,
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub cache: CacheArgs,
    /// Remove what is damaged, unless a job uses it now. It is fetched again when it is needed.
    #[arg(long)]
    pub remove: bool,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    pub data: DataArgs,
    /// The server's address. One that is named has to be reachable; the default is http://localhost:6610.
    #[arg(long, env = "BENCHER_HOST", value_name = "URL")]
    pub host: Option<Url>,
    /// The runner's key: looked at, not tried.
    #[arg(long, env = "BENCHER_RUNNER_KEY", hide_env_values = true, value_name = "KEY")]
    pub key: Option<Secret>,
    /// A file with the runner's key.
    #[arg(long, env = "BENCHER_RUNNER_KEY_FILE", value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Whether the runner runs jobs directly on this machine: what that needs must be there then.
    #[arg(long, env = "BENCHER_DANGER_ALLOW_NO_SANDBOX", value_parser = FalseyValueParser::new())]
    pub danger_allow_no_sandbox: bool,
    #[command(flatten)]
    pub firecracker: FirecrackerArgs,
    /// How to print it.
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    pub format: OutputFormat,
}
