//! Uploads of blobs. A small one is a single request and is repeated whole. A large one goes on where it was interrupted, in this
//! process or, with a journal, in a later one; a registry that does not know it any more gets it from the start.

use std::{
    fs::File,
    io::{Seek as _, SeekFrom},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bencher_types::Digest;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::{
    Body, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, LOCATION, RANGE},
};
use tokio_util::io::ReaderStream;
use url::Url;

use super::{RegistryClient, RegistryError, journal::Entry, pull::blocking, refusal};
use crate::{
    auth::{Access, Scope},
    document::BlobRef,
    error::IoError,
    hash::file_is,
    limits::{CHUNK, RESUMABLE_UPLOAD},
    progress::ProgressEvent,
    retry::Backoff,
};

const OCTETS: &str = "application/octet-stream";

/// An upload that a registry was asked to begin.
struct Upload {
    address: Url,
    /// Bytes that it has.
    offset: u64,
    /// Whether it had some before this attempt.
    resumed: bool,
}

/// What is sent: a file as a blob of a repository.
struct Parcel<'a> {
    action: String,
    repository: &'a str,
    blob: &'a BlobRef,
    /// Opened anew for each body: one that was given up may still move in its own file.
    path: &'a Path,
    /// Bytes that were taken of a request's body so far.
    moved: Arc<AtomicU64>,
}

impl RegistryClient {
    /// Uploads a file as a blob unless it is there. Says whether it was sent. The registry verifies the digest.
    ///
    /// # Errors
    /// The registry does not take it, or the file cannot be read.
    pub async fn push_blob(&self, repository: &str, blob: &BlobRef, file: &Path) -> Result<bool, RegistryError> {
        if self.has_blob(repository, &blob.digest).await? {
            self.report(ProgressEvent::Present { digest: &blob.digest, total: blob.size });
            return Ok(false);
        }
        // So that a missing file is told as such.
        File::open(file).map_err(IoError::on("open", file))?;
        let action = format!("upload the blob {}", blob.digest);
        let parcel = Parcel { action, repository, blob, path: file, moved: Arc::default() };
        let sent = if blob.size < RESUMABLE_UPLOAD {
            self.retrying(|| self.upload_whole(&parcel)).await
        } else {
            self.upload_resumably(&parcel).await
        };
        match sent {
            Ok(()) => Ok(true),
            Err(RegistryError::Status { status: StatusCode::BAD_REQUEST, .. }) if !is_intact(blob, file).await? => {
                Err(RegistryError::DamagedFile { path: file.to_owned(), expected: blob.digest.clone() })
            }
            Err(error) => Err(error),
        }
    }

    /// Gives a repository a blob that another one of this registry has, without sending it. Says whether that was done.
    ///
    /// # Errors
    /// The registry does not take uploads, or cannot be reached.
    pub async fn mount_blob(&self, repository: &str, blob: &BlobRef, from: &str) -> Result<bool, RegistryError> {
        let mounted = self.retrying(|| self.mount_once(repository, &blob.digest, from)).await?;
        if mounted {
            self.report(ProgressEvent::Present { digest: &blob.digest, total: blob.size });
        }
        Ok(mounted)
    }

    async fn mount_once(&self, repository: &str, digest: &Digest, from: &str) -> Result<bool, RegistryError> {
        let action = format!("take the blob {digest} over from {from}");
        let scope = Scope { repository, access: Access::Push, reads: Some(from) };
        let mut url = self.url(&format!("v2/{repository}/blobs/uploads/"))?;
        url.query_pairs_mut().append_pair("mount", &digest.to_string()).append_pair("from", from);
        let response = self.send(&action, &scope, || self.http.post(url.clone()).header(CONTENT_LENGTH, 0)).await?;
        match response.status() {
            StatusCode::CREATED => Ok(true),
            StatusCode::ACCEPTED => {
                // An upload was begun instead. It is given up: the blob is sent like any other, if it is not there already.
                if let Ok(address) = location(&action, &response) {
                    let _ = self.send(&action, &scope, || self.http.delete(address.clone())).await;
                }
                Ok(false)
            }
            _ => Err(refusal(&action, response).await),
        }
    }

