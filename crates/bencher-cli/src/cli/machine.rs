//! Arguments of `runner`, `spec` and `server`.

use bencher_types::{
    Cpu, DiskBytes, Label, MemoryBytes, ResourceId, ResourceName, Slug,
    wire::{
        server::BackupDataStore,
        spec::{Architecture, OperatingSystem, Sandbox},
    },
};
use std::ffi::OsString;

use clap::{Args, Subcommand, ValueEnum};

use super::{Filter, Shelf, Sure};

#[derive(Debug, Subcommand)]
pub(crate) enum Runner {
    /// List runners
    #[command(alias = "ls")]
    List {
        /// Archived runners too
        #[arg(long)]
        archived: bool,
        #[command(flatten)]
        filter: Filter,
    },
    /// Register a runner; its key is shown once
    #[command(alias = "add")]
    Create {
        /// Its name
        #[arg(long)]
        name: ResourceName,
        /// Its name in URLs; made from the name if absent
        #[arg(long)]
        slug: Option<Slug>,
    },
    /// Show a runner
    #[command(alias = "get")]
    View {
        /// The runner's slug or UUID
        runner: ResourceId,
    },
    /// Rename, archive or unarchive a runner, or say which jobs it may take
    #[command(alias = "edit")]
    Update {
        /// The runner's slug or UUID
        runner: ResourceId,
        #[command(flatten)]
        change: Change,
        /// A label it has from now on, instead of those it had; may be repeated
        #[arg(long, value_name = "LABEL")]
        label: Vec<Label>,
        /// It has no labels any more
        #[arg(long, conflicts_with = "label")]
        no_labels: bool,
        /// An organization (slug or UUID) that it works for from now on, and no others but those named; may be repeated
        #[arg(long, value_name = "ORGANIZATION")]
        organization: Vec<ResourceId>,
        /// It works for all organizations
        #[arg(long, conflicts_with = "organization")]
        all_organizations: bool,
    },
    /// Give a runner no more jobs because its machine is to be worked on; it finishes the one it has
    Drain(Close),
    /// Give a runner no more jobs until it is unlocked; it finishes the one it has
    Lock(Close),
    /// Give a runner no more jobs because it is suspected of failing them; it finishes the one it has
    Quarantine(Close),
    /// Give a runner jobs again, whatever kept them from it
    Unlock {
        /// The runner's slug or UUID
        runner: ResourceId,
    },
    /// Give a runner a new key; the old one is invalid at once
    #[command(alias = "token")]
    Key {
        /// The runner's slug or UUID
        runner: ResourceId,
    },
    /// What a runner can run
    #[command(subcommand)]
    Spec(RunnerSpec),
    #[command(flatten)]
    Here(RunnerHere),
}

/// What the program `runner` does on this machine.
#[derive(Debug, Subcommand)]
pub(crate) enum RunnerHere {
    /// Serve jobs on this machine: hands over to `runner up`
    #[command(disable_help_flag = true)]
    Start(HandOver),
    /// What the runner on this machine is doing: hands over to `runner status`
    #[command(disable_help_flag = true)]
    Status(HandOver),
    /// Finish the job at hand and stop serving on this machine: hands over to `runner stop`
    #[command(disable_help_flag = true)]
    Stop(HandOver),
    /// The images that this machine keeps: hands over to `runner cache`
    #[command(disable_help_flag = true)]
    Cache(HandOver),
    /// What this machine has and lacks as a benchmark machine: hands over to `runner doctor`
    #[command(disable_help_flag = true)]
    Doctor(HandOver),
}

/// What is for the program `runner`, which must be beside this one or on the PATH.
#[derive(Debug, Args)]
pub(crate) struct HandOver {
    /// Arguments of `runner`, such as --help
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    pub args: Vec<OsString>,
}

