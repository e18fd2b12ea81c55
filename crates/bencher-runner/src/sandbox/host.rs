//! Host execution: a benchmark in the image's own root file system and in namespaces of its own, on the host's kernel.
//!
//! It keeps benchmarks apart and the host clean. It is not a boundary against hostile code: root in the container is
//! root of the host with fewer capabilities, before the whole system call interface.
//!
//! ```text
//! prepare (a thread of its own)                    execute                              close
//! folder ─ image ─ warden ─ config ─ create    ──▶  cgroup ─ start ─ wait ─ (TERM) ─ ──▶ KILL ─ reap ─ files ─ remove
//! ```

mod base;
mod bundle;
mod collect;
mod container;
mod loop_device;
mod mounts;
pub(super) mod program;
mod stream;
pub(super) mod sweep;
mod tell;

use std::{
    fs::{self, DirBuilder, File},
    future::Future,
    io::{self, PipeReader},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use self::{
    base::Base,
    bundle::Surroundings,
    collect::FileView,
    container::{Init, Running, Runtime},
    stream::Capture,
    tell::Teller,
};
use super::{
    Ended, ExecutionPlan, Exit, ImageError, InfrastructureError, IterationOutcome, Sandbox, SandboxError,
    cgroup::CgroupHost,
    command::DEFAULT_PATH,
    pidns::{self, Warden},
    rootfs::{AnchoredRoot, read_bounded},
    user::{self, Account},
};
use crate::{limits, live::Live};

/// Where programs of the host are looked for; the runner's own environment is passed to none of them.
const HOST_PATH: &str = DEFAULT_PATH;

/// What the owner of the host decides.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Folder of this sandbox alone, on a disk with room for what benchmarks write. Created if absent.
    pub state_dir: PathBuf,
    /// An OCI runtime with the command line of `crun`: a name to be found in the usual places, or a path.
    pub runtime: PathBuf,
    /// Folder below each cgroup hierarchy for the groups of iterations.
    pub cgroup_parent: String,
}

impl HostConfig {
    #[must_use]
    pub fn new(state_dir: PathBuf) -> Self {
        Self { state_dir, runtime: PathBuf::from("crun"), cgroup_parent: "bencher".to_owned() }
    }
}

/// Runs benchmarks on the host.
///
/// Opening one makes this process a child subreaper: orphans of its descendants become its children.
#[derive(Debug)]
pub struct HostSandbox {
    config: HostConfig,
    cgroups: CgroupHost,
    host_cpus: usize,
    shortcomings: Vec<String>,
    /// Held for as long as this sandbox may use the state folder.
    _lock: File,
}

/// An iteration whose container exists and waits.
///
/// The order of the fields is the order in which they are dropped: first the processes, then what they used.
struct Prepared {
    warden: Warden,
    init: Init,
    view: FileView,
    stdout: PipeReader,
    stderr: PipeReader,
    runtime: Runtime,
    warnings: Vec<String>,
    folder: IterationFolder,
}

/// The folder of one iteration.
#[derive(Debug)]
#[must_use = "dropping it removes the folder"]
struct IterationFolder(PathBuf);

impl HostSandbox {
    /// Takes the state folder, removes what a killed runner left in it, and looks what the host can do.
    ///
    /// # Errors
    /// Not root, no loop devices, the folder belongs to a living runner, the runtime is missing, or leftovers cannot be removed.
    pub async fn open(config: HostConfig) -> Result<Self, InfrastructureError> {
        if !rustix::process::geteuid().is_root() {
            return Err(InfrastructureError::NotRoot);
        }
        let dir = &config.state_dir;
        let created = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        created.map_err(InfrastructureError::io("create", dir))?;
        let lock = lock(dir)?;
        let mountinfo = "/proc/self/mountinfo";
        let mounts = fs::read_to_string(mountinfo).map_err(InfrastructureError::io("read", mountinfo))?;
        let cgroups = CgroupHost::detect(&mounts, &config.cgroup_parent);
        loop_device::check()?;
        sweep::sweep(dir, &cgroups).await?;
        let mut version = std::process::Command::new(&config.runtime);
        version.arg("--version");
        program::run(version, "version")?;
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(|errno| InfrastructureError::kernel("become a child subreaper")(errno.into()))?;
        let host_cpus = std::thread::available_parallelism().map_or(usize::MAX, std::num::NonZero::get);
        let shortcomings = cgroups.shortcomings(false);
        Ok(Self { config, cgroups, host_cpus, shortcomings, _lock: lock })
    }

    /// What this host cannot do for any iteration, in sentences for the operator.
    #[must_use]
    pub fn shortcomings(&self) -> &[String] {
        &self.shortcomings
    }

    async fn prepare(&self, plan: Arc<ExecutionPlan>) -> Result<Prepared, SandboxError> {
        let config = self.config.clone();
        // Where nobody waits any more, the finished preparation is dropped, which undoes it.
        let prepared = tokio::task::spawn_blocking(move || Prepared::new(&config, &plan)).await;
        prepared.map_err(|_| InfrastructureError::SetUpLost)?
    }

