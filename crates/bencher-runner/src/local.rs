//! `runner run`: one image, here and now, without a server. Prints what the benchmark prints.

use std::{
    io,
    path::{Component, Path, PathBuf},
};

use bencher_oci::DiskSize;
use bencher_types::{ImageRef, oci::reference::InvalidImageRef};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    cli::{RunArgs, SandboxKind, TuningArgs},
    config::{self, Bounds, ConfigError},
    daemon::Stop,
    exit::Exit,
    job::{
        image::{FetchError, ImageSource, OpenError},
        outcome::IterationResult,
        phase::{self, Prepared, Verdict},
        plan::{Failures, Measures, Order, Reuse},
        sandboxes::{self, SandboxesError},
    },
    limits::MAX_PIDS,
    sandbox::{
        ImageError, Network, Resources, Sandbox, Session, command::Overrides, firecracker::FirecrackerSandbox, host::HostSandbox,
    },
};

/// Why an image could not be run.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("--image is neither a folder with an OCI image layout nor an image reference")]
    Reference(#[source] InvalidImageRef),
    #[error("--image `{0}` names no registry: expected HOST[:PORT]/NAME[:TAG], such as localhost:6610/shop:v1, or a folder")]
    NoRegistry(ImageRef),
    #[error(transparent)]
    Images(#[from] OpenError),
    #[error("could not get the image")]
    Fetch(#[source] Box<FetchError>),
    #[error("the image cannot be run")]
    Image(#[source] ImageError),
    #[error(transparent)]
    Sandbox(#[from] SandboxesError),
    #[error("could not write {what}")]
    Write {
        what: String,
        #[source]
        source: io::Error,
    },
    #[error("file `{0}` would be written outside of --output-dir")]
    Escape(String),
}

/// Runs every iteration and prints it.
///
/// # Errors
/// The image or this machine is not up to it. A benchmark that fails is no error but an exit code.
pub async fn run(args: &RunArgs, mut stop: mpsc::Receiver<Stop>) -> Result<Exit, LocalError> {
    say_not_tuned(&args.tuning);
    let order = order(args)?;
    let data = config::data_dir(args.storage.data_dir.as_deref())?;
    let cancel = CancellationToken::new();
    let canceler = cancel.clone();
    tokio::spawn(async move {
        if stop.recv().await.is_some() {
            canceler.cancel();
        }
    });

    let images = ImageSource::open(&data.join("images"), args.storage.image_cache_size.0)?;
    let sandbox = open(args, &data).await?;
    // A microVM's disk is what it may write to; on the host nothing is written to it.
    let disk = match &sandbox {
        Opened::MicroVms(_) => DiskSize::Bytes(mib(args.disk)),
        Opened::Host(_) => DiskSize::Fitted,
    };
    let fetched = if config::is_layout(&args.image) {
        images.of_layout(Path::new(&args.image), disk, &cancel).await
    } else {
        let image: ImageRef = args.image.parse().map_err(LocalError::Reference)?;
        if image.host().is_none() {
            return Err(LocalError::NoRegistry(image));
        }
        images.of_reference(&image, args.token.clone(), disk, &cancel).await
    };
    let image = match fetched {
        Err(FetchError::Canceled) => return Ok(Exit::Interrupted),
        fetched => fetched.map_err(|error| LocalError::Fetch(Box::new(error)))?,
    };
    let prepared = Prepared::new(order, image).map_err(LocalError::Image)?;
    match sandbox {
        Opened::MicroVms(sandbox) => all(args, &prepared, &sandbox, &cancel).await,
        Opened::Host(sandbox) => all(args, &prepared, &sandbox, &cancel).await,
    }
}

/// Where the image is going to run; opened before it is fetched, which may take long.
enum Opened {
    Host(HostSandbox),
    MicroVms(FirecrackerSandbox),
}

async fn open(args: &RunArgs, data: &Path) -> Result<Opened, LocalError> {
    Ok(match args.sandbox {
        Some(SandboxKind::Firecracker) => {
            let log_level = args.bounds.sandbox_log_level;
            Opened::MicroVms(sandboxes::open_micro_vms(&args.firecracker, log_level, data.join("vm-run")).await?)
        }
        Some(SandboxKind::None) | None => Opened::Host(sandboxes::open_host(&data.join("sandbox-run")).await?),
    })
}

async fn all(
    args: &RunArgs,
    prepared: &Prepared,
    sandbox: &impl Sandbox,
    cancel: &CancellationToken,
) -> Result<Exit, LocalError> {
    let mut session = prepared.session(sandbox);
    let exit = each(args, prepared, &mut session, cancel).await;
    session.close().await;
    exit
}

/// Warm-up runs, then iterations, each printed as it ends.
async fn each(
    args: &RunArgs,
    prepared: &Prepared,
    session: &mut impl Session,
    cancel: &CancellationToken,
) -> Result<Exit, LocalError> {
    for warmup in 1..=prepared.warmups() {
        let (result, verdict) = prepared.iterate(session, cancel).await;
        info!(warmup, of = args.warmup, exit_code = result.as_ref().map(|result| result.exit_code), "warm-up run ended");
        match phase::of_warmup(verdict, warmup, args.warmup) {
            Verdict::GoOn if !cancel.is_cancelled() => {}
            Verdict::GoOn | Verdict::Canceled => return Ok(Exit::Interrupted),
            Verdict::Failed(_, problem) => {
                // What it printed is of use now, and no result.
                if let Some(result) = &result {
                    print_aside(result)?;
                }
                error!("{problem}");
                return Ok(if result.is_some() { Exit::Benchmark } else { Exit::Failure });
            }
        }
    }
    for iteration in 1..=prepared.iterations() {
        let (result, verdict) = prepared.iterate(session, cancel).await;
        if let Some(result) = &result {
            print(result)?;
            let folder = args.output_dir.as_deref().map(|dir| iteration_folder(dir, iteration, args.iter));
            print_files(result, folder.as_deref())?;
            info!(iteration, of = args.iter, exit_code = result.exit_code, "iteration ended");
        }
        match verdict {
            Verdict::GoOn => {}
            Verdict::Canceled => return Ok(Exit::Interrupted),
            Verdict::Failed(_, problem) => {
                error!("{problem}");
                return Ok(if result.is_some() { Exit::Benchmark } else { Exit::Failure });
            }
        }
        if cancel.is_cancelled() {
            return Ok(Exit::Interrupted);
        }
    }
    Ok(Exit::Success)
}

/// Says, once, that host tuning does nothing yet.
pub fn say_not_tuned(tuning: &TuningArgs) {
    let given = tuning.given();
    if given.is_empty() {
        info!("host tuning is not applied yet: results are as steady as this machine is");
    } else {
        warn!(flags = given.join(" "), "host tuning is not applied yet: these flags have no effect");
    }
}

fn mib(mib: u64) -> u64 {
    mib.saturating_mul(1 << 20)
}

fn order(args: &RunArgs) -> Result<Order, LocalError> {
    let given = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    Ok(Order {
        overrides: Overrides {
            entrypoint: given(&args.entrypoint),
            cmd: given(&args.cmd).or_else(|| given(&args.command)),
            env: args.env.iter().map(|pair| config::env_pair(pair)).collect::<Result<_, _>>()?,
        },
        network: if args.network { Network::Host } else { Network::None },
        resources: Resources {
            cpus: Some(args.vcpus),
            memory_bytes: Some(mib(args.memory)),
            disk_bytes: Some(mib(args.disk)),
            pids: Some(MAX_PIDS),
        },
        timeout: args.timeout.duration(),
        bounds: Bounds::from(&args.bounds),
        file_paths: args.output.clone(),
        artifacts: Vec::new(),
        measures: Measures::default(),
        iterations: args.iter,
        warmups: args.warmup,
        reuse: Reuse::wanted(args.reuse_vm),
        failures: Failures::allowed(args.allow_failure),
    })
}

fn print(result: &IterationResult) -> Result<(), LocalError> {
    write(&mut io::stdout().lock(), "stdout", &result.stdout)?;
    write(&mut io::stderr().lock(), "stderr", &result.stderr)?;
    for note in &result.notes {
        warn!("{note}");
    }
    Ok(())
}

/// Prints everything to stderr.
fn print_aside(result: &IterationResult) -> Result<(), LocalError> {
    for stream in [&result.stdout, &result.stderr] {
        write(&mut io::stderr().lock(), "stderr", stream)?;
    }
    Ok(())
}

fn print_files(result: &IterationResult, folder: Option<&Path>) -> Result<(), LocalError> {
    for (path, bytes) in &result.files {
        match folder {
            None => write(&mut io::stdout().lock(), "stdout", bytes)?,
            Some(folder) => {
                let target = folder.join(below(path)?);
                let failed = |source| LocalError::Write { what: target.display().to_string(), source };
                std::fs::create_dir_all(target.parent().unwrap_or(folder)).map_err(failed)?;
                std::fs::write(&target, bytes).map_err(failed)?;
                info!(file = %target.display(), "written");
            }
        }
    }
    Ok(())
}

fn write(to: &mut impl io::Write, what: &str, bytes: &Bytes) -> Result<(), LocalError> {
    to.write_all(bytes).and_then(|()| to.flush()).map_err(|source| LocalError::Write { what: what.to_owned(), source })
}

fn iteration_folder(dir: &Path, iteration: u32, of: u32) -> PathBuf {
    if of == 1 { dir.to_owned() } else { dir.join(iteration.to_string()) }
}

/// A path inside an image as a relative one that cannot leave the folder it is joined to.
fn below(path: &str) -> Result<PathBuf, LocalError> {
    let mut relative = PathBuf::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => relative.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return Err(LocalError::Escape(path.to_owned())),
        }
    }
    if relative.as_os_str().is_empty() { Err(LocalError::Escape(path.to_owned())) } else { Ok(relative) }
}

impl LocalError {
    /// What the process's exit code says of it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::Reference(_) | Self::NoRegistry(_) => Exit::Usage,
            Self::Sandbox(problem) if problem.is_lasting() => Exit::Unable,
            _ => Exit::Failure,
        }
    }
}

#[cfg(test)]
mod tests;
