//! `bencher-api`: reads the configuration, opens the database and serves.

mod cli;

use std::process::ExitCode;

use anyhow::Context as _;
use bencher_api::{
    app::{self, App},
    clock::Clock,
    config::{Config, Loaded},
    http, log, notify,
};
use clap::Parser as _;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Some(Command::Migrate(args)) = &cli.command {
        log::init(cli.log, None)?;
        runtime.block_on(cli::migrate(args))?;
        return Ok(ExitCode::SUCCESS);
    }
    if matches!(cli.command, Some(Command::Restore(_) | Command::Registry(_)))
        && cli.config_json.is_none()
        && !cli.config.exists()
    {
        log::init(cli.log, None)?;
        // To write one would be to work on another installation than the one that is meant.
        anyhow::bail!("there is no configuration file {}", cli.config.display());
    }
    let loaded = Config::load(cli.config_json.as_deref(), &cli.config);
    let logging = loaded.as_ref().ok().and_then(|loaded| loaded.config.logging.as_ref());
    if let Err(error) = log::init(cli.log.clone(), logging) {
        log::init(cli.log, None)?;
        return Err(error.into());
    }
    let Loaded { mut config, notes } = loaded?;
    for note in notes {
        tracing::warn!("{note}");
    }
    if let Some(bind) = cli.bind {
        config.rebind(bind);
    }
    match &cli.command {
        Some(Command::Restore(args)) => runtime.block_on(cli::restore(args, &config))?,
        Some(Command::Registry(command)) => {
            let is_well = runtime.block_on(cli::registry(command, config))?;
            return Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Some(Command::Migrate(_)) | None => runtime.block_on(serve(config))?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let address = config.server.bind_address;
    let _only_one = app::claim_database(&config)?;
    let app = App::open(config, Clock::System).await?;
    let listener = tokio::net::TcpListener::bind(address).await.with_context(|| format!("could not listen at {address}"))?;
    let address = listener.local_addr()?;
    tracing::info!(%address, server.uuid = %app.server, "listening");
    http::raise_open_files();
    let background = app.start_background().await.context("could not take up the jobs in flight")?;
    let shutdown = shutdown_signal();
    let _signs_of_life = notify::ready(address);
    http::serve(listener, app.clone(), shutdown).await;
    drop(background);
    app.mail.finish().await;
    app.store.close().await;
    Ok(())
}

/// Resolves when the server is to stop. Signals are caught from the call on, so that none of them just ends the process.
fn shutdown_signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("a signal handler can be installed at start");
    let mut interrupt = signal(SignalKind::interrupt()).expect("a signal handler can be installed at start");
    async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        notify::stopping();
        tracing::info!("shutting down");
    }
}