    async fn begin(&self, parcel: &Parcel<'_>) -> Result<Upload, RegistryError> {
        let start = self.url(&format!("v2/{}/blobs/uploads/", parcel.repository))?;
        let request = || self.http.post(start.clone()).header(CONTENT_LENGTH, 0);
        let response = self.send(&parcel.action, &Scope::push(parcel.repository), request).await?;
        if response.status() != StatusCode::ACCEPTED {
            return Err(refusal(&parcel.action, response).await);
        }
        Ok(Upload { address: location(&parcel.action, &response)?, offset: 0, resumed: false })
    }

    async fn upload_whole(&self, parcel: &Parcel<'_>) -> Result<(), RegistryError> {
        let upload = self.begin(parcel).await?;
        let target = with_digest(upload.address, &parcel.blob.digest);
        let request = || {
            self.http
                .put(target.clone())
                .header(CONTENT_TYPE, OCTETS)
                .header(CONTENT_LENGTH, parcel.blob.size)
                .body(self.rest_of(parcel, 0))
        };
        let response = self.send_watched(&parcel.action, &Scope::push(parcel.repository), request, Some(&parcel.moved)).await?;
        expect_created(parcel, response).await
    }

    async fn upload_resumably(&self, parcel: &Parcel<'_>) -> Result<(), RegistryError> {
        let mut entry = self.journal_entry(parcel);
        let mut address = entry.as_mut().and_then(Entry::address);
        let mut backoff = Backoff::new(&self.transfer);
        loop {
            parcel.moved.store(0, Ordering::Relaxed);
            let Err(error) = self.upload_attempt(parcel, &mut address, &mut entry).await else {
                entry.into_iter().for_each(Entry::forget);
                return Ok(());
            };
            if parcel.moved.load(Ordering::Relaxed) > 0 {
                backoff.progressed();
            }
            if let Err(error) = self.pause(error, &mut backoff).await {
                if !error.is_transient() {
                    entry.into_iter().for_each(Entry::forget);
                }
                return Err(error);
            }
        }
    }

    fn journal_entry(&self, parcel: &Parcel<'_>) -> Option<Entry> {
        let entry = self.journal.as_ref()?.entry(&self.base, parcel.repository, &parcel.blob.digest);
        entry.unwrap_or_else(|error| {
            tracing::debug!(error = &error as &dyn std::error::Error, "uploads cannot be remembered");
            None
        })
    }

    /// Sends what is left, of a new upload where there is none that goes on, and ends it.
    async fn upload_attempt(
        &self,
        parcel: &Parcel<'_>,
        address: &mut Option<Url>,
        entry: &mut Option<Entry>,
    ) -> Result<(), RegistryError> {
        let known = match address.clone() {
            Some(known) => self.whereabouts(parcel, known).await?,
            None => None,
        };
        let upload = match known {
            Some(upload) => upload,
            None => self.begin(parcel).await?,
        };
        *address = Some(upload.address.clone());
        if let Some(entry) = entry {
            entry.remember(&upload.address);
        }
        let resumed = upload.resumed;
        match self.send_rest(parcel, upload, address).await {
            // What is there is not what we have, or the registry lost count: once more from the start.
            Err(error) if resumed && !error.is_transient() && !matches!(error, RegistryError::Unauthorized { .. }) => {
                tracing::info!(error = &error as &dyn std::error::Error, "an interrupted upload cannot go on, beginning anew");
                let upload = self.begin(parcel).await?;
                *address = Some(upload.address.clone());
                self.send_rest(parcel, upload, address).await
            }
            sent => sent,
        }
    }