    async fn execute(
        &self,
        plan: Arc<ExecutionPlan>,
        prepared: Prepared,
        cancel: CancellationToken,
    ) -> Result<IterationOutcome, SandboxError> {
        let Prepared { warden, init, view, stdout, stderr, runtime, mut warnings, folder } = prepared;
        // Should this end early, the last of these is dropped first: processes, their group, their files.
        let folder = folder;
        let mut cgroup = self.cgroups.create(&runtime.id, &plan.resources, self.host_cpus);
        let mut warden = warden;
        cgroup.add(init.pid);
        warnings.append(&mut cgroup.warnings);
        let stdout = Capture::start(stdout, plan.output.max_output_size)?;
        let stderr = Capture::start(stderr, plan.output.max_output_size)?;
        let running = init.watch()?;
        let mut teller = Teller::new(plan.live.as_ref().map(Live::ear));
        let end = tokio::select! {
            end = observe(&plan, &runtime, &running, &mut warden, &cancel) => end?,
            never = teller.keep_telling(&stdout, &stderr) => match never {},
        };
        warden.close().await?;
        teller.tell(&stdout, &stderr);
        let (stdout, stderr) = (stdout.finish().await, stderr.finish().await);
        let oom_killed = cgroup.oom_killed();
        cgroup.close().await;
        let command = plan.args.first().map(String::as_str).unwrap_or_default();
        let failure = if stdout.total == 0 { container::exec_failure(command, end.exit, &stderr.bytes) } else { None };
        // Reading files and removing folders may take as long as the disk likes.
        let collecting = tokio::task::spawn_blocking(move || {
            let collection = view.collect(&plan);
            // The folder's mounts end with the view, and with them its disk; only then is it an ordinary folder.
            drop(view);
            drop(folder);
            collection
        });
        let collection = collecting.await.map_err(|_| InfrastructureError::SetUpLost)?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        Ok(IterationOutcome {
            exit: end.exit,
            ended: end.ended,
            stdout,
            stderr,
            files: collection.files,
            skipped_files: collection.skipped,
            wall: end.wall,
            oom_killed,
            phases: None,
            warnings,
        })
    }
}

impl Sandbox for HostSandbox {
    fn run(
        &self,
        plan: &ExecutionPlan,
        cancel: CancellationToken,
    ) -> impl Future<Output = Result<IterationOutcome, SandboxError>> + Send {
        let plan = Arc::new(plan.clone());
        async move {
            let prepared = self.prepare(Arc::clone(&plan)).await?;
            self.execute(plan, prepared, cancel).await
        }
    }
}

/// How a benchmark ended.
struct End {
    exit: Exit,
    ended: Ended,
    wall: Duration,
}

/// Starts the benchmark and sees it through to the death of its last process; reaping those is left to the warden.
async fn observe(
    plan: &ExecutionPlan,
    runtime: &Runtime,
    running: &Running,
    warden: &mut Warden,
    cancel: &CancellationToken,
) -> Result<End, SandboxError> {
    let watch = InfrastructureError::kernel;
    let started = Instant::now();
    if cancel.is_cancelled() {
        return kill(running, warden, Ended::Canceled, started).await;
    }
    runtime.start().await?;
    let ended = tokio::select! {
        biased;
        exit = running.wait() => {
            let (exit, wall) = (exit?, started.elapsed());
            // What the benchmark left running may still be writing what it was asked for.
            tokio::select! {
                empty = warden.wait_until_empty(Instant::now() + plan.grace_period) => empty.map_err(watch("watch a benchmark's processes"))?,
                () = cancel.cancelled() => {}
            }
            warden.kill();
            return Ok(End { exit, ended: Ended::Exited, wall });
        }
        () = cancel.cancelled() => Ended::Canceled,
        () = tokio::time::sleep_until(started + plan.timeout) => Ended::TimedOut,
    };
    warden.terminate_members();
    let deadline = Instant::now() + plan.grace_period;
    let Ok(exit) = timeout_at(deadline, running.wait()).await else {
        return kill(running, warden, ended, started).await;
    };
    let (exit, wall) = (exit?, started.elapsed());
    warden.wait_until_empty(deadline).await.map_err(watch("watch a benchmark's processes"))?;
    warden.kill();
    Ok(End { exit, ended, wall })
}

async fn kill(running: &Running, warden: &mut Warden, ended: Ended, started: Instant) -> Result<End, SandboxError> {
    warden.kill();
    let late = |_| InfrastructureError::TimedOut { step: "the end of a killed benchmark", after: limits::KILL_TIMEOUT };
    let exit = timeout(limits::KILL_TIMEOUT, running.wait()).await.map_err(late)??;
    Ok(End { exit, ended, wall: started.elapsed() })
}

