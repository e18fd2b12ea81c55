//! What every request and task of the server shares.

use std::sync::Arc;

use bencher_types::ServerUuid;

use object_store::ObjectStore;
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    billing,
    blobs::{self, Blobs, Commit},
    bus::{self, Bus},
    chain::chain,
    change_point,
    channel::hub::Hub,
    clock::Clock,
    config::{Config, ConfigError},
    deletion,
    event::Streams,
    mail::{MailError, Mailer},
    process, queue,
    rate::{self, Rates},
    registry::{self, bandwidth::Bandwidth, upload::Uploads},
    run::Configurations,
    scraps,
    seal::Sealer,
    store::{Store, StoreError},
    tls::{self, Certificates, TlsError},
    token::Tokens,
};

/// The running server's parts. Shared as `Arc<App>`; there is one per process.
#[derive(Debug)]
pub struct App {
    pub config: Config,
    pub store: Store,
    /// Image blobs and job output.
    pub blobs: Arc<dyn ObjectStore>,
    /// Uploads to the registry that are under way.
    pub uploads: Uploads,
    /// Of the images that jobs ran of late.
    pub(crate) image_configurations: Configurations,
    pub hub: Hub,
    pub bus: Bus,
    /// Who follows events.
    pub streams: Streams,
    /// The server stops: what would go on for ever ends.
    pub stopping: CancellationToken,
    /// A job was claimed: its lease has to be watched.
    pub lease_taken: Notify,
    /// Results wait to be turned into metrics.
    pub results_arrived: Notify,
    /// Series have other points than before: changes have to be looked for.
    pub points_changed: Notify,
    pub mail: Mailer,
    pub clock: Clock,
    /// How often who did what.
    pub rates: Rates,
    /// How much the registry moved for whom.
    pub bandwidth: Bandwidth,
    /// There is none where the server speaks plain HTTP.
    pub certificates: Option<Arc<Certificates>>,
    pub tokens: Tokens,
    pub sealer: Sealer,
    pub server: ServerUuid,
}

