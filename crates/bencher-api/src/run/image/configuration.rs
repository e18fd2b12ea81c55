//! What an image's configuration says of its platform and its benchmark. It is named by its digest and cannot change, so what was read
//! once is remembered: many jobs run the same few images.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use bencher_types::{Digest, oci::benchmark::BENCHMARK_LABEL};
use hashlink::LruCache;
use object_store::ObjectStoreExt as _;
use serde::Deserialize;

use crate::{
    app::App,
    limits,
    registry::{blob, index::Platform},
};

/// As much of an image's configuration as is of interest here.
#[derive(Debug)]
pub(super) struct Configuration {
    pub(super) platform: Platform,
    /// The text of the label [`BENCHMARK_LABEL`].
    pub(super) benchmark: Option<String>,
}

/// The configurations that were read of late.
#[derive(Debug)]
pub(crate) struct Configurations(Mutex<LruCache<Digest, Arc<Configuration>>>);

impl Default for Configurations {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(limits::MAX_IMAGE_CONFIGS_REMEMBERED)))
    }
}

impl Configurations {
    fn get(&self, digest: &Digest) -> Option<Arc<Configuration>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    fn remember(&self, digest: Digest, configuration: &Arc<Configuration>) {
        if configuration.benchmark.as_ref().is_none_or(|label| label.len() <= limits::MAX_LABEL_BYTES_REMEMBERED) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, configuration.clone());
        }
    }
}

/// The configuration that a manifest names; `None` where there is none that can be read.
pub(super) async fn read(app: &App, manifest: &[u8]) -> Option<Arc<Configuration>> {
    #[derive(Deserialize)]
    struct Manifest {
        config: Config,
    }
    #[derive(Deserialize)]
    struct Config {
        digest: Digest,
        size: u64,
    }

    let Manifest { config } = serde_json::from_slice(manifest).ok()?;
    if config.size > limits::MAX_IMAGE_CONFIG_BYTES {
        return None;
    }
    if let Some(known) = app.image_configurations.get(&config.digest) {
        return Some(known);
    }
    let content = app.store.oci_content(&config.digest).await.ok()??;
    let stored = async { app.blobs.get(&blob::key(&config.digest, content.copy)).await?.bytes().await };
    let configuration = Arc::new(parse(&stored.await.ok()?)?);
    app.image_configurations.remember(config.digest, &configuration);
    Some(configuration)
}

fn parse(document: &[u8]) -> Option<Configuration> {
    #[derive(Deserialize)]
    struct Document {
        #[serde(flatten)]
        platform: Platform,
        config: Option<Defaults>,
    }
    #[derive(Deserialize)]
    struct Defaults {
        #[serde(rename = "Labels")]
        labels: Option<BTreeMap<String, String>>,
    }

    let Document { platform, config } = serde_json::from_slice(document).ok()?;
    let benchmark = config.and_then(|config| config.labels?.remove(BENCHMARK_LABEL));
    Some(Configuration { platform, benchmark })
}
