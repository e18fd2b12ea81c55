//! Running one iteration of a benchmark: what goes in, what comes out, what can go wrong.
//!
//! A sandbox is given a root file system and a command and knows nothing of jobs, the server or the network.

mod cgroup;
pub mod command;
pub mod firecracker;
pub mod host;
mod pidns;
mod process;
mod rootfs;
mod session;
mod user;

use std::{collections::BTreeMap, fmt, future::Future, io, path::PathBuf, time::Duration};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use self::command::{ImageCommand, Names};
pub use self::session::{EachFresh, Session};
use crate::{limits, live::Live};

/// Where a benchmark runs.
pub trait Sandbox: Send + Sync {
    /// Runs one iteration and returns when nothing of it is left on the machine.
    ///
    /// A timeout, a cancel, a signal and a non-zero exit are outcomes, not errors. Dropping the future kills the
    /// benchmark as well, but leaves the tidying to a synchronous backstop: cancel instead.
    fn run(
        &self,
        plan: &ExecutionPlan,
        cancel: CancellationToken,
    ) -> impl Future<Output = Result<IterationOutcome, SandboxError>> + Send;

    /// Several iterations in one place, where the sandbox can. Nothing is started before the session's first iteration.
    ///
    /// A sandbox that has nothing to keep gives every iteration a fresh one.
    fn session(&self, plan: &ExecutionPlan) -> impl Session
    where
        Self: Sized,
    {
        EachFresh::new(self, plan)
    }
}

/// Everything one iteration needs.
#[derive(Clone)]
pub struct ExecutionPlan {
    /// The file with the image's ext4 file system. Shared between iterations and never written.
    pub rootfs: PathBuf,
    /// The command and its arguments; the first is looked up in the `PATH` of `env` inside the image.
    pub args: Vec<String>,
    /// The whole environment of the benchmark. `HOME` is added from the image's accounts where it is absent.
    pub env: Vec<(String, String)>,
    /// Absolute path inside the image; created for the iteration where the image has none.
    pub working_dir: String,
    /// The OCI `User`: `name`, `uid`, `name:group`, `uid:gid`. `None` is root.
    pub user: Option<String>,
    pub network: Network,
    pub resources: Resources,
    /// From the start of the benchmark's process to the first signal.
    pub timeout: Duration,
    /// Between SIGTERM and SIGKILL, and for processes that outlive the benchmark.
    pub grace_period: Duration,
    pub output: OutputBounds,
    /// Paths inside the image that are collected after the benchmark; relative ones start at `working_dir`.
    pub file_paths: Vec<String>,
    pub file_contents: FileContents,
    /// Who wants to know what the benchmark prints while it runs.
    pub live: Option<Live>,
}

impl ExecutionPlan {
    /// A plan with the defaults of [`limits`], no network, no files and no limit on anything but processes.
    #[must_use]
    pub fn new(rootfs: PathBuf, command: ImageCommand, timeout: Duration) -> Self {
        let ImageCommand { args, env, working_dir, user } = command;
        Self {
            rootfs,
            args,
            env,
            working_dir,
            user,
            network: Network::None,
            resources: Resources { pids: Some(limits::MAX_PIDS), ..Resources::default() },
            timeout,
            grace_period: limits::GRACE_PERIOD,
            output: OutputBounds::default(),
            file_paths: Vec::new(),
            file_contents: FileContents::Read,
            live: None,
        }
    }
}

impl fmt::Debug for ExecutionPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecutionPlan")
            .field("rootfs", &self.rootfs)
            .field("args", &self.args)
            .field("env", &Names(&self.env))
            .field("working_dir", &self.working_dir)
            .field("user", &self.user)
            .field("network", &self.network)
            .field("resources", &self.resources)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// What the benchmark sees of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// A network namespace of its own in which only `lo` exists.
    None,
    /// The host's network.
    Host,
}

/// Whether the bytes of a file are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileContents {
    Read,
    /// Only the size: a large binary needs not to be held in memory to be measured.
    SizeOnly,
}

