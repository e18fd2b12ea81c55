//! Looking after the images kept on this machine, beside a runner that may be using them: the locks of store and cache see to
//! it that nothing in use goes.

use std::{path::Path, time::Duration};

use bencher_oci::{
    BlobStore, CacheLimits, DiskSize, ImageCache, IoError, StoreLimits,
    store::{StoreUsage, Verdict},
};
use bencher_types::{DateTime, Digest};
use serde::Serialize;

/// What is kept, of both kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Images as file systems, each size of disk counted.
    pub images: u64,
    pub image_bytes: u64,
    /// Downloads: layers, whole and unfinished.
    pub downloads: u64,
    pub download_bytes: u64,
}

/// An image as a file system.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    pub digest: Digest,
    /// Size of the disk it is on; absent where that is only as large as it must be.
    pub disk_bytes: Option<u64>,
    /// That are stored.
    pub bytes: u64,
    pub files: u64,
    pub created: DateTime,
    pub last_used: Option<DateTime>,
    pub in_use: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct List {
    pub images: Vec<Listed>,
    pub usage: Usage,
}

/// What was removed, and what had to stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cleared {
    pub images: u64,
    pub downloads: u64,
    pub bytes: u64,
    pub in_use: u64,
}

/// What reading everything showed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    pub images: u64,
    pub downloads: u64,
    pub damaged: Vec<Damage>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    pub kind: &'static str,
    pub name: String,
    pub removed: bool,
}

/// The images of a data folder.
#[derive(Debug)]
pub struct Keeper {
    /// Absent where nothing was ever kept.
    kept: Option<(BlobStore, ImageCache)>,
}

impl Keeper {
    /// Opens what is there, creates nothing, and evicts nothing: the bounds are the runner's.
    ///
    /// # Errors
    /// The folders cannot be read.
    pub fn open(images: &Path) -> Result<Self, IoError> {
        if !images.join("store").exists() || !images.join("cache").exists() {
            return Ok(Self { kept: None });
        }
        let store = BlobStore::open(&images.join("store"), StoreLimits { bytes: u64::MAX })?;
        let cache = ImageCache::open(&images.join("cache"), CacheLimits { bytes: u64::MAX, max_age: Duration::MAX })?;
        Ok(Self { kept: Some((store, cache)) })
    }

    /// # Errors
    /// The folders cannot be read.
    pub fn usage(&self) -> Result<Usage, IoError> {
        Ok(self.list()?.usage)
    }

    /// The images, the most recently used first.
    ///
    /// # Errors
    /// The folders cannot be read.
    pub fn list(&self) -> Result<List, IoError> {
        let Some((store, cache)) = &self.kept else { return Ok(List { images: Vec::new(), usage: Usage::default() }) };
        let images: Vec<Listed> = cache
            .list()?
            .into_iter()
            .map(|image| Listed {
                digest: image.digest,
                disk_bytes: match image.disk {
                    DiskSize::Fitted => None,
                    DiskSize::Bytes(bytes) => Some(bytes),
                },
                bytes: image.bytes,
                files: image.inodes,
                created: image.created,
                last_used: jiff::Timestamp::try_from(image.last_used).ok().map(DateTime::from),
                in_use: image.in_use,
            })
            .collect();
        let StoreUsage { blobs, partial, bytes } = store.usage()?;
        let image_bytes = images.iter().map(|image| image.bytes).sum();
        let usage = Usage { images: images.len() as u64, image_bytes, downloads: blobs + partial, download_bytes: bytes };
        Ok(List { images, usage })
    }

    /// Removes what nobody uses now.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn clear(&self) -> Result<Cleared, IoError> {
        let Some((store, cache)) = &self.kept else { return Ok(Cleared::default()) };
        let (images, blobs) = (cache.clear()?, store.clear()?);
        Ok(Cleared {
            images: images.images,
            downloads: blobs.files,
            bytes: images.bytes + blobs.bytes,
            in_use: images.in_use + blobs.in_use,
        })
    }

    /// Reads everything. With `remove`, what is damaged and not in use goes.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn verify(&self, remove: Remove) -> Result<Verified, IoError> {
        let mut verified = Verified::default();
        let Some((store, cache)) = &self.kept else { return Ok(verified) };
        for image in cache.list()? {
            match cache.verify(&image.key())? {
                Some(true) => verified.images += 1,
                Some(false) => {
                    verified.images += 1;
                    let removed = remove == Remove::Damaged && cache.remove(&image.key())?;
                    verified.damaged.push(Damage { kind: "image", name: image.key().to_string(), removed });
                }
                // Removed, or just being removed.
                None => {}
            }
        }
        for name in store.names()? {
            match store.verify(&name)? {
                Verdict::Whole => verified.downloads += 1,
                Verdict::Damaged => {
                    verified.downloads += 1;
                    let removed = remove == Remove::Damaged && store.remove_by_name(&name)?;
                    verified.damaged.push(Damage { kind: "download", name, removed });
                }
                Verdict::Gone => {}
            }
        }
        Ok(verified)
    }
}

/// What happens to damaged content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remove {
    Nothing,
    Damaged,
}

#[cfg(test)]
mod tests;
