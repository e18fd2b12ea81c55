//! Uploads of blobs: begun, continued, finished, canceled, forgotten.
//!
//! The bytes of an upload are in one file, in order; how many there are is the file's length, so a server that restarts, or a
//! connection that breaks, costs nothing but hashing the file once more. At most one request writes to an upload at a time: a later
//! one takes over from an earlier one, whose connection is then most likely lost.
//!
//! Where blobs are in a bucket, an upload is collected here all the same and sent when it is complete and its digest right
//! (docs/decisions/0006-uploads-before-the-bucket.md). The requests of one upload must then come to the same server.
//!
//! ```text
//! begin ──▶ [row + empty file] ──append…──▶ [row + longer file] ──finish──▶ blob (file renamed or sent, row gone, repository holds it)
//!                                   └── cancel, wrong digest, too large, rested too long ──▶ (row gone, file gone)
//! ```

mod intake;
mod sender;
mod spool;

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bencher_types::{Digest, oci::digest::Algorithm};
use object_store::ObjectStoreExt as _;
use tokio::sync::{OwnedMutexGuard, watch};
use tracing::Instrument as _;
use uuid::Uuid;

pub use self::intake::drain;
use self::{
    intake::{Intake, Pause},
    sender::{Senders, Sending},
    spool::{Progress, Spool, Writer},
};
use super::{
    access::Access,
    blob::{self, ByteStream},
    quota::{self, NoRoom},
};
use crate::{
    app::App,
    blobs::{self, Commit, PutError},
    limits,
    store::{
        StoreError,
        oci::{
            blob::{CopyId, Held},
            upload::Outcome,
        },
    },
};

/// The folder of uploads, beside the blobs.
pub const FOLDER: &str = "uploads";

/// An upload that did not go on.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    #[error("no such upload of yours in this repository: it was finished, canceled or rested too long; begin a new one")]
    Unknown,
    #[error("the chunk does not begin where the upload ends, at byte {offset}; continue from there")]
    OutOfOrder { offset: u64 },
    #[error("the chunk has {received} bytes, but its range or length says {expected}; continue from byte {offset}")]
    WrongLength { offset: u64, expected: u64, received: u64 },
    #[error("the blob is larger than {limit} bytes, which is this server's limit (`plus.registry.max_body_size`)")]
    TooLarge { limit: u64 },
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    #[error("the content's digest is {found}, but it was pushed as {expected}")]
    DigestMismatch { expected: Digest, found: Digest },
    #[error("the connection broke after {offset} bytes of the upload; continue from there")]
    Interrupted {
        offset: u64,
        #[source]
        source: io::Error,
    },
    #[error("a later request took this upload over")]
    Superseded,
    #[error("too many uploads at once: {limit} are allowed; try again when some have ended")]
    TooMany { limit: u64 },
    #[error("another request on this upload has not ended yet; try again")]
    Busy,
    #[error("the server's disk is full; make room on it or push something smaller")]
    DiskFull(#[source] io::Error),
    #[error("could not write the upload")]
    Spool(#[source] io::Error),
    #[error("could not move the upload into the blob store")]
    Commit(#[source] object_store::Error),
    #[error("could not send the upload to the blob store")]
    Send(#[source] PutError),
    #[error("could not note the upload in the database")]
    Store(#[from] StoreError),
}

impl From<io::Error> for UploadError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Unknown,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull(error),
            _ => Self::Spool(error),
        }
    }
}

/// Part or all of a blob on its way in.
pub struct Incoming {
    pub body: ByteStream,
    /// Where the sender says it begins; nothing said means where the upload ends.
    pub start: Option<u64>,
    /// How many bytes the sender says there are.
    pub length: Option<u64>,
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming").field("start", &self.start).field("length", &self.length).finish_non_exhaustive()
    }
}

/// What this process knows of uploads beyond their files: hashes so far, and whose turn it is.
#[derive(Debug)]
pub struct Uploads {
    folder: PathBuf,
    commit: Commit,
    sessions: Mutex<HashMap<Uuid, Arc<Session>>>,
    senders: Senders,
}

#[derive(Debug, Default)]
struct Session {
    /// Counts the requests that wanted to write; only the latest goes on.
    turn: watch::Sender<u64>,
    /// The hash so far; lost when its writer failed or the server restarted, and then made again from the file.
    progress: Arc<tokio::sync::Mutex<Option<Progress>>>,
}

/// The right to write to an upload, until a later request wants it.
struct Turn {
    progress: OwnedMutexGuard<Option<Progress>>,
    later: watch::Receiver<u64>,
    mine: u64,
}

