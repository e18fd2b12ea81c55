//! The command line: serving, and what is done to an installation while no server runs.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context as _;
use bencher_api::{
    app::App,
    clock::Clock,
    config::Config,
    limits::MIN_VERIFICATION_PACE,
    migrate::{self, Progress},
    registry::{
        collect,
        verify::{self, Pace},
    },
    restore::{self, Backup},
};
use bencher_types::wire::registry::{Collection, Damage, DamagedBlob, Verification};
use clap::{Parser, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use tracing_subscriber::EnvFilter;

/// Self-hosted continuous benchmarking: the server.
///
/// Without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "bencher-api", version)]
pub(crate) struct Cli {
    /// The configuration file. Written with defaults and a new secret key where it does not exist yet.
    #[arg(long, env = "BENCHER_CONFIG_PATH", default_value = bencher_api::config::DEFAULT_PATH)]
    pub(crate) config: PathBuf,
    /// The whole configuration as JSON, instead of a file.
    #[arg(long, env = "BENCHER_CONFIG", hide_env_values = true, conflicts_with = "config")]
    pub(crate) config_json: Option<String>,
    /// Listen here instead of at the configured address.
    #[arg(long, env = "BENCHER_BIND_ADDRESS")]
    pub(crate) bind: Option<SocketAddr>,
    /// What to log, such as `info` or `bencher_api=debug`.
    ///
    /// The configured level where this is not given, else `info`.
    #[arg(long, env = "BENCHER_LOG")]
    pub(crate) log: Option<EnvFilter>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Move an installation to another database and blob store
    ///
    /// Both are said by configuration files. No server may run on either. The target's database must be empty; blobs that are at
    /// the target already are compared and not copied again, so that an interrupted move can be started again.
    Migrate(Migrate),
    /// Put a backup in the place of the SQLite database
    ///
    /// No server may run. The database that was there is kept under another name.
    Restore(Restore),
    /// Look after the registry
    ///
    /// A server may run meanwhile.
    #[command(subcommand)]
    Registry(Registry),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Registry {
    /// Take away what nothing needs
    ///
    /// What nothing needs any more stays for the grace period (`plus.registry.garbage_collection`) after the first run that finds
    /// it; the server has such runs by itself.
    Gc(Gc),
    /// Read every blob, and put what is damaged or missing into quarantine
    ///
    /// What is in quarantine is not served until it is pushed again, or put back and read by another run. Ends with 1 where there
    /// is such a blob.
    Verify(Verify),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Gc {
    /// Say what would go, and change nothing.
    #[arg(long)]
    dry_run: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// Read so many bytes per second at most.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(MIN_VERIFICATION_PACE..))]
    bytes_per_second: Option<u64>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How a result is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Migrate {
    /// The configuration of the installation as it is.
    #[arg(long, value_name = "CONFIG")]
    from: PathBuf,
    /// The configuration of the installation as it is to be.
    #[arg(long, value_name = "CONFIG")]
    to: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// The backup, compressed or not.
    #[arg(value_name = "FILE")]
    backup: PathBuf,
    /// FILE is a name in the bucket of backups (`database.data_store`).
    #[arg(long)]
    from_data_store: bool,
}

/// Moves an installation, and shows how far it is where that can be seen.
pub(crate) async fn migrate(args: &Migrate) -> anyhow::Result<()> {
    let load = |path: &PathBuf| Config::load_existing(path).with_context(|| format!("could not load {}", path.display()));
    let (from, to) = (load(&args.from)?, load(&args.to)?);
    // Hides itself where nobody looks.
    let bar = ProgressBar::new(0);
    let moved = migrate::migrate(&from, &to, &mut |progress| show(&bar, progress)).await;
    bar.finish_and_clear();
    let migrate::Moved { tables, rows, blobs, bytes, found } = moved?;
    tracing::info!(tables, rows, blobs, bytes, found, "moved the installation; start the server with {}", args.to.display());
    Ok(())
}

fn show(bar: &ProgressBar, progress: Progress<'_>) {
    let style = |template| ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    match progress {
        Progress::Blobs { bytes } => {
            bar.set_style(style("blobs {wide_bar} {bytes}/{total_bytes} {eta}"));
            bar.set_length(bytes);
        }
        Progress::BlobBytes(bytes) => bar.inc(bytes),
        Progress::Table(name) => {
            bar.set_style(style("{msg} {pos} rows {spinner}"));
            bar.unset_length();
            bar.set_position(0);
            bar.set_message(name.to_owned());
        }
        Progress::Rows(rows) => bar.inc(rows),
    }
}

/// Restores a backup.
pub(crate) async fn restore(args: &Restore, config: &Config) -> anyhow::Result<()> {
    let backup = match args.from_data_store {
        true => Backup::InBucket(args.backup.to_string_lossy().into_owned()),
        false => Backup::File(args.backup.clone()),
    };
    let restored = restore::restore(config, &backup, Clock::System.now()).await?;
    if let Some(before) = &restored.before {
        tracing::info!(file = %before.display(), "kept the database that was there");
    }
    if restored.missing > 0 {
        tracing::warn!(
            missing = restored.missing,
            of = restored.blobs,
            "blobs that the backup knows are not in the blob store; put them back, or push those images again"
        );
    }
    tracing::info!(database = %restored.database.display(), blobs = restored.blobs, "restored the backup");
    Ok(())
}

/// Looks after the registry; whether all is well.
pub(crate) async fn registry(command: &Registry, config: Config) -> anyhow::Result<bool> {
    let app = App::open(config, Clock::System).await?;
    let done = match command {
        Registry::Gc(args) => gc(&app, args).await,
        Registry::Verify(args) => verify(&app, args).await,
    };
    app.store.close().await;
    done
}

async fn gc(app: &App, args: &Gc) -> anyhow::Result<bool> {
    let collected = if args.dry_run { collect::preview(app).await? } else { collect::collect(app).await? };
    let Collection { tags, manifests, released, blobs, bytes, strays, stray_bytes, .. } = collected;
    let verb = if args.dry_run { "would remove" } else { "removed" };
    print(args.format, &collected, || {
        format!(
            "{verb} {tags} tags, {manifests} manifests, {blobs} blobs of {bytes} bytes ({released} times from a repository), and \
             {strays} files that belong to nothing, of {stray_bytes} bytes\n"
        )
    })?;
    Ok(true)
}

async fn verify(app: &App, args: &Verify) -> anyhow::Result<bool> {
    let pace = args.bytes_per_second.map_or(Pace::AsFastAsItGoes, Pace::AtMost);
    let verified = verify::verify(app, pace).await?;
    print(args.format, &verified, || {
        let Verification { blobs, bytes, healed, damaged, .. } = &verified;
        let mut text = format!("read {blobs} blobs of {bytes} bytes: {} damaged, {healed} served again\n", damaged.len());
        for DamagedBlob { digest, size, damage, repositories, .. } in damaged {
            let what = match damage {
                Some(Damage::Missing) | None => "missing",
                Some(Damage::Size) => "of another size",
                Some(Damage::Content) => "of other content",
                Some(Damage::Unreadable) => "not readable",
            };
            text.push_str(&format!("{digest} ({size} bytes) is {what}; in {}\n", repositories.join(", ")));
        }
        text
    })?;
    Ok(verified.damaged.is_empty())
}

fn print(format: Format, result: &impl serde::Serialize, text: impl FnOnce() -> String) -> anyhow::Result<()> {
    use std::io::Write as _;

    let text = match format {
        Format::Text => text(),
        Format::Json => serde_json::to_string_pretty(result)? + "\n",
    };
    std::io::stdout().write_all(text.as_bytes()).context("could not write to the standard output")
}
