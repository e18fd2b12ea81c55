//! `plus.registry`: where images are kept, how large they may be, for how long what nothing needs stays, and how often what is there
//! is read again. Keys after `max_body_size` are ours.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use url::Url;

use super::{Config, ConfigError, DataStore, url_of};
use crate::{limits, store::oci::quota::Defaults};

#[skip_serializing_none]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Registry {
    /// Where clients and runners reach the registry.
    pub url: Option<Url>,
    /// The folder of image blobs and job output; beside the database when absent. Uploads are collected there in any case.
    pub folder: Option<PathBuf>,
    /// Where image blobs and job output are kept; in the folder when absent.
    pub data_store: Option<DataStore>,
    /// Seconds.
    pub upload_timeout: Option<u64>,
    /// Bytes of one blob.
    pub max_body_size: Option<u64>,
    /// Uploads that one user or key may be sending at once.
    pub max_uploads: Option<usize>,
    /// Bytes of one image for one platform.
    pub max_image_size: Option<u64>,
    /// What may be held for whom no admin has said anything else.
    pub quota: Option<Quota>,
    pub garbage_collection: Option<GarbageCollection>,
    pub verification: Option<Verification>,
}

/// Bytes; no bound where there is none.
#[skip_serializing_none]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    pub project: Option<u64>,
    pub organization: Option<u64>,
}

#[skip_serializing_none]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GarbageCollection {
    /// Whether the server collects by itself; it does when absent. `bencher-api registry gc` does in any case.
    pub enabled: Option<bool>,
    /// Seconds between two runs.
    pub interval: Option<u64>,
    /// Seconds that something stays which nothing needs any more.
    pub grace_period: Option<u64>,
}

#[skip_serializing_none]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// Whether the server reads blobs again by itself; it does when absent. `bencher-api registry verify` does in any case.
    pub enabled: Option<bool>,
    /// Seconds after which a blob is read again.
    pub interval: Option<u64>,
    /// What is read per second at most.
    pub bytes_per_second: Option<u64>,
}

impl Config {
    /// The folder of uploads, and of image blobs and job output where they are in no bucket.
    #[must_use]
    pub fn blob_folder(&self) -> PathBuf {
        let configured = self.registry().and_then(|registry| registry.folder.clone());
        configured.unwrap_or_else(|| {
            let database = self.database.file.as_deref().unwrap_or(Path::new("data/bencher.db"));
            database.parent().unwrap_or(Path::new(".")).join("blobs")
        })
    }

    /// Where clients and runners reach the registry.
    #[must_use]
    pub fn registry_url(&self) -> Url {
        self.registry().and_then(|registry| registry.url.clone()).unwrap_or_else(|| url_of(self.server.bind_address))
    }

    pub(super) fn registry(&self) -> Option<&Registry> {
        self.plus.as_ref().and_then(|plus| plus.registry.as_ref())
    }

    /// The largest blob that may be pushed, in bytes.
    #[must_use]
    pub fn max_blob_bytes(&self) -> u64 {
        let configured = self.registry().and_then(|registry| registry.max_body_size);
        configured.unwrap_or(limits::DEFAULT_MAX_BLOB_BYTES)
    }

    /// How many uploads to the registry one user or key may be sending at once.
    #[must_use]
    pub fn max_uploads(&self) -> usize {
        let configured = self.registry().and_then(|registry| registry.max_uploads);
        configured.unwrap_or(limits::DEFAULT_MAX_UPLOADS)
    }

    /// How long an upload to the registry may rest.
    #[must_use]
    pub fn upload_timeout(&self) -> Duration {
        let configured = self.registry().and_then(|registry| registry.upload_timeout);
        configured.map_or(limits::DEFAULT_UPLOAD_TIMEOUT, Duration::from_secs)
    }

    /// The largest image that may be pushed: the blobs of one manifest, in bytes.
    #[must_use]
    pub fn max_image_bytes(&self) -> u64 {
        let configured = self.registry().and_then(|registry| registry.max_image_size);
        configured.unwrap_or(limits::DEFAULT_MAX_IMAGE_BYTES)
    }