/// The server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the configuration is not usable")]
    Config(#[from] ConfigError),
    #[error(
        "another server uses the database {} already, and SQLite serves one: stop the other, or let both use PostgreSQL \
         (`database.url`)", path.display()
    )]
    InUse { path: std::path::PathBuf },
    #[error("could not take the lock {}", path.display())]
    Lock {
        path: std::path::PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("could not set up TLS (`server.tls`)")]
    Tls(#[source] TlsError),
    #[error("could not create the folder {}", path.display())]
    Folder {
        path: std::path::PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("mail cannot be sent as configured")]
    Mail(#[source] MailError),
    #[error("could not open the database")]
    Store(#[source] StoreError),
    #[error("could not open the blob store")]
    Blobs(#[source] blobs::OpenError),
}

impl App {
    /// Opens the database and makes the parts. Nothing listens yet.
    ///
    /// # Errors
    /// The configuration is not usable, a folder cannot be made, or the database cannot be opened.
    pub async fn open(config: Config, clock: Clock) -> Result<Arc<Self>, StartError> {
        let location = config.database()?;
        let certificates = config.server.tls.clone().map(Certificates::load).transpose().map_err(StartError::Tls)?;
        let rate_limiting = config.rate_limiting();
        let rates = Rates::new(&rate_limiting);
        let bandwidth = Bandwidth::new(rate_limiting.oci_bandwidth.filter(|_| rate_limiting.enabled != Some(false)));
        if let crate::store::DatabaseLocation::Sqlite(file) = &location {
            make_parent(file)?;
        }
        let Blobs { store: blobs, commit } = blobs::open(&config).map_err(StartError::Blobs)?;
        let uploads = open_uploads(&config, commit)?;
        let store = Store::open(&location).await.map_err(StartError::Store)?;
        let rates = if store.is_shared() { rates.shared() } else { rates };
        let server = store.server_uuid(clock.now()).await.map_err(StartError::Store)?;
        let sealer = Sealer::new(&config.security.secret_key);
        let tokens = Tokens::new(&config.security.secret_key, config.issuer());
        let mail = Mailer::new(config.smtp.as_ref(), &config.console.url, clock.clone()).map_err(StartError::Mail)?;
        Ok(Arc::new(Self {
            config,
            store,
            blobs,
            uploads,
            image_configurations: Configurations::default(),
            hub: Hub::default(),
            bus: Bus::default(),
            streams: Streams::default(),
            stopping: CancellationToken::new(),
            lease_taken: Notify::new(),
            results_arrived: Notify::new(),
            points_changed: Notify::new(),
            mail,
            clock,
            rates,
            bandwidth,
            certificates,
            tokens,
            sealer,
            server,
        }))
    }
}

/// Makes sure that no other server works with the same SQLite file, for as long as the returned file is open. Jobs that one of two took
/// in would not wake the runners of the other, and each would take up what the other has in its hands. Nothing for PostgreSQL, which is
/// there for several servers.
///
/// # Errors
/// There is another server, or the lock cannot be taken.
pub fn claim_database(config: &Config) -> Result<Option<std::fs::File>, StartError> {
    let crate::store::DatabaseLocation::Sqlite(path) = config.database()? else { return Ok(None) };
    make_parent(&path)?;
    // Not the database itself: SQLite has locks of its own on that.
    let mut lock = path.clone().into_os_string();
    lock.push(".lock");
    let lock = std::path::PathBuf::from(lock);
    let failed = |source| StartError::Lock { path: lock.clone(), source };
    let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&lock).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Err(StartError::InUse { path }),
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// What the server does beside answering requests, for as long as this lives.
#[must_use = "dropping this stops the tasks"]
#[derive(Debug)]
pub struct Background {
    _tasks: JoinSet<()>,
}

impl App {
    /// Takes up the jobs that were in flight when the server stopped, and follows them and all later ones.
    ///
    /// # Errors
    /// The database failed.
    pub async fn start_background(self: &Arc<Self>) -> Result<Background, StoreError> {
        let bell = bus::begin(self).await?;
        // Nobody listened to the runners meanwhile: they get their time again.
        let in_flight = self.store.extend_leases(self.config.heartbeat_timeout(), self.clock.now()).await?;
        if in_flight > 0 {
            tracing::info!(jobs = in_flight, "waiting for the runners of jobs in flight");
        }
        let mut tasks = JoinSet::new();
        tasks.spawn(bus::listen(self.clone(), bell));
        tasks.spawn(bus::follow(self.clone()));
        tasks.spawn(bus::keep_swept(self.clone()));
        if self.store.is_shared() {
            tasks.spawn(bus::tell(self.clone()));
            tasks.spawn(bus::take_over_results(self.clone()));
        }
        tasks.spawn(queue::watch_leases(self.clone()));
        tasks.spawn(process::process_results(self.clone()));
        tasks.spawn(change_point::keep_looking(self.clone()));
        tasks.spawn(registry::upload::upkeep(self.clone()));
        tasks.spawn(registry::collect::keep_collecting(self.clone()));
        tasks.spawn(registry::verify::keep_verifying(self.clone()));
        tasks.spawn(deletion::resume(self.clone()));
        tasks.spawn(rate::keep_swept(self.clone()));
        if self.config.blob_bucket().is_some() {
            tasks.spawn(try_bucket(self.clone()));
        }
        tasks.spawn(billing::keep_reporting(self.clone()));
        tasks.spawn(scraps::keep_swept(self.clone()));
        if let Some(certificates) = &self.certificates {
            tasks.spawn(tls::watch(self.clone(), certificates.clone()));
        }
        Ok(Background { _tasks: tasks })
    }
}

/// Says at the start what the first push or job would find out. No reason not to start: most of what a server does needs no blobs.
async fn try_bucket(app: Arc<App>) {
    match blobs::probe(app.blobs.as_ref()).await {
        Ok(()) => tracing::info!("the bucket of blobs answers"),
        Err(error) => tracing::error!(
            error = chain(&error),
            "the bucket of blobs does not let this server in (`plus.registry.data_store`): images and the output of jobs cannot be stored"
        ),
    }
}

/// Uploads are collected in a folder: beside the blobs, where those are in a folder too, so that finishing one is a rename.
fn open_uploads(config: &Config, commit: Commit) -> Result<Uploads, StartError> {
    let path = config.blob_folder().join(registry::upload::FOLDER);
    match std::fs::create_dir_all(&path) {
        Ok(()) => Ok(Uploads::new(path, commit, config.max_uploads())),
        Err(source) => Err(StartError::Folder { path, source }),
    }
}

fn make_parent(file: &std::path::Path) -> Result<(), StartError> {
    match file.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => std::fs::create_dir_all(parent).map_err(|source| StartError::Folder { path: parent.to_owned(), source }),
        None => Ok(()),
    }
}