impl RunnerHere {
    /// The verb and the arguments of `runner`.
    pub(crate) fn words(&self) -> (&'static str, &[OsString]) {
        let (verb, HandOver { args }) = match self {
            Self::Start(args) => ("up", args),
            Self::Status(args) => ("status", args),
            Self::Stop(args) => ("stop", args),
            Self::Cache(args) => ("cache", args),
            Self::Doctor(args) => ("doctor", args),
        };
        (verb, args)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunnerSpec {
    /// List a runner's specs
    #[command(alias = "ls")]
    List {
        /// The runner's slug or UUID
        runner: ResourceId,
    },
    /// Let a runner take jobs of a spec
    Add {
        /// The runner's slug or UUID
        runner: ResourceId,
        /// The spec's slug or UUID
        #[arg(long)]
        spec: ResourceId,
    },
    /// Take a spec from a runner
    #[command(alias = "rm")]
    Remove {
        /// The runner's slug or UUID
        runner: ResourceId,
        /// The spec's slug or UUID
        spec: ResourceId,
    },
}

/// A runner that is to get no more jobs.
#[derive(Debug, Args)]
pub(crate) struct Close {
    /// The runner's slug or UUID
    pub runner: ResourceId,
    /// Why, for those who wonder
    #[arg(long)]
    pub reason: Option<String>,
}

/// What can change of a runner and of a spec.
#[derive(Debug, Args)]
pub(crate) struct Change {
    /// A new name
    #[arg(long)]
    pub name: Option<ResourceName>,
    /// A new name in URLs
    #[arg(long)]
    pub slug: Option<Slug>,
    #[command(flatten)]
    pub shelf: Shelf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Spec {
    /// List specs
    #[command(alias = "ls")]
    List {
        /// Archived specs too
        #[arg(long)]
        archived: bool,
        #[command(flatten)]
        filter: Filter,
    },
    /// Create a spec
    #[command(alias = "add")]
    Create(NewSpec),
    /// Show a spec
    #[command(alias = "get")]
    View {
        /// The spec's slug or UUID
        spec: ResourceId,
    },
    /// Rename, archive or unarchive a spec, or make it the fallback
    #[command(alias = "edit")]
    Update {
        /// The spec's slug or UUID
        spec: ResourceId,
        #[command(flatten)]
        change: Change,
        /// Whether it is the spec of jobs that name none
        #[arg(long, value_name = "BOOL")]
        fallback: Option<bool>,
    },
    /// Delete a spec that nothing uses
    #[command(alias = "rm")]
    Delete {
        /// The spec's slug or UUID
        spec: ResourceId,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Args)]
pub(crate) struct NewSpec {
    /// Its name
    #[arg(long)]
    pub name: ResourceName,
    /// Its name in URLs; made from the name if absent
    #[arg(long)]
    pub slug: Option<Slug>,
    /// Operating system: linux, macos or windows
    #[arg(long)]
    pub os: OperatingSystem,
    /// Architecture: x86_64 or aarch64
    #[arg(long)]
    pub architecture: Architecture,
    /// What isolates jobs: firecracker; jobs run on the host itself if absent
    #[arg(long)]
    pub sandbox: Option<Sandbox>,
    /// CPUs
    #[arg(long, value_name = "N")]
    pub cpu: Cpu,
    /// Main memory in bytes
    #[arg(long, value_name = "BYTES")]
    pub memory: MemoryBytes,
    /// Disk in bytes
    #[arg(long, value_name = "BYTES")]
    pub disk: DiskBytes,
    /// Jobs may use the network
    #[arg(long)]
    pub network: bool,
    /// Jobs that name no spec get this one
    #[arg(long)]
    pub fallback: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Server {
    /// Show the server's version
    Version,
    /// Print the description of the server's API (OpenAPI)
    Spec,
    /// The server's configuration
    #[command(subcommand)]
    Config(ServerConfig),
    /// Show how the registry is: what it holds, what is damaged, when it was tidied and verified (server admins only)
    Registry,
    /// Copy the server's database (server admins only)
    Backup {
        /// Compress the copy
        #[arg(long)]
        compress: bool,
        /// Copy it to the configured data store
        #[arg(long, value_enum)]
        data_store: Option<DataStoreArg>,
        /// Remove the local copy once it is in the data store
        #[arg(long, alias = "rm", requires = "data_store")]
        remove: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServerConfig {
    /// Print the configuration, without its secrets (server admins only)
    #[command(alias = "get")]
    View,
    /// Show where the web console is
    Console,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum DataStoreArg {
    AwsS3,
}

impl From<DataStoreArg> for BackupDataStore {
    fn from(store: DataStoreArg) -> Self {
        match store {
            DataStoreArg::AwsS3 => Self::AwsS3,
        }
    }
}
