//! `bencher-api`: reads the configuration, opens the database and serves.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use bencher_api::{
    app::{self, App},
    clock::Clock,
    config::{Config, Loaded},
    http, log, notify,
};
use clap::Parser;
use tracing_subscriber::EnvFilter;

/// Self-hosted continuous benchmarking: the server.
#[derive(Debug, Parser)]
#[command(name = "bencher-api", version)]
struct Cli {
    /// The configuration file. Written with defaults and a new secret key where it does not exist yet.
    #[arg(long, env = "BENCHER_CONFIG_PATH", default_value = bencher_api::config::DEFAULT_PATH)]
    config: PathBuf,
    /// The whole configuration as JSON, instead of a file.
    #[arg(long, env = "BENCHER_CONFIG", hide_env_values = true, conflicts_with = "config")]
    config_json: Option<String>,
    /// Listen here instead of at the configured address.
    #[arg(long, env = "BENCHER_BIND_ADDRESS")]
    bind: Option<SocketAddr>,
    /// What to log, such as `info` or `bencher_api=debug`.
    ///
    /// The configured level where this is not given, else `info`.
    #[arg(long, env = "BENCHER_LOG")]
    log: Option<EnvFilter>,
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
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
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(config))
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
