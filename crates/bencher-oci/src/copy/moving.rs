//! The transfers of a copy: blobs in parallel, then documents in order.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{Copy, Destination, Documented, Origin};
use crate::{
    client::{RegistryClient, RegistryError},
    document::BlobRef,
    error::{IoError, join_error},
    layout::{Layout, LayoutError},
    limits::{CHUNK, CLEAR_TRIES, LOCK_POLL, PARALLEL_COPIES, StoreLimits},
    progress::{Progress, ProgressEvent},
    store::{Blob, BlobStore},
};

/// A copy that is under way.
pub(super) struct Moving<'a> {
    from: Source<'a>,
    to: &'a Destination,
    progress: &'a Arc<dyn Progress>,
}

enum Source<'a> {
    Registry { client: &'a RegistryClient, repository: &'a str, spool: Spool },
    Layout(&'a Layout),
}

/// Where blobs of a registry are until they are whole.
struct Spool {
    store: BlobStore,
    dir: PathBuf,
}

impl<'a> Moving<'a> {
    pub(super) fn new(from: &'a Origin, to: &'a Destination, how: &'a Copy) -> Result<Self, IoError> {
        let from = match from {
            Origin::Layout { layout, .. } => Source::Layout(layout),
            Origin::Registry { client, repository, .. } => {
                let dir = match to {
                    // On the same file system as their place, so that they are moved and not copied.
                    Destination::Layout { layout, .. } => layout.unfinished(),
                    Destination::Registry { .. } => how.spool.clone(),
                };
                let store = BlobStore::open(&dir, StoreLimits { bytes: u64::MAX })?;
                Source::Registry { client, repository, spool: Spool { store, dir } }
            }
        };
        Ok(Self { from, to, progress: &how.progress })
    }

    /// Every blob's size, and whether it had to be moved.
    pub(super) async fn everything(
        &self,
        documents: &[Documented],
        blobs: &[BlobRef],
    ) -> Result<Vec<(u64, bool)>, RegistryError> {
        let parallel = match (&self.from, self.to) {
            (Source::Registry { client, .. }, _) => client.parallel(),
            (_, Destination::Registry { client, .. }) => client.parallel(),
            _ => PARALLEL_COPIES,
        };
        let moves: Vec<_> = blobs.iter().map(|blob| self.blob(blob)).collect();
        let moved = stream::iter(moves).buffer_unordered(parallel).try_collect().await?;
        self.documents(documents).await?;
        Ok(moved)
    }

    /// Forgets what is left of transfers. What somebody else works on stays.
    pub(super) async fn clear(&self) -> Result<(), IoError> {
        let Source::Registry { spool, .. } = &self.from else { return Ok(()) };
        // A transfer that was given up because another failed still holds its file for the moment that its thread needs to notice.
        for _ in 0..CLEAR_TRIES {
            if spool.store.clear()?.in_use == 0 {
                break;
            }
            tokio::time::sleep(LOCK_POLL).await;
        }
        // A folder that is not empty belongs to another copy as well.
        for part in ["blobs", "partial", "tmp", ""] {
            let _ = fs::remove_dir(spool.dir.join(part));
        }
        Ok(())
    }

    async fn blob(&self, blob: &BlobRef) -> Result<(u64, bool), RegistryError> {
        let moved = match (&self.from, self.to) {
            (Source::Layout(layout), Destination::Registry { client, repository, .. }) => {
                client.push_blob(repository, blob, &layout.blob_path(&blob.digest)).await?
            }
            (Source::Layout(layout), Destination::Layout { layout: to, .. }) => self.copy_file(layout, to, blob).await?,
            (Source::Registry { client, repository, spool }, Destination::Layout { layout, .. }) => {
                let missing = !self.is_in(layout, blob).await?;
                if missing {
                    let fetched = client.fetch_blob(&spool.store, repository, blob).await?;
                    put_in_place(spool, &fetched, layout)?;
                }
                missing
            }
            (Source::Registry { client, repository, spool }, Destination::Registry { client: target, repository: name, .. }) => {
                self.across((client, repository, spool), (target, name), blob).await?
            }
        };
        Ok((blob.size, moved))
    }

