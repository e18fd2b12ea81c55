//! What every request and task of the server shares.

use std::sync::Arc;

use bencher_types::ServerUuid;

use object_store::{ObjectStore, local::LocalFileSystem};

use crate::{
    channel::hub::Hub,
    clock::Clock,
    config::{Config, ConfigError},
    store::{Store, StoreError},
    token::Tokens,
};

/// The running server's parts. Shared as `Arc<App>`; there is one per process.
#[derive(Debug)]
pub struct App {
    pub config: Config,
    pub store: Store,
    /// Image blobs and job output.
    pub blobs: Arc<dyn ObjectStore>,
    pub hub: Hub,
    pub clock: Clock,
    pub tokens: Tokens,
    pub server: ServerUuid,
}

/// The server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the configuration is not usable")]
    Config(#[from] ConfigError),
    #[error("could not create the folder {}", path.display())]
    Folder {
        path: std::path::PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("could not open the database")]
    Store(#[source] StoreError),
    #[error("could not open the blob store in {}", path.display())]
    Blobs {
        path: std::path::PathBuf,
        #[source]
        source: object_store::Error,
    },
}

impl App {
    /// Opens the database and makes the parts. Nothing listens yet.
    ///
    /// # Errors
    /// The configuration is not usable, a folder cannot be made, or the database cannot be opened.
    pub async fn open(config: Config, clock: Clock) -> Result<Arc<Self>, StartError> {
        let location = config.database()?;
        if let crate::store::DatabaseLocation::Sqlite(file) = &location {
            make_parent(file)?;
        }
        let blobs = open_blobs(config.blob_folder())?;
        let store = Store::open(&location).await.map_err(StartError::Store)?;
        let server = store.server_uuid(clock.now()).await.map_err(StartError::Store)?;
        let tokens = Tokens::new(&config.security.secret_key, config.issuer());
        Ok(Arc::new(Self { config, store, blobs, hub: Hub::default(), clock, tokens, server }))
    }
}

fn open_blobs(path: std::path::PathBuf) -> Result<Arc<dyn ObjectStore>, StartError> {
    if let Err(source) = std::fs::create_dir_all(&path) {
        return Err(StartError::Folder { path, source });
    }
    match LocalFileSystem::new_with_prefix(&path) {
        Ok(store) => Ok(Arc::new(store)),
        Err(source) => Err(StartError::Blobs { path, source }),
    }
}

fn make_parent(file: &std::path::Path) -> Result<(), StartError> {
    match file.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => std::fs::create_dir_all(parent).map_err(|source| StartError::Folder { path: parent.to_owned(), source }),
        None => Ok(()),
    }
}
