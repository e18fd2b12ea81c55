//! Images as ext4 file systems, by digest and disk size, built once and used many times.
//!
//! ```text
//! DIR/images/ALGORITHM-HEX-SIZE/rootfs.ext4   the file system; nobody writes to it
//! DIR/images/ALGORITHM-HEX-SIZE/image.json    what it is; its last change is the image's last use
//! DIR/locks/ALGORITHM-HEX-SIZE                shared while an image is used, exclusive while it is built or removed
//! DIR/tmp/…                                   builds and removals under way, locked while somebody works on them
//! ```
//!
//! SIZE is a number of bytes, or `fitted`. An image appears by one rename after everything in it was synced, so whatever has the name is whole. The locks are the
//! kernel's, so they end with the process that holds them, and several processes may share a cache.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use bencher_types::Digest;
use oci_spec::image::ImageConfiguration;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedMutexGuard;

use crate::{
    checksum,
    document::ProcessDefaults,
    error::IoError,
    flock,
    keyed::KeyedMutex,
    limits::{CacheLimits, LOCK_POLL, MAX_CACHE_METADATA},
    sink::ext4::DiskSize,
    store::{create_private_dir, touch},
};

mod build;
mod evict;
mod key;

pub use build::Building;
pub use evict::Evicted;
pub use key::ImageKey;

const ROOTFS: &str = "rootfs.ext4";
const METADATA: &str = "image.json";
/// Images of another version are built anew. Version 1 was unpacked folders.
const VERSION: u32 = 2;

/// What is kept beside a file system.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Metadata {
    version: u32,
    digest: Digest,
    /// Absent where the file system is only as large as it must be.
    disk_bytes: Option<u64>,
    /// Microseconds since 1970.
    created_micros: i64,
    /// That are stored, which a sparse file's length does not say.
    bytes: u64,
    inodes: u64,
    /// Of the file system, as [`checksum`] makes it.
    checksum: Digest,
    config: ImageConfiguration,
}

impl Metadata {
    fn key(&self) -> ImageKey {
        ImageKey::new(self.digest.clone(), self.disk_bytes.map_or(DiskSize::Fitted, DiskSize::Bytes))
    }
}

/// A cache of images. Cheap to clone; clones share their locks.
#[derive(Clone, Debug)]
pub struct ImageCache {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    limits: CacheLimits,
    in_work: KeyedMutex<ImageKey>,
}

/// A whole image. While this or a clone of it lives, nobody removes the image.
#[derive(Clone, Debug)]
#[must_use = "the image may be removed as soon as this is dropped"]
pub struct CachedImage {
    dir: PathBuf,
    metadata: Arc<Metadata>,
    _lock: Arc<File>,
}

impl CachedImage {
    /// The digest it was asked for by.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.metadata.digest
    }

    /// How large a disk it is for.
    #[must_use]
    pub fn disk(&self) -> DiskSize {
        self.metadata.key().disk
    }

    /// The file with the ext4 file system. It is shared: mount it read-only, or clone it with [`crate::clone_disk`].
    #[must_use]
    pub fn rootfs(&self) -> PathBuf {
        self.dir.join(ROOTFS)
    }

    /// The image's whole OCI configuration.
    #[must_use]
    pub fn config(&self) -> &ImageConfiguration {
        &self.metadata.config
    }

    /// Entrypoint, command, environment, folder, user and labels.
    #[must_use]
    pub fn process(&self) -> ProcessDefaults {
        ProcessDefaults::from(self.config())
    }

    /// Bytes it takes on disk. A file with holes is longer.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.metadata.bytes
    }
}

/// A line of a list of cached images.
#[derive(Clone, Debug)]
pub struct ListedImage {
    pub digest: Digest,
    pub disk: DiskSize,
    /// That are stored.
    pub bytes: u64,
    pub inodes: u64,
    pub created: bencher_types::DateTime,
    pub last_used: SystemTime,
    /// Whether somebody, in this process or another, uses or builds it now.
    pub in_use: bool,
}

impl ListedImage {
    #[must_use]
    pub fn key(&self) -> ImageKey {
        ImageKey::new(self.digest.clone(), self.disk)
    }
}

/// Either an image, or the right to build it.
#[derive(Debug)]
pub enum Acquired {
    Cached(CachedImage),
    Missing(Building),
}

impl ImageCache {
    /// Opens a cache, creates it where it is missing, and removes what died processes left behind.
    ///
    /// # Errors
    /// The folder cannot be created or read.
    pub fn open(dir: &Path, limits: CacheLimits) -> Result<Self, IoError> {
        let cache = Self { inner: Arc::new(Inner { dir: dir.to_owned(), limits, in_work: KeyedMutex::default() }) };
        for part in [dir.to_owned(), cache.images(), cache.locks(), cache.tmp()] {
            create_private_dir(&part)?;
        }
        cache.clean()?;
        Ok(cache)
    }

    fn images(&self) -> PathBuf {
        self.inner.dir.join("images")
    }

    fn locks(&self) -> PathBuf {
        self.inner.dir.join("locks")
    }

    /// Where unnamed temporary files of a build belong.
    pub(crate) fn tmp(&self) -> PathBuf {
        self.inner.dir.join("tmp")
    }

    fn image_dir(&self, key: &ImageKey) -> PathBuf {
        self.images().join(key.name())
    }

    fn lock_path(&self, key: &ImageKey) -> PathBuf {
        self.locks().join(key.name())
    }

