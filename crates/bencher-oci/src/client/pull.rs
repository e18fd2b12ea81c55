//! Reading from a registry: manifests in memory, blobs to disk.

use bencher_types::Digest;
use bytes::Bytes;
use reqwest::{
    Response, StatusCode,
    header::{ACCEPT, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, RANGE},
};
use tokio::sync::mpsc;

use super::{RegistryClient, RegistryError, error_detail, refusal};
use crate::{
    auth::Scope,
    document::{self, BlobRef, Document, DocumentError, MANIFEST, MANIFEST_TYPES, ResolvedImage},
    error::join_error,
    hash::digest_like,
    limits::{MAX_INDEX_DEPTH, PIPELINE_CHUNKS},
    platform::Platform,
    progress::ProgressEvent,
    retry::Backoff,
    store::{Blob, BlobStore, FinishError, Partial},
};

/// A manifest or index as the registry has it.
#[derive(Clone, Debug)]
pub struct RawManifest {
    pub digest: Digest,
    /// As the registry calls it.
    pub media_type: String,
    pub bytes: Vec<u8>,
}

impl RegistryClient {
    /// Fetches a manifest or index by tag or digest. By digest, its content is verified; by tag, its digest is computed.
    ///
    /// # Errors
    /// It is not there, too large, not what its digest says, or the registry cannot be reached.
    pub async fn manifest(&self, repository: &str, reference: &str) -> Result<RawManifest, RegistryError> {
        self.retrying(|| self.manifest_once(repository, reference)).await
    }

    async fn manifest_once(&self, repository: &str, reference: &str) -> Result<RawManifest, RegistryError> {
        let action = format!("fetch the manifest {repository}:{reference}");
        let url = self.url(&format!("v2/{repository}/manifests/{reference}"))?;
        let scope = Scope::pull(repository);
        let request = || self.http.get(url.clone()).header(ACCEPT, MANIFEST_TYPES.join(", "));
        let response = expect_found(&action, self.send(&action, &scope, request).await?, || {
            format!("image `{repository}` with the tag or digest `{reference}`")
        })
        .await?;
        let limit = self.limits.manifest_bytes;
        let too_large = |found| DocumentError::TooLarge { what: "manifest", found, limit };
        if let Some(found) = response.content_length().filter(|length| *length > limit) {
            return Err(too_large(found).into());
        }
        let media_type =
            response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or(MANIFEST).to_owned();
        let bytes = self.body(&action, response, usize::try_from(limit).unwrap_or(usize::MAX - 1)).await?;
        if bytes.len() as u64 > limit {
            return Err(too_large(bytes.len() as u64).into());
        }
        let digest = match reference.parse::<Digest>() {
            Ok(expected) => {
                let found = digest_like(&expected, &bytes);
                if found != expected {
                    return Err(RegistryError::ManifestDigest { expected, found });
                }
                found
            }
            Err(_) => Digest::sha256(&bytes),
        };
        Ok(RawManifest { digest, media_type, bytes })
    }

    /// Fetches and checks all documents of an image: manifest, through an index if there is one, and configuration.
    ///
    /// # Errors
    /// As [`RegistryClient::manifest`]; or the image is not for `platform`, or exceeds a limit.
    pub async fn resolve(&self, repository: &str, reference: &str, platform: &Platform) -> Result<ResolvedImage, RegistryError> {
        let mut raw = self.manifest(repository, reference).await?;
        for _ in 0..MAX_INDEX_DEPTH {
            match Document::parse(&raw.bytes)? {
                Document::Index(index) => {
                    let chosen = document::select_platform(&index, platform)?;
                    raw = self.manifest(repository, &chosen.digest.to_string()).await?;
                }
                Document::Manifest(manifest) => {
                    let config = document::check_manifest(&manifest, &self.limits)?;
                    let config_bytes = self.retrying(|| self.small_blob(repository, &config)).await?;
                    return Ok(ResolvedImage::new(raw.digest, *manifest, config_bytes, platform)?);
                }
            }
        }
        Err(DocumentError::IndexTooDeep(MAX_INDEX_DEPTH).into())
    }

    /// A blob in memory, for configurations. The caller has checked the size it promises.
    pub(crate) async fn small_blob(&self, repository: &str, blob: &BlobRef) -> Result<Vec<u8>, RegistryError> {
        let action = format!("fetch the image configuration {}", blob.digest);
        let response = self.blob_response(&action, repository, blob, 0).await?;
        let bytes = self.body(&action, response, usize::try_from(blob.size).unwrap_or(usize::MAX - 1)).await?;
        let found = digest_like(&blob.digest, &bytes);
        if bytes.len() as u64 != blob.size {
            let found = bytes.len() as u64;
            return Err(FinishError::Size { digest: blob.digest.clone(), found, expected: blob.size }.into());
        }
        if found != blob.digest {
            return Err(FinishError::Digest { expected: blob.digest.clone(), found }.into());
        }
        Ok(bytes)
    }