    /// From registry to registry. Says whether it had to be moved.
    async fn across(
        &self,
        (client, repository, spool): (&RegistryClient, &str, &Spool),
        (target, name): (&RegistryClient, &str),
        blob: &BlobRef,
    ) -> Result<bool, RegistryError> {
        if target.has_blob(name, &blob.digest).await? {
            self.progress.on(ProgressEvent::Present { digest: &blob.digest, total: blob.size });
            return Ok(false);
        }
        if client.is_of_the_same_registry(target) && target.mount_blob(name, blob, repository).await? {
            return Ok(false);
        }
        let fetched = client.fetch_blob(&spool.store, repository, blob).await?;
        target.push_blob(name, blob, &spool.store.path_of(&fetched)).await?;
        // It is where it belongs, and the next blobs want the space.
        spool.store.remove(&blob.digest)?;
        Ok(true)
    }

    /// Whether a layout has a blob already; told to the observer if so.
    async fn is_in(&self, layout: &Layout, blob: &BlobRef) -> Result<bool, RegistryError> {
        let present = {
            let (layout, blob) = (layout.clone(), blob.clone());
            blocking(move || layout.has_blob(&blob)).await?
        };
        if present {
            self.progress.on(ProgressEvent::Present { digest: &blob.digest, total: blob.size });
        }
        Ok(present)
    }

    /// From layout to layout. Says whether it had to be copied.
    async fn copy_file(&self, from: &Layout, to: &Layout, blob: &BlobRef) -> Result<bool, RegistryError> {
        if self.is_in(to, blob).await? {
            return Ok(false);
        }
        let (from, to, blob, progress) = (from.clone(), to.clone(), blob.clone(), Arc::clone(self.progress));
        blocking(move || copy_blocking(&from, &to, &blob, &progress)).await?;
        Ok(true)
    }

    async fn documents(&self, documents: &[Documented]) -> Result<(), RegistryError> {
        let last = documents.len().saturating_sub(1);
        for (at, Documented { blob, bytes }) in documents.iter().enumerate() {
            match self.to {
                Destination::Registry { client, repository, tag } => {
                    let digest = blob.digest.to_string();
                    let reference = tag.as_deref().filter(|_| at == last).unwrap_or(&digest);
                    client.push_manifest(repository, reference, &blob.media_type, bytes).await?;
                }
                Destination::Layout { layout, name } => {
                    layout.put_document(blob, bytes)?;
                    if at == last {
                        layout.name(blob, name.as_deref())?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn put_in_place(spool: &Spool, blob: &Blob, layout: &Layout) -> Result<(), RegistryError> {
    let place = layout.place_for(blob.digest())?;
    // Layouts are for other tools and users, too.
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    blob.file().set_permissions(readable).map_err(IoError::on("change the mode of", &place))?;
    Ok(spool.store.hand_over(blob, &place)?)
}

fn copy_blocking(from: &Layout, to: &Layout, blob: &BlobRef, progress: &Arc<dyn Progress>) -> Result<(), LayoutError> {
    let path = from.blob_path(&blob.digest);
    let mut source = from.open_blob(&blob.digest)?;
    let mut writer = to.begin_known_blob(blob)?;
    let (mut buffer, mut done) = (vec![0; CHUNK], 0);
    loop {
        let read = source.read(&mut buffer).map_err(IoError::on("read", &path))?;
        if read == 0 {
            break;
        }
        writer.write_all(&buffer[..read]).map_err(IoError::on("write", to.dir()))?;
        done += read as u64;
        progress.on(ProgressEvent::Copying { digest: &blob.digest, done, total: blob.size });
    }
    writer.finish_as(blob).map_err(|error| match error {
        // The source is what is broken.
        LayoutError::Corrupt { expected, found, .. } => LayoutError::Corrupt { dir: from.dir().to_owned(), expected, found },
        other => other,
    })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, LayoutError> + Send + 'static) -> Result<T, RegistryError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|error| IoError::on("work on", Path::new("a layout"))(join_error(error)))??)
}