impl Uploads {
    #[must_use]
    pub fn new(folder: PathBuf, commit: Commit, most_at_once: usize) -> Self {
        Self { folder, commit, sessions: Mutex::default(), senders: Senders::new(most_at_once) }
    }

    fn path(&self, upload: Uuid) -> PathBuf {
        self.folder.join(upload.to_string())
    }

    fn session(&self, upload: Uuid) -> Arc<Session> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).entry(upload).or_default().clone()
    }

    fn forget(&self, upload: Uuid) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(&upload);
    }

    /// Ends whatever request writes to the upload and takes its place.
    async fn take_turn(&self, upload: Uuid) -> Result<Turn, UploadError> {
        let session = self.session(upload);
        let mut mine = 0;
        session.turn.send_modify(|turn| {
            *turn += 1;
            mine = *turn;
        });
        let later = session.turn.subscribe();
        let progress = tokio::time::timeout(limits::UPLOAD_TURN_TIMEOUT, session.progress.clone().lock_owned()).await;
        Ok(Turn { progress: progress.map_err(|_| UploadError::Busy)?, later, mine })
    }

    async fn remove_file(&self, upload: Uuid) {
        self.forget(upload);
        let path = self.path(upload);
        match tokio::fs::remove_file(&path).await {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // The next round of upkeep tries again.
            Err(error) => tracing::warn!(path = %path.display(), %error, "could not remove the file of an upload"),
        }
    }
}

/// Begins an upload, whose digest will most likely be of this algorithm.
///
/// # Errors
/// The caller is nobody in particular or has begun too many, or the database or disk failed.
pub async fn begin(app: &App, access: &Access, algorithm: Algorithm) -> Result<Uuid, UploadError> {
    let principal = access.principal.as_deref().ok_or(UploadError::Unknown)?;
    let upload = Uuid::new_v4();
    // The row comes first: a file without one is garbage to the upkeep.
    let most = limits::MAX_OPEN_UPLOADS;
    match app.store.create_oci_upload(&access.place.repository, upload, principal, most, app.clock.now()).await? {
        Outcome::Done => {}
        Outcome::Gone => return Err(UploadError::TooMany { limit: most.unsigned_abs() }),
    }
    tokio::fs::File::create_new(app.uploads.path(upload)).await.map_err(UploadError::Spool)?;
    if algorithm != Algorithm::Sha256 {
        *app.uploads.session(upload).progress.lock().await = Some(Progress::new(algorithm));
    }
    Ok(upload)
}

/// How many bytes of an upload have arrived.
///
/// # Errors
/// There is no such upload of the caller, or the database or disk failed.
pub async fn offset(app: &App, access: &Access, upload: Uuid) -> Result<u64, UploadError> {
    check(app, access, upload).await?;
    Ok(tokio::fs::metadata(app.uploads.path(upload)).await?.len())
}

/// Appends bytes to an upload and returns how many it has now. What arrived stays, even where the rest did not.
///
/// # Errors
/// There is no such upload of the caller, the bytes are not those that come next, or something on the way failed.
pub async fn append(app: &Arc<App>, access: &Access, upload: Uuid, incoming: Incoming) -> Result<u64, UploadError> {
    let sending = check_sender(app, access, upload).await?;
    to_the_end(write(app.clone(), access.clone(), upload, incoming, Goal::Append), sending).await
}

/// Appends the last bytes, if any, and makes the upload a blob of its repository. Returns its size. A wrong digest ends the upload.
///
/// # Errors
/// As for [`append`], or the digest is another one.
pub async fn finish(
    app: &Arc<App>,
    access: &Access,
    upload: Uuid,
    incoming: Incoming,
    digest: &Digest,
) -> Result<u64, UploadError> {
    let sending = check_sender(app, access, upload).await?;
    to_the_end(write(app.clone(), access.clone(), upload, incoming, Goal::Finish(digest.clone())), sending).await
}

/// Ends an upload and forgets its bytes.
///
/// # Errors
/// There is no such upload of the caller, or the database failed.
pub async fn cancel(app: &App, access: &Access, upload: Uuid) -> Result<(), UploadError> {
    check(app, access, upload).await?;
    let _turn = app.uploads.take_turn(upload).await?;
    discard(app, upload).await
}

/// Forgets uploads that rested too long, and files that belong to none. Returns how many files went.
///
/// # Errors
/// The database or the folder could not be read.
pub async fn remove_expired(app: &App) -> Result<usize, UploadError> {
    // Files are listed before rows are: a file's row is there before the file is.
    let files = files_in(&app.uploads.folder).await.map_err(UploadError::Spool)?;
    let timeout = i64::try_from(app.config.upload_timeout().as_micros()).unwrap_or(i64::MAX);
    let before = app.clock.now().as_micros().saturating_sub(timeout);
    if let Ok(before) = bencher_types::DateTime::from_micros(before) {
        app.store.delete_oci_uploads(before).await?;
    }
    let alive = app.store.oci_uploads().await?;
    let mut removed = 0;
    for upload in files.into_iter().filter(|upload| !alive.contains(upload)) {
        app.uploads.remove_file(upload).await;
        removed += 1;
    }
    Ok(removed)
}

