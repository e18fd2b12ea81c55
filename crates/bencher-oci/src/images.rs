//! An image by digest, whatever that takes: from the cache if it is there, else fetched, merged, written as a
//! file system and cached.

use std::{path::Path, sync::Arc};

use bencher_types::Digest;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use crate::{
    cache::{Acquired, Building, CachedImage, ImageCache, ImageKey},
    client::RegistryClient,
    document::ResolvedImage,
    error::{IoError, PullError, join_error},
    layout::Layout,
    limits::{CacheLimits, Limits, MAX_CACHE_RACES, StoreLimits},
    merge::{self, LayerInput, MergeError},
    platform::Platform,
    progress::{Progress, ProgressEvent, Silent},
    sink::{
        TreeSink as _,
        ext4::{DiskSize, Ext4Error, Ext4Options, Ext4Sink},
    },
    store::{Blob, BlobStore},
};

/// Content store and image cache of one machine. Cheap to clone.
#[derive(Clone)]
pub struct Images {
    store: BlobStore,
    cache: ImageCache,
    limits: Limits,
    platform: Platform,
    progress: Arc<dyn Progress>,
}

/// How [`Images`] are kept.
#[derive(Clone, Debug, Default)]
pub struct ImagesOptions {
    pub limits: Limits,
    pub store: StoreLimits,
    pub cache: CacheLimits,
}

impl Images {
    /// Opens store (`DIR/store`) and cache (`DIR/cache`), and removes what died processes left there.
    ///
    /// # Errors
    /// The folders cannot be created or read.
    pub fn open(dir: &Path, options: ImagesOptions) -> Result<Self, IoError> {
        Ok(Self {
            store: BlobStore::open(&dir.join("store"), options.store)?,
            cache: ImageCache::open(&dir.join("cache"), options.cache)?,
            limits: options.limits,
            platform: Platform::host(),
            progress: Arc::new(Silent),
        })
    }

