//! The program `runner`: arguments, log, signals, exit code. What happens between is the library's.

use std::{ffi::OsString, io::IsTerminal as _, path::Path, process::ExitCode};

use anyhow::Context as _;
use bencher_runner::{
    chain::chain,
    cli::{Cli, Command, LogFormat, UpArgs},
    config::{
        ConfigError, UpConfig,
        file::DEFAULT_PATH,
        line::{self, LineError},
    },
    daemon::{Daemon, StartError, Stop, Surroundings},
    data_dir::{DataDir, DataDirError},
    doctor,
    exit::Exit,
    install::{self, InstallError},
    job::worker::{Worker, WorkerError},
    local::{self, LocalError},
    notify::Notifier,
    verbs::{self, VerbError},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let cli = match line::parse(&args, Path::new(DEFAULT_PATH)) {
        Ok(cli) => cli,
        Err(LineError::Usage(usage)) => {
            // Where nobody can be told, nothing is to be done.
            let _ = usage.print();
            return u8::try_from(usage.exit_code()).unwrap_or(Exit::Usage as u8).into();
        }
        Err(problem) => {
            start_log(EnvFilter::new("info"), LogFormat::Text);
            error!("{}", chain(&problem));
            return Exit::Usage.into();
        }
    };
    start_log(cli.log_level.filter(), cli.log_format);
    // Fails only where one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(error = %chain(&error), "could not start");
            return Exit::Failure.into();
        }
    };
    let exit = runtime.block_on(run(&cli)).unwrap_or_else(|error| {
        error!("{}", chain(error.as_ref()));
        exit_of(&error)
    });
    exit.into()
}

async fn run(cli: &Cli) -> anyhow::Result<Exit> {
    Ok(match &cli.command {
        Command::Up(args) => up(args).await?,
        Command::Run(args) => local::run(args, stop_signals()?.1).await?,
        Command::Start => verbs::start::run().map_err(VerbError::from)?,
        Command::Status(args) => verbs::status::run(args).await?,
        Command::Stop(args) => verbs::stop::run(args).await?,
        Command::Cache(command) => verbs::cache(command)?,
        Command::Doctor(args) => doctor::run(args).await?,
        Command::InstallDeps(args) => install::run(args).await?,
    })
}

async fn up(args: &UpArgs) -> anyhow::Result<Exit> {
    let (stopper, stop) = stop_signals()?;
    let config = UpConfig::new(args)?;
    let data = DataDir::open(config.data_dir.clone())?;
    local::say_not_tuned(&args.tuning);
    if args.update_channel.is_some() {
        warn!("--update-channel has no effect: this version refuses updates");
    }
    let worker = Worker::open(&config.job, &data).await?;
    let daemon = Daemon::new(&config, data, worker)?;
    info!(host = %config.host, runner = %config.runner, data_dir = %config.data_dir.display(), "started");
    daemon.run(Surroundings { stop, stopper, notifier: Notifier::from_environment() }).await;
    Ok(Exit::Success)
}

/// SIGTERM and Ctrl-C, as often as they come, and an end for others to say the same.
fn stop_signals() -> anyhow::Result<(mpsc::Sender<Stop>, mpsc::Receiver<Stop>)> {
    let mut terminate = signal(SignalKind::terminate()).context("could not listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("could not listen for SIGINT")?;
    let (sender, receiver) = mpsc::channel(8);
    let stopper = sender.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if sender.send(Stop::Signal).await.is_err() {
                return;
            }
        }
    });
    Ok((stopper, receiver))
}

fn exit_of(error: &anyhow::Error) -> Exit {
    if let Some(error) = error.downcast_ref::<LocalError>() {
        error.exit()
    } else if let Some(error) = error.downcast_ref::<InstallError>() {
        error.exit()
    } else if error.is::<ConfigError>() || matches!(error.downcast_ref(), Some(VerbError::Config(_))) {
        Exit::Usage
    } else if let Some(error) = error.downcast_ref::<DataDirError>() {
        match error {
            DataDirError::InUse { .. } => Exit::InUse,
            DataDirError::Io { .. } => Exit::Unable,
        }
    } else if matches!(error.downcast_ref(), Some(WorkerError::Sandboxes(problem)) if problem.is_lasting()) {
        Exit::Unable
    } else if matches!(error.downcast_ref(), Some(StartError::Endpoint(_))) {
        Exit::Usage
    } else {
        Exit::Failure
    }
}

fn start_log(filter: EnvFilter, format: LogFormat) {
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().init(),
    }
}
