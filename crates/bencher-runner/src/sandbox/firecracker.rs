//! MicroVMs: a benchmark in a virtual machine of its own, with a kernel of its own, in a jail.
//!
//! The runner sees a program to start, a Unix socket with its API and Unix sockets for the guest's connections, and knows
//! nothing of what is behind them. What the guest says is checked and bounded; that it says anything at all has a deadline.

mod api;
mod collect;
mod config;
mod conversation;
mod disk;
mod error;
mod guest;
mod ids;
mod initramfs;
mod jail;
mod limits;
mod machine;
pub mod network;
mod process;
mod sweep;
mod tail;
mod vsock;

use std::{
    fs::{self, DirBuilder, File},
    future::Future,
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio_util::sync::CancellationToken;

pub use self::{
    api::ApiError,
    config::{FirecrackerConfig, LogLevel},
    error::{Lie, MachineError, Said},
    initramfs::InitramfsError,
};
use self::{
    conversation::RunEnd,
    ids::IdPool,
    machine::{Machine, Run},
};
use super::{
    CapturedStream, ExecutionPlan, InfrastructureError, IterationOutcome, Phases, Sandbox, SandboxError, Session,
    cgroup::{CgroupHost, IoLimit},
    host::lock,
};

/// Runs every benchmark in a microVM.
#[derive(Debug)]
pub struct FirecrackerSandbox {
    host: Arc<Host>,
    shortcomings: Vec<String>,
}

/// What all machines of a sandbox share.
#[derive(Debug)]
struct Host {
    config: FirecrackerConfig,
    /// The runner's own copies, which machines get links to.
    kernel: PathBuf,
    initramfs: PathBuf,
    /// Folder of all jails, and the folder below it that the jailer makes of the program's name.
    jails: PathBuf,
    program_name: String,
    cgroups: CgroupHost,
    cpus: usize,
    ids: IdPool,
    io_limit: Option<IoLimit>,
    networks: Option<network::Network>,
    /// Held for as long as machines may use the state folder.
    _lock: File,
}

impl FirecrackerSandbox {
    /// Takes the state folder, removes what a killed runner left in it, and makes ready what every machine needs.
    ///
    /// # Errors
    /// Not root, a file of the configuration is missing or not what it should be, the folder belongs to a living runner, or
    /// leftovers cannot be removed.
    pub async fn open(mut config: FirecrackerConfig) -> Result<Self, InfrastructureError> {
        if !rustix::process::geteuid().is_root() {
            return Err(InfrastructureError::MachinesNeedRoot);
        }
        let program_name = check_files(&mut config)?;
        let dir = config.state_dir.clone();
        let created = DirBuilder::new().recursive(true).mode(0o700).create(&dir);
        created.map_err(InfrastructureError::io("create", &dir))?;
        config.state_dir = fs::canonicalize(&dir).map_err(InfrastructureError::io("find", &dir))?;
        let lock = lock(&config.state_dir)?;
        let mountinfo = "/proc/self/mountinfo";
        let mounts = fs::read_to_string(mountinfo).map_err(InfrastructureError::io("read", mountinfo))?;
        let cgroups = CgroupHost::detect(&mounts, &config.cgroup_parent);
        let jails = config.state_dir.join("jails");
        sweep::sweep(&jails, &cgroups).await?;
        let networks = config.network.clone().map(network::Network::open).transpose()?;
        if let Some(networks) = &networks {
            networks.sweep().await?;
        }
        let ids = IdPool::open(config.lock_dir.clone(), config.uid_base, config.uid_count)?;
        let (kernel, initramfs) = guest_files(&config).await?;
        let io_limit = config.io_bytes_per_second.map(|bytes_per_second| {
            let device = disk::device_of(&config.state_dir);
            device.map(|(major, minor)| IoLimit { major, minor, bytes_per_second })
        });
        let mut shortcomings = cgroups.shortcomings(config.io_bytes_per_second.is_some());
        let io_limit = io_limit.transpose().unwrap_or_else(|error| {
            shortcomings.push(format!("the disk of {} takes no io limit: {error}", config.state_dir.display()));
            None
        });
        if config.jailer.is_none() {
            shortcomings.push(
                "no jailer is configured: microVMs run as the runner's own user and in no chroot, which is for development only"
                    .to_owned(),
            );
        }
        let cpus = std::thread::available_parallelism().map_or(usize::MAX, std::num::NonZero::get);
        let host = Host { config, kernel, initramfs, jails, program_name, cgroups, cpus, ids, io_limit, networks, _lock: lock };
        Ok(Self { host: Arc::new(host), shortcomings })
    }

    /// What this host cannot do for any iteration, in sentences for the operator.
    #[must_use]
    pub fn shortcomings(&self) -> &[String] {
        &self.shortcomings
    }

    fn machine_session(&self, plan: &ExecutionPlan) -> MachineSession {
        MachineSession { host: Arc::clone(&self.host), plan: plan.clone(), machine: None }
    }
}

impl Sandbox for FirecrackerSandbox {
    fn run(
        &self,
        plan: &ExecutionPlan,
        cancel: CancellationToken,
    ) -> impl Future<Output = Result<IterationOutcome, SandboxError>> + Send {
        let mut session = self.machine_session(plan);
        async move {
            let mut outcome = session.run(cancel).await?;
            if let (Some(teardown), Some(phases)) = (session.end().await, &mut outcome.phases) {
                phases.teardown = teardown;
            }
            Ok(outcome)
        }
    }

    fn session(&self, plan: &ExecutionPlan) -> impl Session {
        self.machine_session(plan)
    }
}

/// Iterations of one plan in one guest, for as long as that lives. The next iteration after a failure, or after a benchmark
/// that had to be stopped, gets a new one.
#[derive(Debug)]
struct MachineSession {
    host: Arc<Host>,
    plan: ExecutionPlan,
    machine: Option<Machine>,
}

impl MachineSession {
    /// The machine for the next iteration. `None` where it was canceled before that was ready.
    async fn ready(&mut self, cancel: &CancellationToken) -> Result<Option<Machine>, SandboxError> {
        match self.machine.take() {
            Some(machine) if machine.is_ready() => return Ok(Some(machine)),
            // Somebody stopped waiting in the middle of an iteration.
            Some(machine) => machine.destroy().await,
            None => {}
        }
        if cancel.is_cancelled() {
            return Ok(None);
        }
        let Some(mut machine) = Machine::start(&self.host, &self.plan, cancel).await? else { return Ok(None) };
        let up = tokio::select! {
            biased;
            () = cancel.cancelled() => None,
            up = machine.bring_up(&self.host) => Some(up),
        };
        if let Some(Ok(())) = up {
            return Ok(Some(machine));
        }
        machine.destroy().await;
        up.transpose().map(|_| None)
    }

    /// Ends the machine, if there is one. How long that took.
    async fn end(&mut self) -> Option<Duration> {
        let machine = self.machine.take()?;
        Some(machine.close().await)
    }
}

impl Session for MachineSession {
    async fn run(&mut self, cancel: CancellationToken) -> Result<IterationOutcome, SandboxError> {
        let Some(machine) = self.ready(&cancel).await? else {
            let run = Run { end: RunEnd::canceled(), phases: Phases::default(), oom_killed: false, warnings: Vec::new() };
            return Ok(outcome(run));
        };
        // It stays in the session while it runs, so that one who stops waiting leaves it to the session's end.
        let machine = self.machine.insert(machine);
        let ran = machine.run(&cancel).await;
        let teardown = if ran.is_ok() && machine.is_ready() { None } else { self.end().await };
        let mut outcome = outcome(ran?);
        if let (Some(teardown), Some(phases)) = (teardown, &mut outcome.phases) {
            phases.teardown = teardown;
        }
        Ok(outcome)
    }

    async fn close(mut self) {
        self.end().await;
    }
}

fn outcome(run: Run) -> IterationOutcome {
    let Run { end, phases, oom_killed, mut warnings } = run;
    let RunEnd { exit, ended, wall, parcels, warning, .. } = end;
    warnings.extend(warning);
    let stream = |stream: Option<CapturedStream>| stream.unwrap_or_default();
    let files = parcels.files.unwrap_or_default();
    IterationOutcome {
        exit,
        ended,
        stdout: stream(parcels.stdout),
        stderr: stream(parcels.stderr),
        files: files.files,
        skipped_files: files.skipped,
        wall,
        oom_killed,
        phases: Some(phases),
        warnings,
    }
}

/// Looks at the files of a configuration, makes its programs' paths the real ones and returns Firecracker's file name.
fn check_files(config: &mut FirecrackerConfig) -> Result<String, MachineError> {
    config.firecracker = program("Firecracker", &config.firecracker)?;
    if let Some(jailer) = &mut config.jailer {
        *jailer = program("the jailer", jailer)?;
    }
    let unusable = |what, path: &Path| {
        let path = path.to_owned();
        move |source| MachineError::Unusable { what, path, source }
    };
    let mut mark = [0; 4];
    let read = File::open(&config.kernel).and_then(|mut kernel| kernel.read_exact(&mut mark));
    read.and_then(|()| {
        let wrong = "it is no uncompressed ELF file (a `vmlinux`)";
        if mark == *b"\x7fELF" { Ok(()) } else { Err(io::Error::new(io::ErrorKind::InvalidData, wrong)) }
    })
    .map_err(unusable("the guest's kernel", &config.kernel))?;
    fs::metadata(&config.init).map_err(unusable("the guest's first program", &config.init))?;
    for module in &config.modules {
        fs::metadata(module).map_err(unusable("the kernel module", module))?;
    }
    let name = config.firecracker.file_name().and_then(|name| name.to_str()).filter(|name| name.contains("firecracker"));
    name.map(str::to_owned).ok_or_else(|| MachineError::ProgramName { path: config.firecracker.clone() })
}

fn program(what: &'static str, path: &Path) -> Result<PathBuf, MachineError> {
    let found = fs::canonicalize(path).and_then(|real| {
        let metadata = fs::metadata(&real)?;
        if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 {
            return Ok(real);
        }
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is not an executable file"))
    });
    found.map_err(|source| MachineError::Unusable { what, path: path.to_owned(), source })
}

/// Copies of kernel and initial file system in the state folder, where machines can be given links to them.
async fn guest_files(config: &FirecrackerConfig) -> Result<(PathBuf, PathBuf), InfrastructureError> {
    let config = config.clone();
    let copying = tokio::task::spawn_blocking(move || {
        let folder = config.state_dir.join("guest");
        let created = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        created.map_err(InfrastructureError::io("create", &folder))?;
        let kernel = folder.join("kernel");
        jail::keep_copy(&config.kernel, &kernel).map_err(InfrastructureError::io("copy the guest's kernel to", &kernel))?;
        let initramfs = initramfs::keep(&folder, &config.init, &config.modules).map_err(MachineError::Initramfs)?;
        Ok((kernel, initramfs))
    });
    copying.await.map_err(|_| InfrastructureError::SetUpLost)?
}

/// Whether the host's pool has the pages for that much memory. Firecracker itself would notice only when it is touched.
fn check_huge_pages(memory_mib: u64) -> Result<(), MachineError> {
    let free = fs::read_to_string("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages").unwrap_or_default();
    let (needed, free) = (memory_mib / 2, free.trim().parse().unwrap_or(0));
    if free < needed { Err(MachineError::HugePages { needed, free }) } else { Ok(()) }
}