/// Limits of one iteration; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// CPU time per wall time, in whole CPUs. Not applied where the host has no more CPUs than this.
    pub cpus: Option<u32>,
    pub memory_bytes: Option<u64>,
    /// Size of the writable layer over the image.
    pub disk_bytes: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
}

/// How much of what the benchmark produces is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputBounds {
    /// Bytes kept of each stream, and the size of the largest file that is collected.
    pub max_output_size: u64,
    /// Bytes of all collected files together.
    pub max_files_size: u64,
    pub max_file_count: usize,
    /// Symbolic links followed to reach one file.
    pub max_symlinks: u32,
}

impl Default for OutputBounds {
    fn default() -> Self {
        Self {
            max_output_size: limits::MAX_OUTPUT_SIZE,
            max_files_size: limits::MAX_FILES_SIZE,
            max_file_count: limits::MAX_FILE_COUNT,
            max_symlinks: limits::MAX_SYMLINKS,
        }
    }
}

/// What one iteration left.
#[derive(Clone, Debug)]
pub struct IterationOutcome {
    pub exit: Exit,
    pub ended: Ended,
    pub stdout: CapturedStream,
    pub stderr: CapturedStream,
    /// By path as it was asked for.
    pub files: BTreeMap<String, CollectedFile>,
    /// The paths that were asked for and are not in `files`, in the order asked for.
    pub skipped_files: Vec<SkippedFile>,
    /// From just before the benchmark's start to its end; holds the few milliseconds the start itself takes.
    pub wall: Duration,
    /// Whether the kernel killed a process of the benchmark for want of memory. `false` also where it cannot be known.
    pub oom_killed: bool,
    /// What the iteration spent its time on, where the sandbox is a microVM.
    pub phases: Option<Phases>,
    /// What was asked for and could not be applied, in sentences for the operator.
    pub warnings: Vec<String>,
}

impl IterationOutcome {
    /// Whether the benchmark was stopped before it ended by itself.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.ended != Ended::Exited
    }
}

/// How long the parts of an iteration in a microVM took. Zero is what a guest that was up already did not need again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Making the iteration's own disk from the image's.
    pub clone: Duration,
    /// From the start of the machine's process to the guest's first process.
    pub boot: Duration,
    /// From there until the guest was ready to run the benchmark.
    pub init_ready: Duration,
    /// The benchmark, as the guest measured it.
    pub run: Duration,
    /// From the benchmark's end until its output and files were here.
    pub collect: Duration,
    /// From there until nothing of the machine was left. Zero where the machine is kept for the next iteration.
    pub teardown: Duration,
}

/// How the benchmark's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
}

impl Exit {
    /// As a shell would say it: the code, or 128 and the signal's number.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

/// Who ended the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The benchmark itself, or a signal that did not come from us.
    Exited,
    TimedOut,
    Canceled,
}

/// The first bytes of a stream and how many there were.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CapturedStream {
    pub bytes: Bytes,
    /// Bytes the benchmark wrote, kept or not.
    pub total: u64,
}

impl CapturedStream {
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.total > self.bytes.len() as u64
    }
}

impl fmt::Debug for CapturedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CapturedStream({} of {} bytes)", self.bytes.len(), self.total)
    }
}

/// A file of the benchmark.
#[derive(Clone, PartialEq, Eq)]
pub struct CollectedFile {
    pub size: u64,
    /// Empty where only the size was asked for.
    pub bytes: Bytes,
}

impl fmt::Debug for CollectedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CollectedFile({} of {} bytes)", self.bytes.len(), self.size)
    }
}

/// A file that was asked for and not collected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedFile {
    pub path: String,
    pub reason: SkipReason,
}

/// Why a file was not collected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SkipReason {
    #[error("the file does not exist")]
    Missing,
    #[error("it is not a regular file")]
    NotRegular,
    #[error("more than {max} symbolic links lead to it")]
    TooManySymlinks { max: u32 },
    #[error("it has {size} bytes, at most {max} are collected")]
    TooLarge { size: u64, max: u64 },
    #[error("together the files have more than {max} bytes")]
    TogetherTooLarge { max: u64 },
    #[error("at most {max} files are collected")]
    TooMany { max: usize },
    #[error("it could not be read: {0}")]
    Unreadable(io::ErrorKind),
}