/// Does [`remove_expired`] now and then, for as long as the server runs.
pub async fn upkeep(app: Arc<App>) {
    let mut interval = tokio::time::interval(limits::UPLOAD_UPKEEP_INTERVAL);
    loop {
        interval.tick().await;
        match remove_expired(&app).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "removed uploads that rested too long"),
            Err(error) => tracing::warn!(cause = crate::chain::chain(&error), "could not look for uploads that rested too long"),
        }
    }
}

async fn files_in(folder: &Path) -> io::Result<Vec<Uuid>> {
    let mut entries = tokio::fs::read_dir(folder).await?;
    let mut files = Vec::new();
    while let Some(entry) = entries.next_entry().await? {
        // Whatever is not called like an upload is not ours to remove.
        files.extend(entry.file_name().to_str().and_then(|name| name.parse::<Uuid>().ok()));
    }
    Ok(files)
}

async fn check(app: &App, access: &Access, upload: Uuid) -> Result<(), UploadError> {
    let principal = access.principal.as_deref().ok_or(UploadError::Unknown)?;
    match app.store.has_oci_upload(&access.place.repository, upload, principal).await? {
        true => Ok(()),
        false => Err(UploadError::Unknown),
    }
}

/// The same for a request that sends content, of which a caller may have so many at once.
async fn check_sender(app: &App, access: &Access, upload: Uuid) -> Result<Sending, UploadError> {
    let principal = access.principal.as_deref().ok_or(UploadError::Unknown)?;
    check(app, access, upload).await?;
    app.uploads.senders.admit(principal).map_err(|limit| UploadError::TooMany { limit })
}

async fn discard(app: &App, upload: Uuid) -> Result<(), UploadError> {
    let outcome = app.store.delete_oci_upload(upload).await?;
    app.uploads.remove_file(upload).await;
    match outcome {
        Outcome::Done => Ok(()),
        Outcome::Gone => Err(UploadError::Unknown),
    }
}

/// Runs in a task of its own: a handler is dropped when its connection breaks, and what arrived until then must still be written.
async fn to_the_end(
    write: impl Future<Output = Result<u64, UploadError>> + Send + 'static,
    sending: Sending,
) -> Result<u64, UploadError> {
    let write = async move {
        let result = write.await;
        drop(sending);
        result
    };
    match tokio::spawn(write.in_current_span()).await {
        Ok(result) => result,
        Err(stopped) => Err(UploadError::Spool(io::Error::other(stopped))),
    }
}

/// What a request wants of an upload once its bytes are there.
#[derive(Clone, Debug)]
enum Goal {
    Append,
    Finish(Digest),
}

async fn write(app: Arc<App>, access: Access, upload: Uuid, mut incoming: Incoming, goal: Goal) -> Result<u64, UploadError> {
    let mut turn = app.uploads.take_turn(upload).await?;
    let algorithm = if let Goal::Finish(digest) = &goal { Some(digest.algorithm()) } else { None };
    let spool = match Spool::open(app.uploads.path(upload), turn.progress.take(), algorithm).await {
        Ok(spool) => spool,
        Err(error) => {
            if error.kind() == io::ErrorKind::NotFound {
                // It ended between the look-up and our turn.
                app.uploads.forget(upload);
            }
            return Err(error.into());
        }
    };
    let (offset, limit) = (spool.len(), app.config.max_blob_bytes());
    let wanted = incoming.length.map_or(limit, |length| offset.saturating_add(length));
    let room = quota::room(&app, &access, wanted).await?;

    let refusal = match (incoming.start, incoming.length) {
        (Some(start), _) if start != offset => Some(UploadError::OutOfOrder { offset }),
        (_, Some(length)) if length > limit.saturating_sub(offset) => Some(UploadError::TooLarge { limit }),
        (_, Some(length)) => room.refuses(offset.saturating_add(length)).map(UploadError::NoRoom),
        _ => None,
    };
    if let Some(refusal) = refusal {
        *turn.progress = Some(spool.into_progress());
        drain(&mut incoming.body).await;
        return Err(refusal);
    }

    let most = limit.min(room.bytes());
    let mut intake = Intake::new(incoming.body, &turn, incoming.length, most.saturating_sub(offset));
    let (spool, end) = receive(&app, upload, spool, &mut intake).await?;
    if matches!(end, Pause::Overlong | Pause::TooLarge) {
        drain(&mut intake.into_body()).await;
    }
    let received = spool.len() - offset;
    let result = match end {
        Pause::Superseded => Err(UploadError::Superseded),
        Pause::Cut(source) => Err(UploadError::Interrupted { offset: spool.len(), source }),
        Pause::TooLarge => {
            discard(&app, upload).await?;
            return Err(room.refuses(most.saturating_add(1)).map_or(UploadError::TooLarge { limit }, UploadError::NoRoom));
        }
        Pause::More | Pause::Done | Pause::Overlong => match incoming.length {
            Some(expected) if received != expected || matches!(end, Pause::Overlong) => {
                let received = received + u64::from(matches!(end, Pause::Overlong));
                Err(UploadError::WrongLength { offset: spool.len(), expected, received })
            }
            _ => Ok(()),
        },
    };
    match (result, goal) {
        (Ok(()), Goal::Finish(digest)) => commit(&app, &access, upload, spool, &digest).await,
        (result, _) => {
            let len = spool.len();
            *turn.progress = Some(spool.into_progress());
            result.map(|()| len)
        }
    }
}