impl Prepared {
    /// Everything up to the container's creation. Blocking.
    fn new(config: &HostConfig, plan: &ExecutionPlan) -> Result<Self, SandboxError> {
        let id = format!("{}{}", sweep::PREFIX, uuid::Uuid::new_v4().simple());
        let state_dir = fs::canonicalize(&config.state_dir).map_err(InfrastructureError::io("find", &config.state_dir))?;
        let folder = IterationFolder::create(state_dir.join(&id))?;
        sweep::note_base(&folder.0, &plan.rootfs)?;
        let base = Base::mount(&plan.rootfs, &folder.0)?;
        let image = base.tree()?;
        let account = account(&image, plan)?;
        find_command(&image, plan)?;
        drop(image);
        let warden = Warden::start()?;
        pidns::note_warden(&folder.0, warden.pid())?;
        let around = Surroundings { account: &account, pid_namespace: &warden.namespace_path() };
        bundle::write(&folder.0, plan, around)?;
        let pipe = || io::pipe().map_err(InfrastructureError::kernel("make a pipe"));
        let ((stdout, stdout_writer), (stderr, stderr_writer)) = (pipe()?, pipe()?);
        let runtime = Runtime { program: config.runtime.clone(), dir: folder.0.clone(), id };
        // The thread ends before anything here is dropped: what removes the folder must not see its mounts.
        let (init, warnings) = std::thread::scope(|scope| {
            let in_namespace = || {
                mounts::enter_private_namespace()?;
                let warnings = mounts::mount_image(&folder.0, &base, plan.resources.disk_bytes)?;
                Ok::<_, InfrastructureError>((runtime.create(stdout_writer, stderr_writer)?, warnings))
            };
            let thread = std::thread::Builder::new().name("sandbox-mounts".to_owned()).spawn_scoped(scope, in_namespace);
            thread.map_err(InfrastructureError::kernel("start a thread"))?.join().map_err(|_| InfrastructureError::SetUpLost)?
        })?;
        let view = FileView::of_process(init.pid).map_err(InfrastructureError::kernel("open the container's files"))?;
        Ok(Self { warden, init, view, stdout, stderr, runtime, warnings, folder })
    }
}

impl IterationFolder {
    fn create(path: PathBuf) -> Result<Self, InfrastructureError> {
        // Its configuration holds the benchmark's environment, secrets included.
        DirBuilder::new().mode(0o700).create(&path).map_err(InfrastructureError::io("create", &path))?;
        Ok(Self(path))
    }
}

impl Drop for IterationFolder {
    fn drop(&mut self) {
        // There are no mounts to be seen from here; if there were, deleting would go through them.
        let removed = sweep::unmount_below(&self.0).map_err(io::Error::other).and_then(|()| fs::remove_dir_all(&self.0));
        if let Err(error) = removed {
            tracing::warn!(folder = %self.0.display(), %error, "could not remove the folder of an iteration; the next start will");
        }
    }
}

pub(super) fn lock(dir: &Path) -> Result<File, InfrastructureError> {
    let path = dir.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(InfrastructureError::io("open", &path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(InfrastructureError::StateDirInUse { path: dir.to_owned() }),
        Err(errno) => Err(InfrastructureError::io("lock", &path)(errno.into())),
    }
}

fn account(image: &AnchoredRoot, plan: &ExecutionPlan) -> Result<Account, ImageError> {
    let read = |path: &str| {
        let unreadable = |source| ImageError::Unreadable { path: path.to_owned(), source };
        let file = match image.open_file(path, limits::MAX_SYMLINKS) {
            Ok(file) => file,
            Err(error) if error.is_missing() => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(io::Error::other(error))),
        };
        let max = limits::MAX_ACCOUNT_FILE_SIZE;
        let bytes = read_bounded(file, max).map_err(unreadable)?;
        bytes.ok_or_else(|| ImageError::AccountFileTooLarge { path: path.to_owned(), max })
    };
    user::resolve(plan.user.as_deref(), &read("/etc/passwd")?, &read("/etc/group")?)
}

/// Looks for the command as the runtime will, to say where it was looked for.
fn find_command(image: &AnchoredRoot, plan: &ExecutionPlan) -> Result<(), ImageError> {
    let command = plan.args.first().filter(|command| !command.is_empty()).ok_or(ImageError::NoCommand)?;
    let looked_in: Vec<String> = if command.contains('/') {
        vec![if command.starts_with('/') { "/".to_owned() } else { plan.working_dir.clone() }]
    } else {
        let path = plan.env.iter().find(|(name, _)| name == "PATH").map_or(DEFAULT_PATH, |(_, path)| path);
        path.split(':').map(str::to_owned).collect()
    };
    let mut not_executable = None;
    for folder in &looked_in {
        let folder = if folder.starts_with('/') { folder.clone() } else { format!("{}/{folder}", plan.working_dir) };
        let path = if command.starts_with('/') { command.clone() } else { format!("{folder}/{command}") };
        match image.open_file(&path, limits::MAX_SYMLINKS).ok().and_then(|file| file.metadata().ok()) {
            Some(metadata) if metadata.permissions().mode() & 0o111 != 0 => return Ok(()),
            Some(_) => not_executable = Some(path),
            None => {}
        }
    }
    let command = command.clone();
    Err(match not_executable {
        Some(path) => ImageError::NotExecutable { command, path },
        None => ImageError::CommandNotFound { command, looked_in },
    })
}