    /// Who is told of merging and writing. Transfers are told to the client's observer.
    #[must_use]
    pub fn progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = progress;
        self
    }

    #[must_use]
    pub fn store(&self) -> &BlobStore {
        &self.store
    }

    #[must_use]
    pub fn cache(&self) -> &ImageCache {
        &self.cache
    }

    /// The image behind the digest of a manifest or index, on a disk of that size. One that is cached is there after a few system calls; the
    /// registry is not asked.
    ///
    /// # Errors
    /// The image cannot be fetched, is not for this machine, damaged, hostile or beyond a bound; the disk refuses; `cancel`
    /// fired. [`PullError::blame`] tells these apart.
    pub async fn ensure(
        &self,
        client: &RegistryClient,
        repository: &str,
        digest: &Digest,
        disk: DiskSize,
        cancel: &CancellationToken,
    ) -> Result<CachedImage, PullError> {
        let key = ImageKey::new(digest.clone(), disk);
        if let Some(image) = self.cache.get(&key)? {
            return Ok(image);
        }
        let pull = async {
            for _ in 0..MAX_CACHE_RACES {
                let building = match self.cache.acquire(&key).await? {
                    Acquired::Cached(image) => return Ok(image),
                    Acquired::Missing(building) => building,
                };
                if let Some(image) = self.pull(client, repository, digest, building, cancel).await? {
                    return Ok(image);
                }
            }
            Err(PullError::CacheThrashing(digest.clone()))
        };
        cancel.run_until_cancelled(pull).await.unwrap_or(Err(PullError::Canceled))
    }

    async fn pull(
        &self,
        client: &RegistryClient,
        repository: &str,
        digest: &Digest,
        building: Building,
        cancel: &CancellationToken,
    ) -> Result<Option<CachedImage>, PullError> {
        let named = format!("{repository}@{digest}");
        let on_registry = |source| PullError::Registry { image: named.clone(), source };
        let image = client.resolve(repository, &digest.to_string(), &self.platform).await.map_err(on_registry)?;
        let mut building = building;
        let mut second_try = false;
        loop {
            // Futures made before the stream: a closure that borrows inside of one would make this future impossible to spawn.
            let fetches: Vec<_> =
                image.layers.iter().map(|layer| client.fetch_blob(&self.store, repository, &layer.blob)).collect();
            let blobs: Vec<Blob> = stream::iter(fetches).buffered(client.parallel()).try_collect().await.map_err(on_registry)?;
            let layers: Vec<_> = image
                .layers
                .iter()
                .zip(&blobs)
                .map(|(layer, blob)| LayerInput { layer: layer.clone(), file: Arc::clone(blob.file()) })
                .collect();
            let (returned, built) = self.build(building, &image, layers, cancel).await?;
            match (built, returned) {
                // What the store keeps was verified when it came, so the disk lost it. Once more from the registry.
                (Err(PullError::Merge { source, .. }), Some(returned)) if !second_try && source.damaged_blob().is_some() => {
                    tracing::warn!(error = &*source as &dyn std::error::Error, "fetching a damaged layer again");
                    if let Some(damaged) = source.damaged_blob() {
                        self.store.remove(damaged)?;
                    }
                    (building, second_try) = (returned, true);
                }
                (built, _) => return built,
            }
        }
    }

    /// The image of a layout folder, cached under the digest of its manifest.
    ///
    /// # Errors
    /// As [`Images::ensure`].
    pub async fn ensure_from_layout(
        &self,
        layout: &Layout,
        reference: Option<&str>,
        disk: DiskSize,
        cancel: &CancellationToken,
    ) -> Result<CachedImage, PullError> {
        let image = layout.resolve(reference, &self.platform, &self.limits).map_err(PullError::Layout)?;
        let key = ImageKey::new(image.digest.clone(), disk);
        let ensure = async {
            for _ in 0..MAX_CACHE_RACES {
                let building = match self.cache.acquire(&key).await? {
                    Acquired::Cached(image) => return Ok(image),
                    Acquired::Missing(building) => building,
                };
                let layers = image
                    .layers
                    .iter()
                    .map(|layer| {
                        let file = layout.open_blob(&layer.blob.digest).map_err(PullError::Layout)?;
                        Ok(LayerInput { layer: layer.clone(), file: Arc::new(file) })
                    })
                    .collect::<Result<_, PullError>>()?;
                let (_, built) = self.build(building, &image, layers, cancel).await?;
                if let Some(image) = built? {
                    return Ok(image);
                }
            }
            Err(PullError::CacheThrashing(image.digest.clone()))
        };
        cancel.run_until_cancelled(ensure).await.unwrap_or(Err(PullError::Canceled))
    }

    /// Merges, writes and publishes on a blocking thread, which stops when this future is dropped. The right to build comes
    /// back where nothing was written yet.
    async fn build(
        &self,
        building: Building,
        image: &ResolvedImage,
        layers: Vec<LayerInput>,
        cancel: &CancellationToken,
    ) -> Result<(Option<Building>, Result<Option<CachedImage>, PullError>), PullError> {
        let work = Work {
            limits: self.limits.clone(),
            progress: Arc::clone(&self.progress),
            digest: image.digest.clone(),
            config: image.config.clone(),
            spool_dir: self.cache.tmp(),
            cancel: cancel.child_token(),
        };
        let _stop_when_dropped = work.cancel.clone().drop_guard();
        let done = tokio::task::spawn_blocking(move || work.run(building, &layers)).await;
        done.map_err(|error| IoError::on("build in", &self.cache.tmp())(join_error(error)).into())
    }
}

/// Everything the blocking part needs.
struct Work {
    limits: Limits,
    progress: Arc<dyn Progress>,
    digest: Digest,
    config: oci_spec::image::ImageConfiguration,
    spool_dir: std::path::PathBuf,
    cancel: CancellationToken,
}

impl Work {
    fn run(self, building: Building, layers: &[LayerInput]) -> (Option<Building>, Result<Option<CachedImage>, PullError>) {
        self.progress.on(ProgressEvent::Merging { layers: layers.len() });
        match merge::merge(layers, &self.limits, &self.spool_dir, &self.cancel) {
            Ok(tree) => (None, self.write(building, &tree)),
            Err(MergeError::Canceled) => (None, Err(PullError::Canceled)),
            Err(source) => (Some(building), Err(PullError::Merge { digest: self.digest, source: Box::new(source) })),
        }
    }

    fn write(self, building: Building, tree: &merge::Tree) -> Result<Option<CachedImage>, PullError> {
        let summary = tree.summary();
        self.progress.on(ProgressEvent::Writing { entries: summary.inodes(), bytes: summary.stored_bytes });
        let sink = Ext4Sink::new(&building.rootfs(), Ext4Options::of_size(building.disk()));
        let written = sink.write(tree, &self.cancel).map_err(|source| match source {
            Ext4Error::Canceled => PullError::Canceled,
            source => PullError::Write { digest: self.digest, source: Box::new(source) },
        })?;
        if written.skipped_xattrs > 0 {
            tracing::warn!(attributes = written.skipped_xattrs, "left out of the image: its file system has no place for them");
        }
        Ok(building.publish(written.inodes, self.config)?)
    }
}