/// Takes in the body, filling one batch while the one before is hashed and written.
async fn receive(app: &App, upload: Uuid, spool: Spool, intake: &mut Intake) -> Result<(Spool, Pause), UploadError> {
    let mut writer = Writer::new(spool);
    let renewal = app.config.upload_timeout() / 4;
    let mut touched = None;
    loop {
        let now = app.clock.now();
        if touched.is_none_or(|touched| now.since(touched) > renewal) {
            touched = Some(now);
            if app.store.touch_oci_upload(upload, now).await? == Outcome::Gone {
                return Err(UploadError::Unknown);
            }
        }
        let (batch, pause) = intake.next_batch(renewal.max(Duration::from_secs(1))).await;
        if !batch.is_empty() {
            writer.submit(batch).await?;
        }
        if !matches!(pause, Pause::More) {
            return Ok((writer.into_spool().await?, pause));
        }
    }
}

/// Makes the finished file the blob of its digest.
async fn commit(app: &App, access: &Access, upload: Uuid, spool: Spool, expected: &Digest) -> Result<u64, UploadError> {
    let (size, found) = spool.seal(expected.algorithm()).await?;
    if found != *expected {
        discard(app, upload).await?;
        return Err(UploadError::DigestMismatch { expected: expected.clone(), found });
    }
    // Where the same blob is there already and damaged, ours is to take its place.
    if let Some(content) = app.store.oci_content(expected).await?.filter(|content| content.quarantined.is_none())
        && !blob::is_there(app, expected, &content).await.map_err(UploadError::Commit)?
    {
        app.store.quarantine_oci_blob(expected, content.copy, app.clock.now()).await?;
    }
    let ours = CopyId::of_upload(upload);
    match app.uploads.commit {
        Commit::Rename => {
            let from = object_store::path::Path::from(format!("{FOLDER}/{upload}"));
            app.blobs.rename(&from, &blob::key(expected, ours)).await.map_err(UploadError::Commit)?;
            app.uploads.forget(upload);
        }
        // The file stays until the database knows the blob, so that a failure costs nothing but another try.
        Commit::Send { part_bytes } => {
            let file = app.uploads.path(upload);
            blobs::put_file(&app.blobs, &blob::key(expected, ours), &file, part_bytes).await.map_err(UploadError::Send)?;
        }
    }
    let now = app.clock.now();
    let times = (now.saturating_add(app.config.upload_timeout()), now);
    let held = app.store.finish_oci_upload(upload, expected, size, times, &app.config.registry_quotas()).await?;
    match held {
        Held::Held(kept) => {
            if app.uploads.commit != Commit::Rename {
                app.uploads.remove_file(upload).await;
            }
            if kept != ours {
                remove_copy(app, expected, ours).await;
            }
            Ok(size)
        }
        // Another server that has the same folder of uploads may have finished it: then the copy is what the blob is. Else it is
        // nobody's, and the collector finds it.
        Held::Gone => {
            app.uploads.remove_file(upload).await;
            Err(UploadError::Unknown)
        }
        Held::NoRoom(exceeded) => {
            // Once the upload is gone, nobody can finish it with this copy.
            discard(app, upload).await?;
            remove_copy(app, expected, ours).await;
            Err(NoRoom::in_project_of(access, exceeded).into())
        }
    }
}

/// Removes a copy that counts for nothing.
async fn remove_copy(app: &App, digest: &Digest, copy: CopyId) {
    if let Err(error) = blob::remove(app, digest, copy).await {
        tracing::warn!(%error, %digest, "could not remove a copy of a blob that is not needed; the collector will");
    }
}
