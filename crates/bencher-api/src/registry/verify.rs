//! Blobs at rest, read again: each is hashed, and what does not have its digest any more goes into quarantine.
//!
//! In quarantine a blob is not served; clients are told that it is unknown, so that whoever pushes brings it back. Where the blob store
//! has another sound copy of it, that one counts from then on. A copy that is sound again (an admin put it back) is served again.

use std::{collections::HashSet, io, sync::Arc, time::Duration};

use bencher_types::{
    DateTime, Digest,
    wire::registry::{Damage, DamagedBlob, Verification},
};
use futures::TryStreamExt as _;
use object_store::{ObjectStoreExt as _, path::Path};
use tokio::time::Instant;

use super::{
    blob::{self, BlobError},
    collect::earlier,
    hash::Hasher,
    turn::{Turn, TurnError},
};
use crate::{
    app::App,
    chain::chain,
    limits,
    store::{
        StoreError,
        oci::{
            blob::{Content, CopyId},
            care::Care,
            verify::AtRestRow,
        },
    },
};

/// Why blobs were not all read.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("somebody has all blobs read already; try again when that is done")]
    Busy,
    #[error("could not go on reading blobs")]
    Turn(#[from] TurnError),
    #[error("could not note in the database what is damaged")]
    Store(#[from] StoreError),
    #[error("could not read {digest} from the blob store")]
    Read {
        digest: Digest,
        #[source]
        source: io::Error,
    },
}

/// How fast blobs are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    AsFastAsItGoes,
    /// Bytes per second.
    AtMost(u64),
}

/// Reads blobs again whose turn it is, for as long as the server runs. Of several servers, one does.
pub async fn keep_verifying(app: Arc<App>) {
    let Some(interval) = app.config.verification_interval() else { return };
    loop {
        tokio::time::sleep(interval.min(limits::REGISTRY_CARE_CHECK)).await;
        match verify_due(&app, interval).await {
            Ok(()) => {}
            Err(error) => tracing::error!(error = chain(&error), "could not read blobs at rest; trying again"),
        }
    }
}

async fn verify_due(app: &App, interval: Duration) -> Result<(), VerifyError> {
    let before = earlier(app.clock.now(), interval);
    if app.store.oci_blobs_to_verify(before, 1).await?.is_empty() {
        return Ok(());
    }
    let Some(turn) = Turn::take(app, Care::Verification, None).await? else { return Ok(()) };
    let reader = Reader::new(app, Pace::AtMost(app.config.verification_pace()));
    run(app, turn, reader, Which::ReadBefore(before)).await.map(drop)
}

/// Reads every blob now, those in quarantine too.
///
/// # Errors
/// Somebody else does, or the database or blob store failed. What was found until then is noted.
pub async fn verify(app: &App, pace: Pace) -> Result<Verification, VerifyError> {
    let turn = Turn::take(app, Care::FullVerification, None).await?.ok_or(VerifyError::Busy)?;
    run(app, turn, Reader::new(app, pace), Which::All).await
}

/// Which blobs are read.
#[derive(Clone, Copy, Debug)]
enum Which {
    All,
    ReadBefore(DateTime),
}

async fn run(app: &App, mut turn: Turn, mut reader: Reader<'_>, which: Which) -> Result<Verification, VerifyError> {
    let read = reader.read_all(&mut turn, which).await;
    let verified = read.map(|()| Verification { ended: app.clock.now(), ..reader.done });
    turn.end(app, verified.as_ref().ok()).await?;
    if let Ok(Verification { blobs, bytes, healed, damaged, .. }) = &verified {
        tracing::info!(blobs, bytes, healed, damaged = damaged.len(), "read blobs at rest");
    }
    verified
}

/// What a copy was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Sound,
    Damaged(Damage),
}

/// One run.
struct Reader<'a> {
    app: &'a App,
    pace: Pace,
    begun: Instant,
    /// Blobs that the store did not give. They are not tried again in the same run.
    unreadable: HashSet<Digest>,
    done: Verification,
}

impl<'a> Reader<'a> {
    fn new(app: &'a App, pace: Pace) -> Self {
        Self { app, pace, begun: Instant::now(), unreadable: HashSet::new(), done: Verification::begun(app.clock.now()) }
    }

    async fn read_all(&mut self, turn: &mut Turn, which: Which) -> Result<(), VerifyError> {
        let mut after = String::new();
        loop {
            let blobs = match which {
                Which::All => self.app.store.oci_blobs_at_rest(&after, limits::REGISTRY_BATCH).await?,
                Which::ReadBefore(before) => self.app.store.oci_blobs_to_verify(before, limits::REGISTRY_BATCH).await?,
            };
            let Some(last) = blobs.last() else { return Ok(()) };
            after = last.digest.0.to_string();
            if blobs.iter().all(|blob| self.unreadable.contains(&blob.digest.0)) {
                return Ok(());
            }
            for blob in &blobs {
                if self.unreadable.contains(&blob.digest.0) {
                    continue;
                }
                match self.look_at(blob, turn).await {
                    // A bad sector is no reason to leave all others unread, and a bucket that is away is no reason to try them all.
                    Err(VerifyError::Read { source, .. }) if self.unreadable.len() < limits::UNREADABLE_BLOBS => {
                        tracing::error!(digest = %blob.digest.0, error = chain(&source), "the blob store does not give a blob");
                        self.report(blob, Damage::Unreadable).await?;
                        self.unreadable.insert(blob.digest.0.clone());
                    }
                    other => other?,
                }
            }
        }
    }

