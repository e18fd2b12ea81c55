//! Images for jobs: which registry, which credentials, within which time. How an image gets onto disk, `bencher-oci` knows.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use bencher_oci::{
    Blame, CacheLimits, CachedImage, Credentials, DiskSize, Images, IoError, Layout, LayoutError, Platform, PullError,
    RegistryClient, RegistryError, StoreLimits, TransferLimits, client::http_client, images::ImagesOptions,
};
use bencher_types::{
    ImageRef, JobFailure, Jwt, Secret,
    wire::{job::JobConfig, spec::Sandbox},
};
use oci_spec::image::ImageConfiguration;
use tokio_util::sync::CancellationToken;
use tracing::info;
use url::Url;

/// Why the image cache cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("could not open the image cache")]
    Cache(#[source] IoError),
    #[error("could not set up the registry client")]
    Client(#[source] RegistryError),
}

/// Why an image is not there.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error(transparent)]
    Pull(PullError),
    #[error("could not find the image `{image}`")]
    Resolve {
        image: String,
        #[source]
        source: RegistryError,
    },
    #[error("the registry of the image cannot be used")]
    Registry(#[source] RegistryError),
    #[error("`{0}` is not a registry's address")]
    Host(String),
    #[error("could not read the image's folder")]
    Layout(#[source] LayoutError),
    #[error(
        "the image was not ready within {} seconds; it may be too large for the connection to its registry, or the runner's \
         --fetch-timeout too short",
        .0.as_secs()
    )]
    Timeout(Duration),
    #[error("canceled while the image was fetched")]
    Canceled,
}

impl FetchError {
    /// Whose business it is that the image is not there.
    #[must_use]
    pub fn failure(&self) -> JobFailure {
        let blame = match self {
            Self::Pull(error) => error.blame(),
            Self::Resolve { source, .. } | Self::Registry(source) => source.blame(),
            Self::Layout(_) | Self::Host(_) => Blame::Image,
            // Another runner may have the image already, or a better line.
            Self::Timeout(_) => Blame::Registry,
            Self::Canceled => Blame::Canceled,
        };
        match blame {
            Blame::Image => JobFailure::Image,
            Blame::Registry | Blame::Host => JobFailure::Infrastructure,
            Blame::Canceled => JobFailure::Canceled,
        }
    }
}

impl From<PullError> for FetchError {
    fn from(error: PullError) -> Self {
        match error {
            PullError::Canceled => Self::Canceled,
            error => Self::Pull(error),
        }
    }
}

/// The image cache of this runner, and what fetches into it.
pub struct ImageSource {
    images: Images,
    http: reqwest::Client,
}

/// An image on disk, which stays where it is for as long as this lives.
#[derive(Debug)]
pub(crate) struct Image {
    rootfs: PathBuf,
    config: ImageConfiguration,
    _lease: Option<CachedImage>,
}

impl Image {
    /// The file with its file system.
    pub(crate) fn rootfs(&self) -> &Path {
        &self.rootfs
    }

    pub(crate) fn config(&self) -> &ImageConfiguration {
        &self.config
    }

    /// A file that is no cache's.
    #[cfg(test)]
    pub(crate) fn without_lease(rootfs: PathBuf, config: ImageConfiguration) -> Self {
        Self { rootfs, config, _lease: None }
    }
}

impl From<CachedImage> for Image {
    fn from(image: CachedImage) -> Self {
        Self { rootfs: image.rootfs(), config: image.config().clone(), _lease: Some(image) }
    }
}

impl ImageSource {
    /// Opens the cache; `bytes` bounds the images, and what is downloaded for them where that default is larger.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn open(dir: &Path, bytes: u64) -> Result<Self, OpenError> {
        let options = ImagesOptions {
            store: StoreLimits { bytes: bytes.min(StoreLimits::default().bytes) },
            cache: CacheLimits { bytes, ..CacheLimits::default() },
            ..ImagesOptions::default()
        };
        let images = Images::open(dir, options).map_err(OpenError::Cache)?;
        let http = http_client(&TransferLimits::default()).map_err(OpenError::Client)?;
        Ok(Self { images, http })
    }

    /// The image of a job, with the token that the server gave for it.
    pub(crate) async fn of_job(
        &self,
        job: &JobConfig,
        token: &Jwt,
        disk: DiskSize,
        within: Duration,
        cancel: &CancellationToken,
    ) -> Result<Image, FetchError> {
        let client = RegistryClient::with_http(self.http.clone(), job.registry.clone(), Credentials::Bearer(token.clone()))
            .map_err(FetchError::Registry)?;
        // The token is for the repository of this name.
        let repository = job.project.to_string();
        info!(registry = %job.registry, repository, digest = %job.digest, "getting the image");
        let ensure = self.images.ensure(&client, &repository, &job.digest, disk, cancel);
        let ensured = tokio::time::timeout(within, ensure).await;
        Ok(ensured.map_err(|_| FetchError::Timeout(within))??.into())
    }

    /// The image that a reference names now.
    pub(crate) async fn of_reference(
        &self,
        image: &ImageRef,
        token: Option<Secret>,
        disk: DiskSize,
        cancel: &CancellationToken,
    ) -> Result<Image, FetchError> {
        let registry = registry_url(image.host().unwrap_or_default())?;
        let credentials = token.map_or(Credentials::None, Credentials::Bearer);
        let client = RegistryClient::with_http(self.http.clone(), registry, credentials).map_err(FetchError::Registry)?;
        let (reference, platform) = (image.manifest_reference(), Platform::host());
        let resolve = client.resolve(image.repository(), &reference, &platform);
        let resolved = cancel.run_until_cancelled(resolve).await.ok_or(FetchError::Canceled)?;
        let resolved = resolved.map_err(|source| FetchError::Resolve { image: image.to_string(), source })?;
        Ok(self.images.ensure(&client, image.repository(), &resolved.digest, disk, cancel).await?.into())
    }

    /// The image in a folder with an OCI image layout.
    pub(crate) async fn of_layout(&self, dir: &Path, disk: DiskSize, cancel: &CancellationToken) -> Result<Image, FetchError> {
        let layout = Layout::open(dir).map_err(FetchError::Layout)?;
        Ok(self.images.ensure_from_layout(&layout, None, disk, cancel).await?.into())
    }
}

/// The disk that an image is put on: a virtual machine's is as large as its spec says, while execution on the host never
/// writes to it.
pub(crate) fn disk_for(sandbox: Option<&Sandbox>, bytes: u64) -> DiskSize {
    match sandbox {
        Some(_) => DiskSize::Bytes(bytes),
        None => DiskSize::Fitted,
    }
}

/// Registries on this machine speak HTTP, all others HTTPS, as every OCI client has it.
fn registry_url(host: &str) -> Result<Url, FetchError> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let local = name == "localhost" || name.starts_with("127.") || name == "[::1]";
    let scheme = if local { "http" } else { "https" };
    Url::parse(&format!("{scheme}://{host}/")).map_err(|_| FetchError::Host(host.to_owned()))
}

#[cfg(test)]
mod tests;
