//! What leaves the cache: leftovers of died processes, images nobody used for long, and the least recently used ones beyond
//! the bound. An image in use stays, whoever uses it.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    path::Path,
};

use super::{ImageCache, ImageKey, build::remove_tree, read_metadata};
use crate::{clock, error::IoError, flock, store::remove_if_there};

/// What a removal did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evicted {
    pub images: u64,
    pub bytes: u64,
    /// Images that had to stay because somebody uses them.
    pub in_use: u64,
}

impl ImageCache {
    /// Holds the cache to its bounds of age and size.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn evict(&self) -> Result<Evicted, IoError> {
        let now = clock::now();
        let limits = &self.inner.limits;
        let mut evicted = Evicted::default();
        let mut images = self.list()?;
        let mut total: u64 = images.iter().map(|image| image.bytes).sum();
        // The list ends with the least recently used.
        while let Some(image) = images.pop() {
            let too_old = now.duration_since(image.last_used).is_ok_and(|age| age > limits.max_age);
            if total <= limits.bytes && !too_old {
                break;
            }
            if self.remove(&image.key())? {
                tracing::info!(image = %image.key(), bytes = image.bytes, "removed a cached image");
                evicted.images += 1;
                evicted.bytes += image.bytes;
                total -= image.bytes;
            } else {
                evicted.in_use += 1;
            }
        }
        Ok(evicted)
    }

    /// Removes every image nobody uses.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn clear(&self) -> Result<Evicted, IoError> {
        let mut evicted = Evicted::default();
        for image in self.list()? {
            if self.remove(&image.key())? {
                evicted.images += 1;
                evicted.bytes += image.bytes;
            } else {
                evicted.in_use += 1;
            }
        }
        Ok(evicted)
    }

    /// Removes an image unless somebody uses it. Says whether it is gone.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn remove(&self, key: &ImageKey) -> Result<bool, IoError> {
        self.remove_named(key.name().as_ref())
    }

    /// Removes whatever has a name among the images, unless somebody holds the lock of that name.
    fn remove_named(&self, name: &OsStr) -> Result<bool, IoError> {
        let path = self.locks().join(name);
        let lock = flock::open_or_create(&path).map_err(IoError::on("open", &path))?;
        if !flock::try_exclusive(&lock).map_err(IoError::on("lock", &path))?
            || !flock::is_still(&lock, &path).map_err(IoError::on("look at", &path))?
        {
            return Ok(false);
        }
        self.discard(&self.images().join(name))?;
        // While it is locked: whoever waits for it notices that it is no longer the lock.
        remove_if_there(&path)?;
        Ok(true)
    }

    /// Removes the folder of an image whose lock is held: first from its place, then from the disk.
    pub(super) fn discard(&self, dir: &Path) -> Result<(), IoError> {
        if !dir.exists() {
            return Ok(());
        }
        let trash = super::build::Workshop::new(self)?;
        let target = trash.dir.join("removed");
        fs::rename(dir, &target).map_err(IoError::on("remove", dir))?;
        drop(trash);
        Ok(())
    }

    /// Removes what no living process is responsible for.
    pub(super) fn clean(&self) -> Result<(), IoError> {
        let tmp = self.tmp();
        for entry in fs::read_dir(&tmp).map_err(IoError::on("list", &tmp))? {
            let path = entry.map_err(IoError::on("list", &tmp))?.path();
            let Ok(lock) = File::open(&path) else { continue };
            if flock::try_exclusive(&lock).map_err(IoError::on("lock", &path))? {
                tracing::info!(path = %path.display(), "removing what an interrupted build left");
                remove_leftover(&path)?;
            }
        }
        self.clean_unknown()?;
        self.evict().map(|_| ())
    }

    /// What other versions made cannot be used and is not in the list. They, too, lock what they use, under its name.
    fn clean_unknown(&self) -> Result<(), IoError> {
        let images = self.images();
        for entry in fs::read_dir(&images).map_err(IoError::on("list", &images))? {
            let entry = entry.map_err(IoError::on("list", &images))?;
            if read_metadata(&entry.path())?.is_none() && self.remove_named(&entry.file_name())? {
                tracing::info!(path = %entry.path().display(), "removed an image of another version");
            }
        }
        Ok(())
    }
}

fn remove_leftover(path: &Path) -> Result<(), IoError> {
    match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => remove_tree(path),
        Ok(_) => remove_if_there(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(IoError::on("look at", path)(error)),
    }
}