/// Who has to act on a failure, and so whether another try can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The image or the job's settings: the same again fails again.
    Image,
    /// This machine: another try, or another runner, may work.
    Infrastructure,
}

/// Why an iteration could not be run.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Infrastructure(#[from] InfrastructureError),
}

impl SandboxError {
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::Image(_) => Blame::Image,
            Self::Infrastructure(_) => Blame::Infrastructure,
        }
    }
}

/// What is wrong with the image or with how it is to be run.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error("the image has neither an entrypoint nor a command; give one with the job")]
    NoCommand,
    #[error("command `{command}` not found in the image; looked in {}", looked_in.join(", "))]
    CommandNotFound { command: String, looked_in: Vec<String> },
    #[error("command `{command}` is in the image at {path} but is not an executable file")]
    NotExecutable { command: String, path: String },
    #[error("command `{command}` could not be executed in the image: {reason}; check its architecture, loader and `#!` line")]
    ExecFailed { command: String, reason: String },
    #[error("the image has no user `{user}` in /etc/passwd")]
    UnknownUser { user: String },
    #[error("the image has no group `{group}` in /etc/group")]
    UnknownGroup { group: String },
    #[error("`{name}` holds a NUL character, which no process can be given")]
    NulCharacter { name: String },
    #[error("`{name}` is not a name an environment variable can have")]
    BadVariable { name: String },
    #[error("could not read {path} of the image")]
    Unreadable {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("{path} of the image has more than {max} bytes")]
    AccountFileTooLarge { path: String, max: u64 },
    #[error("the benchmark ended its own microVM (a reboot, or its kernel gave up), so there is no result")]
    MachineEnded,
}

/// What this machine could not do.
#[derive(Debug, thiserror::Error)]
pub enum InfrastructureError {
    #[error("host execution needs root; start the runner as root or use a sandbox")]
    NotRoot,
    #[error("starting microVMs needs root, to give each a user, a jail and limits of its own; start the runner as root")]
    MachinesNeedRoot,
    #[error(transparent)]
    Machine(#[from] firecracker::MachineError),
    #[error("another runner uses the state folder {path}; give each its own")]
    StateDirInUse { path: PathBuf },
    #[error("could not {action} {path}")]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("could not {action}")]
    Kernel {
        action: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("could not start `{program}`: install it (the package `{program}` on most systems)")]
    ProgramMissing {
        program: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{program} {step}` failed: {message}")]
    Program { program: PathBuf, step: &'static str, message: String },
    #[error("{step} took longer than {after:?}")]
    TimedOut { step: &'static str, after: Duration },
    #[error(
        "this machine has no loop devices, by which images are mounted; load the kernel's module (`modprobe loop`), or give \
         the container that this runs in /dev/loop-control and the right to mount"
    )]
    NoLoopDevices {
        #[source]
        source: io::Error,
    },
    #[error(
        "all loop devices this container has are in use, and it cannot be given {path}; see `losetup --list` for what uses \
         them, or mount a devtmpfs at /dev"
    )]
    NoLoopNode {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("other processes took every loop device that was free; see `losetup --list` for what uses them")]
    LoopDevicesBusy,
    #[error("could not mount the image {path}; if it is damaged, `runner cache verify --remove` finds and removes it")]
    BadBase {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("could not write the container's configuration")]
    Bundle(#[source] oci_spec::OciSpecError),
    #[error("the thread that sets an iteration up ended without an answer")]
    SetUpLost,
    #[error(transparent)]
    Network(#[from] firecracker::network::NetworkError),
}

impl InfrastructureError {
    /// Whether it stays until a person changes the machine or starts the runner otherwise.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::NotRoot
            | Self::MachinesNeedRoot
            | Self::ProgramMissing { .. }
            | Self::NoLoopDevices { .. }
            | Self::Network(_) => true,
            Self::Machine(error) => error.is_lasting(),
            _ => false,
        }
    }

    fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    fn kernel(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Kernel { action, source }
    }
}
