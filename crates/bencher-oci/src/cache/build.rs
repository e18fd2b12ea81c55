//! An image that is being built: in a folder of its own until everything is on disk, then in its place by one rename.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use bencher_types::{DateTime, Digest};
use oci_spec::image::ImageConfiguration;

use super::{Acquired, CachedImage, Claim, ImageCache, METADATA, Metadata, ROOTFS, VERSION};
use crate::{
    clock,
    error::IoError,
    flock,
    merge::Tree,
    sink::folder::{FolderWritten, Ownership},
    store::{create_private_dir, sync_dir},
};

/// Bytes an inode takes beside its content, as far as the bound is concerned: one block.
const INODE_BYTES: u64 = 4096;

/// The exclusive lock of an image that is not there.
pub(super) struct Locked {
    pub(super) cache: ImageCache,
    pub(super) digest: Digest,
    pub(super) lock: File,
}

impl Locked {
    pub(super) fn into_acquired(self, claim: Claim) -> Result<Acquired, IoError> {
        let workshop = Workshop::new(&self.cache)?;
        let Self { cache, digest, lock } = self;
        create_private_dir(&workshop.dir.join(ROOTFS))?;
        Ok(Acquired::Missing(Building { cache, digest, lock, workshop, _claim: claim }))
    }
}

/// The right to build an image. Dropping it gives the right back and removes what was written.
#[derive(Debug)]
#[must_use = "write to `rootfs` and publish"]
pub struct Building {
    cache: ImageCache,
    digest: Digest,
    lock: File,
    workshop: Workshop,
    _claim: Claim,
}

impl Building {
    /// The empty folder to write the root file system to.
    #[must_use]
    pub fn rootfs(&self) -> PathBuf {
        self.workshop.dir.join(ROOTFS)
    }

    /// Makes what was written the cached image. Waits for the disk; blocks. `None` where it was removed at once by another
    /// process that needed room.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn publish(
        self,
        tree: &Tree,
        written: FolderWritten,
        ownership: Ownership,
        config: ImageConfiguration,
    ) -> Result<Option<CachedImage>, IoError> {
        let now = clock::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let created = DateTime::from_micros(i64::try_from(now.as_micros()).unwrap_or(0)).map_or(0, DateTime::as_micros);
        let metadata = Metadata {
            version: VERSION,
            digest: self.digest.clone(),
            created_micros: created,
            bytes: written.bytes.saturating_add(written.inodes.saturating_mul(INODE_BYTES)),
            inodes: written.inodes,
            exact_ownership: ownership == Ownership::Exact,
            fingerprint: crate::fingerprint::of_tree(tree, ownership),
            config,
        };
        self.write_metadata(&metadata)?;
        let Self { cache, digest, lock, workshop, _claim } = self;
        let target = cache.image_dir(&digest);
        // Something of another version may have the name; nobody uses it, for the lock is ours.
        cache.discard(&target)?;
        fs::rename(&workshop.dir, &target).map_err(IoError::on("put in place", &target))?;
        sync_dir(&cache.images())?;
        drop(workshop);
        // The change of the lock is no single step: in between, another process may remove the image.
        let path = cache.lock_path(&digest);
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockShared).map_err(IoError::on("lock", &path))?;
        let image = cache.open_locked(&digest, lock)?;
        cache.evict()?;
        Ok(image)
    }

    fn write_metadata(&self, metadata: &Metadata) -> Result<(), IoError> {
        let path = self.workshop.dir.join(METADATA);
        let on_write = IoError::on("write", &path);
        let json = serde_json::to_vec(metadata).map_err(|error| on_write(io::Error::other(error)))?;
        File::create(&path).and_then(|mut file| file.write_all(&json)).map_err(&on_write)?;
        // Once for everything that was written, instead of once per file.
        rustix::fs::syncfs(&self.workshop.lock).map_err(IoError::on("sync", &self.workshop.dir))
    }
}

/// A folder in `tmp`, locked while somebody works in it, removed at the end unless it was renamed away.
#[derive(Debug)]
pub(super) struct Workshop {
    pub(super) dir: PathBuf,
    lock: File,
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
                return Ok(Self { dir, lock });
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
    use std::os::unix::fs::PermissionsExt as _;
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