    async fn report(&mut self, blob: &AtRestRow, damage: Damage) -> Result<(), StoreError> {
        let digest = blob.digest.0.clone();
        let repositories = self.app.store.holders_of_oci_blob(&digest, limits::QUARANTINED_SHOWN).await?;
        let (size, since) = (u64::try_from(blob.size).unwrap_or(0), blob.quarantined.map(|since| since.0));
        let since = since.unwrap_or_else(|| self.app.clock.now());
        self.done.damaged.push(DamagedBlob { digest, size, since, damage: Some(damage), repositories });
        Ok(())
    }

    async fn look_at(&mut self, blob: &AtRestRow, turn: &mut Turn) -> Result<(), VerifyError> {
        let (digest, copy) = (&blob.digest.0, blob.copy_id.0);
        let found = self.read(digest, copy, blob.size, turn).await?;
        self.done.blobs += 1;
        let now = self.app.clock.now();
        match found {
            Found::Sound => {
                self.app.store.oci_blob_is_sound(digest, copy, now).await?;
                self.done.healed += u64::from(blob.quarantined.is_some());
            }
            Found::Damaged(damage) => {
                if self.app.store.quarantine_oci_blob(digest, copy, now).await? {
                    tracing::error!(%digest, ?damage, "a blob is in quarantine: push it again, or put it back");
                }
                if self.another_copy(blob, turn).await? {
                    self.done.healed += 1;
                    return Ok(());
                }
                // Who pushed it meanwhile, or deleted it, has mended it.
                if self.app.store.oci_content(digest).await?.is_some_and(|content| content.copy == copy) {
                    self.report(blob, damage).await?;
                }
            }
        }
        Ok(())
    }

    /// Lets another sound copy of a blob count, where the store has one.
    async fn another_copy(&mut self, blob: &AtRestRow, turn: &mut Turn) -> Result<bool, VerifyError> {
        let digest = &blob.digest.0;
        let failed = |source| VerifyError::Read { digest: digest.clone(), source: io::Error::other(source) };
        let first = blob::key(digest, CopyId::FIRST);
        let folder = first.as_ref().rsplit_once('/').map_or("", |(folder, _)| folder);
        let listed: Vec<_> = self.app.blobs.list(Some(&Path::from(folder))).try_collect().await.map_err(failed)?;
        let copies = listed.iter().filter_map(|meta| blob::named(&meta.location));
        for (_, copy) in copies.filter(|(other, copy)| other == digest && *copy != blob.copy_id.0) {
            if self.read(digest, copy, blob.size, turn).await? == Found::Sound
                && self.app.store.replace_oci_copy(digest, blob.copy_id.0, copy).await?
            {
                tracing::info!(%digest, "another copy of a damaged blob takes its place");
                // The collector may have removed it as belonging to nothing; then the blob is where it was.
                let path = blob::key(digest, copy);
                match self.app.blobs.head(&path).await {
                    Ok(_) => return Ok(true),
                    Err(object_store::Error::NotFound { .. }) => {
                        self.app.store.quarantine_oci_blob(digest, copy, self.app.clock.now()).await?;
                    }
                    Err(source) => return Err(failed(source)),
                }
            }
        }
        Ok(false)
    }

    async fn read(&mut self, digest: &Digest, copy: CopyId, size: i64, turn: &mut Turn) -> Result<Found, VerifyError> {
        let failed = |source| VerifyError::Read { digest: digest.clone(), source };
        match self.app.blobs.head(&blob::key(digest, copy)).await {
            Ok(meta) if i64::try_from(meta.size).is_ok_and(|found| found == size) => {}
            Ok(_) => return Ok(Found::Damaged(Damage::Size)),
            Err(object_store::Error::NotFound { .. }) => return Ok(Found::Damaged(Damage::Missing)),
            Err(source) => return Err(failed(io::Error::other(source))),
        }
        let content = Content { size: u64::try_from(size).unwrap_or(0), copy, leased_until: None, quarantined: None };
        let mut body = match blob::read(self.app, digest, &content, 0..content.size).await {
            Ok(body) => body,
            // It was deleted meanwhile, or replaced.
            Err(BlobError::Read { source: object_store::Error::NotFound { .. }, .. }) => {
                return Ok(Found::Damaged(Damage::Missing));
            }
            Err(error) => return Err(failed(io::Error::other(error))),
        };
        let mut hasher = Hasher::new(digest.algorithm());
        while let Some(bytes) = body.try_next().await.map_err(failed)? {
            hasher.update(&bytes);
            self.wait_for(bytes.len() as u64).await;
            turn.renew(self.app).await?;
        }
        Ok(if hasher.digest() == *digest { Found::Sound } else { Found::Damaged(Damage::Content) })
    }

    /// Counts what was read, and waits where that was too fast.
    async fn wait_for(&mut self, bytes: u64) {
        self.done.bytes += bytes;
        if let Pace::AtMost(pace) = self.pace {
            let due = Duration::from_secs_f64(self.done.bytes as f64 / pace as f64);
            tokio::time::sleep_until(self.begun + due).await;
        }
    }
}