    /// A cached image, marked as used now. A few system calls, no network.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn get(&self, key: &ImageKey) -> Result<Option<CachedImage>, IoError> {
        // Looked at first, so that questions for unknown images leave no lock files.
        if !self.image_dir(key).exists() {
            return Ok(None);
        }
        let path = self.lock_path(key);
        let lock = flock::open_or_create(&path).map_err(IoError::on("open", &path))?;
        if !flock::try_shared(&lock).map_err(IoError::on("lock", &path))? {
            return Ok(None);
        }
        self.open_locked(key, lock)
    }

    /// The image behind a lock that is held, if lock and image are still there.
    fn open_locked(&self, key: &ImageKey, lock: File) -> Result<Option<CachedImage>, IoError> {
        let path = self.lock_path(key);
        if !flock::is_still(&lock, &path).map_err(IoError::on("look at", &path))? {
            return Ok(None);
        }
        let dir = self.image_dir(key);
        let Some((metadata, file)) = read_metadata(&dir)? else { return Ok(None) };
        touch(&file).map_err(IoError::on("mark as used", &dir))?;
        Ok(Some(CachedImage { dir, metadata: Arc::new(metadata), _lock: Arc::new(lock) }))
    }

    /// The image, or the right to build it, once nobody else builds or removes it. Within a process waiters are woken; of
    /// other processes only the lock is known, so it is looked at again and again. Dropping the future gives up.
    ///
    /// # Errors
    /// The disk refuses.
    pub async fn acquire(&self, key: &ImageKey) -> Result<Acquired, IoError> {
        let claim = self.inner.in_work.lock(key).await;
        loop {
            if let Some(image) = self.get(key)? {
                return Ok(Acquired::Cached(image));
            }
            if let Some(acquired) = self.try_build(key)? {
                return acquired.into_acquired(claim);
            }
            tokio::time::sleep(LOCK_POLL).await;
        }
    }

    fn try_build(&self, key: &ImageKey) -> Result<Option<build::Locked>, IoError> {
        let path = self.lock_path(key);
        let lock = flock::open_or_create(&path).map_err(IoError::on("open", &path))?;
        if !flock::try_exclusive(&lock).map_err(IoError::on("lock", &path))?
            || !flock::is_still(&lock, &path).map_err(IoError::on("look at", &path))?
        {
            return Ok(None);
        }
        if read_metadata(&self.image_dir(key))?.is_some() {
            // Built between the look and the lock; the loop finds it.
            return Ok(None);
        }
        Ok(Some(build::Locked { cache: self.clone(), key: key.clone(), lock }))
    }

    /// All cached images, the most recently used first.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn list(&self) -> Result<Vec<ListedImage>, IoError> {
        let dir = self.images();
        let on_list = IoError::on("list", &dir);
        let mut images = Vec::new();
        for entry in fs::read_dir(&dir).map_err(&on_list)? {
            let path = entry.map_err(&on_list)?.path();
            let Some((metadata, file)) = read_metadata(&path)? else { continue };
            let last_used = file.metadata().and_then(|meta| meta.modified()).map_err(IoError::on("look at", &path))?;
            let created = bencher_types::DateTime::from_micros(metadata.created_micros)
                .map_err(io::Error::other)
                .map_err(IoError::on("read the time of", &path))?;
            images.push(ListedImage {
                in_use: self.is_in_use(&metadata.key())?,
                disk: metadata.key().disk,
                digest: metadata.digest,
                bytes: metadata.bytes,
                inodes: metadata.inodes,
                created,
                last_used,
            });
        }
        images.sort_by_key(|image| std::cmp::Reverse(image.last_used));
        Ok(images)
    }

    fn is_in_use(&self, key: &ImageKey) -> Result<bool, IoError> {
        let path = self.lock_path(key);
        match File::open(&path) {
            Ok(lock) => Ok(!flock::try_exclusive(&lock).map_err(IoError::on("lock", &path))?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(IoError::on("open", &path)(error)),
        }
    }

    /// Whether an image is on disk as it was built. Reads all that is stored of it; blocks. `None` where the image is not
    /// cached.
    ///
    /// # Errors
    /// The disk refuses. A disk that cannot read the file any more is no error here but damage.
    pub fn verify(&self, key: &ImageKey) -> Result<Option<bool>, IoError> {
        let Some(image) = self.get(key)? else { return Ok(None) };
        let path = image.rootfs();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(false)),
            Err(error) => return Err(IoError::on("open", &path)(error)),
        };
        match checksum::of_file(&file) {
            Ok(found) => Ok(Some(found == image.metadata.checksum)),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "a cached image cannot be read");
                Ok(Some(false))
            }
        }
    }
}

/// What a folder of the cache says it is, and the open file. `None` where there is nothing, or nothing this version made
/// under that name.
fn read_metadata(dir: &Path) -> Result<Option<(Metadata, File)>, IoError> {
    let path = dir.join(METADATA);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(IoError::on("open", &path)(error)),
    };
    let mut bytes = Vec::new();
    (&mut file).take(MAX_CACHE_METADATA).read_to_end(&mut bytes).map_err(IoError::on("read", &path))?;
    match serde_json::from_slice::<Metadata>(&bytes) {
        Ok(metadata) if metadata.version == VERSION && dir.file_name() == Some(metadata.key().name().as_ref()) => {
            Ok(Some((metadata, file)))
        }
        _ => Ok(None),
    }
}

type Claim = OwnedMutexGuard<()>;

#[cfg(test)]
mod tests;