    /// Gets a blob into a store, unless it is there. One that is being fetched by this process already is waited for.
    /// An interrupted transfer goes on where it ended, in this call or a later one; dropping the future is safe.
    ///
    /// # Errors
    /// The registry cannot deliver it, or its content is not what its descriptor says, or the disk refuses.
    pub async fn fetch_blob(&self, store: &BlobStore, repository: &str, blob: &BlobRef) -> Result<Blob, RegistryError> {
        let _claim = store.claim(&blob.digest).await;
        if let Some(present) = store.get(&blob.digest)? {
            if present.size() == blob.size {
                self.report(ProgressEvent::Present { digest: &blob.digest, total: blob.size });
                return Ok(present);
            }
            // Content of this digest has one size only: descriptor and content disagree.
            let (found, expected) = (present.size(), blob.size);
            return Err(FinishError::Size { digest: blob.digest.clone(), found, expected }.into());
        }
        let mut partial = blocking({
            let (store, blob) = (store.clone(), blob.clone());
            move || store.begin(&blob).map_err(RegistryError::from)
        })
        .await?;
        let mut backoff = Backoff::new(&self.transfer);
        loop {
            let before = partial.offset();
            let attempt = if partial.is_complete() {
                Ok(())
            } else {
                let (returned, result) = self.receive(repository, blob, partial).await?;
                partial = returned;
                result
            };
            if partial.offset() > before {
                backoff.progressed();
            }
            let finished = match attempt {
                Ok(()) => {
                    let resumed = partial.is_resumed();
                    let (returned, finished) = blocking(move || {
                        let finished = partial.finish();
                        Ok((partial, finished))
                    })
                    .await?;
                    partial = returned;
                    match finished {
                        // The part that was here may be the wrong one; `finish` forgot it. From the start, once.
                        Err(FinishError::Digest { .. }) if resumed => continue,
                        finished => finished.map_err(RegistryError::from),
                    }
                }
                Err(error) => Err(error),
            };
            match finished {
                Ok(blob) => return Ok(blob),
                Err(error) => self.pause(error, &mut backoff).await?,
            }
        }
    }

    /// One attempt to receive the rest of a blob. Hashing and writing happen on a blocking thread; the outer error is
    /// only that of the thread itself.
    async fn receive(
        &self,
        repository: &str,
        blob: &BlobRef,
        mut partial: Partial,
    ) -> Result<(Partial, Result<(), RegistryError>), RegistryError> {
        let action = format!("fetch the layer {}", blob.digest);
        let response = match self.blob_response(&action, repository, blob, partial.offset()).await {
            Ok(response) => response,
            Err(error) => return Ok((partial, Err(error))),
        };
        match starts_at(response.headers(), response.status()) {
            Some(start) if start == partial.offset() => {}
            // A registry may ignore the range and send everything.
            Some(0) => partial.restart()?,
            _ => return Ok((partial, Err(RegistryError::Header { action, header: "Content-Range" }))),
        }
        let start = partial.offset();
        let (sender, receiver) = mpsc::channel::<Bytes>(PIPELINE_CHUNKS);
        let writer = tokio::task::spawn_blocking(move || write_all(partial, receiver));
        let received = self.forward(&action, response, blob, start, &sender).await;
        drop(sender);
        let (partial, written) = writer
            .await
            .map_err(|error| crate::error::IoError::on("write", std::path::Path::new("a blob"))(join_error(error)))?;
        Ok((partial, written.map_err(RegistryError::from).and(received)))
    }

    async fn forward(
        &self,
        action: &str,
        mut response: Response,
        blob: &BlobRef,
        start: u64,
        sender: &mpsc::Sender<Bytes>,
    ) -> Result<(), RegistryError> {
        let mut done = start;
        while let Some(chunk) = self.chunk(action, &mut response, done).await? {
            done += chunk.len() as u64;
            self.report(ProgressEvent::Downloading { digest: &blob.digest, done, total: blob.size });
            if sender.send(chunk).await.is_err() {
                // The writer stopped; its error is the one that counts.
                return Ok(());
            }
        }
        if done < blob.size {
            return Err(RegistryError::Cut { action: action.to_owned(), done, total: blob.size });
        }
        Ok(())
    }

    async fn blob_response(
        &self,
        action: &str,
        repository: &str,
        blob: &BlobRef,
        offset: u64,
    ) -> Result<Response, RegistryError> {
        let url = self.url(&format!("v2/{repository}/blobs/{}", blob.digest))?;
        let scope = Scope::pull(repository);
        let ranged = || match offset {
            0 => self.http.get(url.clone()),
            offset => self.http.get(url.clone()).header(RANGE, format!("bytes={offset}-")),
        };
        let mut response = self.send(action, &scope, ranged).await?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE && offset > 0 {
            response = self.send(action, &scope, || self.http.get(url.clone())).await?;
        }
        expect_found(action, response, || format!("blob {} in `{repository}`", blob.digest)).await
    }
}

/// Writes what arrives until the sender is gone or the disk or the size says no.
fn write_all(mut partial: Partial, mut receiver: mpsc::Receiver<Bytes>) -> (Partial, Result<(), FinishError>) {
    while let Some(chunk) = receiver.blocking_recv() {
        if let Err(error) = partial.write(&chunk) {
            return (partial, Err(error));
        }
    }
    (partial, Ok(()))
}

/// The offset of an answer's first byte.
fn starts_at(headers: &HeaderMap, status: StatusCode) -> Option<u64> {
    if status != StatusCode::PARTIAL_CONTENT {
        return Some(0);
    }
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    range.trim().strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}

pub(super) async fn expect_found(
    action: &str,
    response: Response,
    what: impl FnOnce() -> String,
) -> Result<Response, RegistryError> {
    match response.status() {
        status if status.is_success() => Ok(response),
        StatusCode::NOT_FOUND => Err(RegistryError::NotFound { what: what(), detail: error_detail(response).await }),
        _ => Err(refusal(action, response).await),
    }
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RegistryError> + Send + 'static,
) -> Result<T, RegistryError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => {
            Err(crate::error::IoError::on("work on", std::path::Path::new("the content store"))(join_error(error)).into())
        }
    }
}