    /// What the registry may hold for whom no admin has said anything else.
    #[must_use]
    pub fn registry_quotas(&self) -> Defaults {
        let Quota { project, organization } = self.registry().and_then(|registry| registry.quota).unwrap_or_default();
        Defaults { project, organization }
    }

    fn garbage_collection(&self) -> GarbageCollection {
        self.registry().and_then(|registry| registry.garbage_collection).unwrap_or_default()
    }

    /// How often the server collects garbage; `None` where it does not by itself.
    #[must_use]
    pub fn collection_interval(&self) -> Option<Duration> {
        let GarbageCollection { enabled, interval, .. } = self.garbage_collection();
        enabled.unwrap_or(true).then(|| interval.map_or(limits::DEFAULT_COLLECTION_INTERVAL, Duration::from_secs))
    }

    /// How long something stays in the registry which nothing needs any more.
    #[must_use]
    pub fn collection_grace(&self) -> Duration {
        self.garbage_collection().grace_period.map_or(limits::DEFAULT_COLLECTION_GRACE, Duration::from_secs)
    }

    fn verification(&self) -> Verification {
        self.registry().and_then(|registry| registry.verification).unwrap_or_default()
    }

    /// After how long a blob at rest is read again; `None` where the server does not by itself.
    #[must_use]
    pub fn verification_interval(&self) -> Option<Duration> {
        let Verification { enabled, interval, .. } = self.verification();
        enabled.unwrap_or(true).then(|| interval.map_or(limits::DEFAULT_VERIFICATION_INTERVAL, Duration::from_secs))
    }

    /// What the server reads per second of blobs at rest, in bytes.
    #[must_use]
    pub fn verification_pace(&self) -> u64 {
        self.verification().bytes_per_second.unwrap_or(limits::DEFAULT_VERIFICATION_PACE)
    }

    /// The settings with what is not said in them.
    pub(super) fn shown_registry(&self) -> Registry {
        let (collection, verification) = (self.garbage_collection(), self.verification());
        let seconds = |configured: Option<u64>, default: Duration| Some(configured.unwrap_or(default.as_secs()));
        Registry {
            url: Some(self.registry_url()),
            folder: Some(self.blob_folder()),
            data_store: Some(self.blob_bucket().cloned().map_or(DataStore::Local, DataStore::AwsS3)),
            upload_timeout: Some(self.upload_timeout().as_secs()),
            max_body_size: Some(self.max_blob_bytes()),
            max_uploads: Some(self.max_uploads()),
            max_image_size: Some(self.max_image_bytes()),
            quota: Some(self.registry().and_then(|registry| registry.quota).unwrap_or_default()),
            garbage_collection: Some(GarbageCollection {
                enabled: Some(self.collection_interval().is_some()),
                interval: seconds(collection.interval, limits::DEFAULT_COLLECTION_INTERVAL),
                grace_period: Some(self.collection_grace().as_secs()),
            }),
            verification: Some(Verification {
                enabled: Some(self.verification_interval().is_some()),
                interval: seconds(verification.interval, limits::DEFAULT_VERIFICATION_INTERVAL),
                bytes_per_second: Some(self.verification_pace()),
            }),
        }
    }

    pub(super) fn check_registry(&self) -> Result<(), ConfigError> {
        for (key, number) in [
            ("plus.registry.upload_timeout", self.upload_timeout().as_secs()),
            ("plus.registry.max_body_size", self.max_blob_bytes()),
            ("plus.registry.max_uploads", self.max_uploads() as u64),
            ("plus.registry.max_image_size", self.max_image_bytes()),
            ("plus.registry.garbage_collection.interval", self.garbage_collection().interval.unwrap_or(1)),
            ("plus.registry.verification.interval", self.verification().interval.unwrap_or(1)),
        ] {
            if number == 0 {
                return Err(ConfigError::OutOfRange { key, found: "0".to_owned(), expected: "a number above 0" });
            }
        }
        if self.verification_pace() < limits::MIN_VERIFICATION_PACE {
            return Err(ConfigError::OutOfRange {
                key: "plus.registry.verification.bytes_per_second",
                found: self.verification_pace().to_string(),
                expected: "at least 65536; or set `enabled` to false",
            });
        }
        Ok(())
    }
}
