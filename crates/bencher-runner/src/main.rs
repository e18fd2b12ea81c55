//! The program `runner`: arguments, log, signals, exit code. What happens between is the library's.

use std::{io::IsTerminal as _, process::ExitCode};

use anyhow::Context as _;
use bencher_runner::{
    chain::chain,
    cli::{Cli, Command, LogFormat, UpArgs},
    config::{ConfigError, UpConfig},
    daemon::Daemon,
    data_dir::{DataDir, DataDirError},
    exit::Exit,
    job::worker::Worker,
    local::{self, LocalError},
};
use clap::Parser as _;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

/// The environment variable with what the log shows.
const LOG_VARIABLE: &str = "BENCHER_LOG";
/// What the log shows where that says nothing.
const DEFAULT_LOG: &str = "info";

fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log(cli.log_format);
    // Fails only where one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(error = %chain(&error), "could not start");
            return Exit::Failure.into();
        }
    };
    let result = runtime.block_on(async {
        let stop = stop_signals()?;
        match &cli.command {
            Command::Up(args) => up(args, stop).await,
            Command::Run(args) => Ok(local::run(args, stop).await?),
        }
    });
    let exit = result.unwrap_or_else(|error| {
        let error: &(dyn std::error::Error + 'static) = error.as_ref();
        error!("{}", chain(error));
        exit_of(error)
    });
    exit.into()
}

async fn up(args: &UpArgs, stop: mpsc::Receiver<()>) -> anyhow::Result<Exit> {
    let config = UpConfig::new(args)?;
    let data = DataDir::open(config.data_dir.clone())?;
    local::say_not_tuned(&args.tuning);
    if args.update_channel.is_some() {
        warn!("--update-channel has no effect: this version refuses updates");
    }
    let worker = Worker::open(&config.job, &data).await.context("could not get ready to run jobs")?;
    let daemon = Daemon::new(&config, data, worker)?;
    info!(host = %config.host, runner = %config.runner, data_dir = %config.data_dir.display(), "started");
    daemon.run(stop).await;
    Ok(Exit::Success)
}

/// SIGTERM and Ctrl-C, as often as they come.
fn stop_signals() -> anyhow::Result<mpsc::Receiver<()>> {
    let mut terminate = signal(SignalKind::terminate()).context("could not listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("could not listen for SIGINT")?;
    let (sender, receiver) = mpsc::channel(8);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if sender.send(()).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

fn exit_of(error: &(dyn std::error::Error + 'static)) -> Exit {
    if let Some(error) = error.downcast_ref::<LocalError>() {
        error.exit()
    } else if error.is::<ConfigError>() {
        Exit::Usage
    } else if matches!(error.downcast_ref(), Some(DataDirError::InUse { .. })) {
        Exit::InUse
    } else {
        Exit::Failure
    }
}

fn start_log(format: LogFormat) {
    let asked = std::env::var(LOG_VARIABLE).ok().filter(|text| !text.is_empty());
    let (filter, problem) = match asked.as_deref().map(EnvFilter::try_new) {
        Some(Ok(filter)) => (filter, None),
        Some(Err(problem)) => (EnvFilter::new(DEFAULT_LOG), Some(problem)),
        None => (EnvFilter::new(DEFAULT_LOG), None),
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match format {
        LogFormat::Human => log.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().init(),
    }
    if let Some(problem) = problem {
        warn!(error = %chain(&problem), "{LOG_VARIABLE} cannot be read; logging as if it were `{DEFAULT_LOG}`");
    }
}
