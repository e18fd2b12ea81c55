//! An image that is being built: in a folder of its own until everything is on disk, then in its place by one rename.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use bencher_types::DateTime;
use oci_spec::image::ImageConfiguration;

use super::{Acquired, CachedImage, Claim, ImageCache, ImageKey, METADATA, Metadata, ROOTFS, VERSION};
use crate::{checksum, clock, error::IoError, flock, sink::ext4::DiskSize, store::sync_dir};

/// Bytes of a block as `stat` counts them.
const STAT_BLOCK: u64 = 512;

/// The exclusive lock of an image that is not there.
pub(super) struct Locked {
    pub(super) cache: ImageCache,
    pub(super) key: ImageKey,
    pub(super) lock: File,
}

impl Locked {
    pub(super) fn into_acquired(self, claim: Claim) -> Result<Acquired, IoError> {
        let workshop = Workshop::new(&self.cache)?;
        let Self { cache, key, lock } = self;
        Ok(Acquired::Missing(Building { cache, key, lock, workshop, _claim: claim }))
    }
}

/// The right to build an image. Dropping it gives the right back and removes what was written.
#[derive(Debug)]
#[must_use = "write to `rootfs` and publish"]
pub struct Building {
    cache: ImageCache,
    key: ImageKey,
    lock: File,
    workshop: Workshop,
    _claim: Claim,
}

impl Building {
    /// Where to write the file system; nothing is there yet.
    #[must_use]
    pub fn rootfs(&self) -> PathBuf {
        self.workshop.dir.join(ROOTFS)
    }

    /// How large a disk it is to be.
    #[must_use]
    pub fn disk(&self) -> DiskSize {
        self.key.disk
    }

    /// Makes what was written, a file system of so many inodes, the cached image. Reads it for its checksum and waits for
    /// the disk; blocks. `None` where it was removed at once by another process that needed room.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn publish(self, inodes: u64, config: ImageConfiguration) -> Result<Option<CachedImage>, IoError> {
        let now = clock::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let created = DateTime::from_micros(i64::try_from(now.as_micros()).unwrap_or(0)).map_or(0, DateTime::as_micros);
        let (checksum, bytes) = self.settle()?;
        let disk_bytes = match self.key.disk {
            DiskSize::Fitted => None,
            DiskSize::Bytes(bytes) => Some(bytes),
        };
        let digest = self.key.digest.clone();
        let metadata =
            Metadata { version: VERSION, digest, disk_bytes, created_micros: created, bytes, inodes, checksum, config };
        self.write_metadata(&metadata)?;
        let Self { cache, key, lock, workshop, _claim } = self;
        let target = cache.image_dir(&key);
        // Something of another version may have the name; nobody uses it, for the lock is ours.
        cache.discard(&target)?;
        fs::rename(&workshop.dir, &target).map_err(IoError::on("put in place", &target))?;
        sync_dir(&cache.images())?;
        drop(workshop);
        // The change of the lock is no single step: in between, another process may remove the image.
        let path = cache.lock_path(&key);
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockShared).map_err(IoError::on("lock", &path))?;
        let image = cache.open_locked(&key, lock)?;
        cache.evict()?;
        Ok(image)
    }

    /// Gets the file onto the disk, where no power cut takes it and no late write disturbs a benchmark. Returns its
    /// checksum, made meanwhile, and the bytes it takes.
    fn settle(&self) -> Result<(bencher_types::Digest, u64), IoError> {
        let path = self.rootfs();
        let file = File::open(&path).map_err(IoError::on("open", &path))?;
        let read_only = fs::Permissions::from_mode(0o400);
        file.set_permissions(read_only).map_err(IoError::on("change the mode of", &path))?;
        let (synced, checksum) = std::thread::scope(|scope| {
            let syncing = scope.spawn(|| file.sync_all());
            let checksum = checksum::of_file(&file);
            (syncing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), checksum)
        });
        synced.map_err(IoError::on("sync", &path))?;
        let checksum = checksum.map_err(IoError::on("read", &path))?;
        let stored = file.metadata().map_err(IoError::on("look at", &path))?.blocks().saturating_mul(STAT_BLOCK);
        Ok((checksum, stored))
    }

    fn write_metadata(&self, metadata: &Metadata) -> Result<(), IoError> {
        let path = self.workshop.dir.join(METADATA);
        let on_write = IoError::on("write", &path);
        let json = serde_json::to_vec(metadata).map_err(|error| on_write(io::Error::other(error)))?;
        let written = File::create(&path).and_then(|mut file| file.write_all(&json).and_then(|()| file.sync_all()));
        written.map_err(&on_write)?;
        sync_dir(&self.workshop.dir)
    }
}

/// A folder in `tmp`, locked while somebody works in it, removed at the end unless it was renamed away.
#[derive(Debug)]
pub(super) struct Workshop {
    pub(super) dir: PathBuf,
    _lock: File,
}

impl Workshop {
    pub(super) fn new(cache: &ImageCache) -> Result<Self, IoError> {
        let tmp = cache.tmp();
        loop {
            let on_create = IoError::on("create a folder in", &tmp);
            let dir = tempfile::Builder::new().prefix("build-").tempdir_in(&tmp).map_err(on_create)?.keep();
            // A process that is just starting may take it for a leftover until it is locked. Then the next one.
            let lock = match File::open(&dir) {
                Ok(lock) => lock,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(IoError::on("open", &dir)(error)),
            };
            let locked = flock::try_exclusive(&lock).map_err(IoError::on("lock", &dir))?;
            if locked && flock::is_still(&lock, &dir).map_err(IoError::on("look at", &dir))? {
                return Ok(Self { dir, _lock: lock });
            }
        }
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        if self.dir.exists()
            && let Err(error) = remove_tree(&self.dir)
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "the next start removes what stays");
        }
    }
}

/// Removes a folder with everything in it. Without root's rights, folders that forbid it are opened up first.
pub(super) fn remove_tree(dir: &Path) -> Result<(), IoError> {
    match fs::remove_dir_all(dir) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => open_up(dir)?,
        Err(error) => return Err(IoError::on("remove", dir)(error)),
    }
    fs::remove_dir_all(dir).map_err(IoError::on("remove", dir))
}

fn open_up(dir: &Path) -> Result<(), IoError> {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(IoError::on("change the mode of", dir))?;
    for entry in fs::read_dir(dir).map_err(IoError::on("list", dir))? {
        let entry = entry.map_err(IoError::on("list", dir))?;
        // The type of the entry itself: links are not followed.
        if entry.file_type().map_err(IoError::on("look at", dir))?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}