    /// How far an upload is that was begun before; `None` where the registry does not say.
    async fn whereabouts(&self, parcel: &Parcel<'_>, address: Url) -> Result<Option<Upload>, RegistryError> {
        let scope = Scope::push(parcel.repository);
        let response = self.send(&parcel.action, &scope, || self.http.get(address.clone())).await?;
        if response.status() != StatusCode::NO_CONTENT {
            let refused = refusal(&parcel.action, response).await;
            // A registry that is busy may still know it.
            return if refused.is_transient() { Err(refused) } else { Ok(None) };
        }
        let offset = received(response.headers()).filter(|offset| *offset <= parcel.blob.size);
        let address = location(&parcel.action, &response).unwrap_or(address);
        Ok(offset.map(|offset| Upload { address, offset, resumed: offset > 0 }))
    }

    async fn send_rest(&self, parcel: &Parcel<'_>, mut upload: Upload, address: &mut Option<Url>) -> Result<(), RegistryError> {
        let scope = Scope::push(parcel.repository);
        let size = parcel.blob.size;
        if upload.offset < size {
            let request = || {
                self.http
                    .patch(upload.address.clone())
                    .header(CONTENT_TYPE, OCTETS)
                    .header(CONTENT_LENGTH, size - upload.offset)
                    .header(CONTENT_RANGE, format!("{}-{}", upload.offset, size - 1))
                    .body(self.rest_of(parcel, upload.offset))
            };
            let response = self.send_watched(&parcel.action, &scope, request, Some(&parcel.moved)).await?;
            if response.status() != StatusCode::ACCEPTED {
                return Err(refusal(&parcel.action, response).await);
            }
            upload.address = location(&parcel.action, &response)?;
            *address = Some(upload.address.clone());
        }
        let target = with_digest(upload.address, &parcel.blob.digest);
        let response = self.send(&parcel.action, &scope, || self.http.put(target.clone()).header(CONTENT_LENGTH, 0)).await?;
        expect_created(parcel, response).await
    }

    /// The file's content from an offset on, as a request body that counts itself.
    fn rest_of(&self, parcel: &Parcel<'_>, offset: u64) -> Body {
        parcel.moved.store(0, Ordering::Relaxed);
        let (client, blob, moved) = (self.clone(), parcel.blob.clone(), Arc::clone(&parcel.moved));
        let opened = File::open(parcel.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(offset))?;
            Ok(tokio::fs::File::from_std(file))
        });
        let chunks = stream::once(async move { opened })
            .map_ok(|file| ReaderStream::with_capacity(file, CHUNK))
            .try_flatten()
            .inspect_ok(move |chunk: &Bytes| {
                let done = offset + moved.fetch_add(chunk.len() as u64, Ordering::Relaxed) + chunk.len() as u64;
                client.report(ProgressEvent::Uploading { digest: &blob.digest, done, total: blob.size });
            });
        Body::wrap_stream(chunks.boxed())
    }
}

async fn expect_created(parcel: &Parcel<'_>, response: Response) -> Result<(), RegistryError> {
    match response.status() {
        StatusCode::CREATED => Ok(()),
        _ => Err(refusal(&parcel.action, response).await),
    }
}

/// Whether a file is what its digest says.
async fn is_intact(blob: &BlobRef, file: &Path) -> Result<bool, RegistryError> {
    let (blob, file) = (blob.clone(), file.to_owned());
    blocking(move || Ok(file_is(&blob, &file).map_err(IoError::on("read", &file))?)).await
}

fn with_digest(mut address: Url, digest: &Digest) -> Url {
    address.query_pairs_mut().append_pair("digest", &digest.to_string());
    address
}

/// Bytes that an upload has, by its `Range: 0-LAST`. The header has no way to say that there is none: one byte counts as none.
fn received(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(RANGE)?.to_str().ok()?.trim();
    let (first, last) = range.strip_prefix("bytes=").unwrap_or(range).split_once('-')?;
    match (first.trim().parse().ok()?, last.trim().parse().ok()?) {
        (0_u64, 0_u64) => None,
        (0, last) => Some(last.checked_add(1)?),
        _ => None,
    }
}

/// Where an upload goes on; relative to the request, as some registries write it.
fn location(action: &str, response: &Response) -> Result<Url, RegistryError> {
    let missing = || RegistryError::Header { action: action.to_owned(), header: "Location" };
    let text = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).ok_or_else(missing)?;
    response.url().join(text).map_err(|_| missing())
}
