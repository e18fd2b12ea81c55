//! Writing to a registry: blobs from files, then the manifest that names them.

use std::{
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
    header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION},
};
use tokio_util::io::ReaderStream;
use url::Url;

use super::{RegistryClient, RegistryError, refusal};
use crate::{
    auth::{Access, Scope},
    document::{BlobRef, Document, MANIFEST},
    error::IoError,
    layout::Layout,
    limits::CHUNK,
    progress::ProgressEvent,
};

/// What a push did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The digest of the manifest or index; with it, the image can be named for ever.
    pub digest: Digest,
    /// Bytes that were sent.
    pub sent_bytes: u64,
    /// Bytes that were there already.
    pub present_bytes: u64,
}

impl RegistryClient {
    /// Whether a repository has a blob.
    ///
    /// # Errors
    /// The registry cannot be asked.
    pub async fn has_blob(&self, repository: &str, digest: &Digest) -> Result<bool, RegistryError> {
        // With the access of the upload that may follow: one token serves both.
        self.retrying(|| self.has_blob_once(repository, digest)).await
    }

    async fn has_blob_once(&self, repository: &str, digest: &Digest) -> Result<bool, RegistryError> {
        let action = format!("look for the blob {digest}");
        let url = self.url(&format!("v2/{repository}/blobs/{digest}"))?;
        let scope = Scope { repository, access: Access::Push };
        let response = self.send(&action, &scope, || self.http.head(url.clone())).await?;
        match response.status() {
            status if status.is_success() => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(refusal(&action, response).await),
        }
    }

    /// Uploads a file as a blob unless it is there. Says whether it was sent. The registry verifies the digest.
    ///
    /// # Errors
    /// The registry does not take it, or the file cannot be read.
    pub async fn push_blob(&self, repository: &str, blob: &BlobRef, file: &Path) -> Result<bool, RegistryError> {
        if self.has_blob(repository, &blob.digest).await? {
            self.report(ProgressEvent::Present { digest: &blob.digest, total: blob.size });
            return Ok(false);
        }
        self.retrying(|| self.upload_once(repository, blob, file)).await?;
        Ok(true)
    }

    async fn upload_once(&self, repository: &str, blob: &BlobRef, file: &Path) -> Result<(), RegistryError> {
        let action = format!("upload the blob {}", blob.digest);
        let scope = Scope { repository, access: Access::Push };
        let start = self.url(&format!("v2/{repository}/blobs/uploads/"))?;
        let request = || self.http.post(start.clone()).header(CONTENT_LENGTH, 0);
        let response = self.send(&action, &scope, request).await?;
        if response.status() != StatusCode::ACCEPTED {
            return Err(refusal(&action, response).await);
        }
        let mut target = location(&action, &response)?;
        target.query_pairs_mut().append_pair("digest", &blob.digest.to_string());

        // Opened here, so that a missing file is told as such, and once more for each send of the body.
        let std_file = std::fs::File::open(file).map_err(IoError::on("open", file))?;
        let moved = Arc::new(AtomicU64::new(0));
        let request = || {
            let body = self.file_body(&std_file, blob, &moved);
            self.http
                .put(target.clone())
                .header(CONTENT_TYPE, "application/octet-stream")
                .header(CONTENT_LENGTH, blob.size)
                .body(body)
        };
        let response = self.send_watched(&action, &scope, request, Some(&moved)).await?;
        if response.status() != StatusCode::CREATED {
            return Err(refusal(&action, response).await);
        }
        Ok(())
    }

    /// The file's content from its start as a request body that counts itself.
    fn file_body(&self, file: &std::fs::File, blob: &BlobRef, moved: &Arc<AtomicU64>) -> Body {
        moved.store(0, Ordering::Relaxed);
        let (client, blob, moved) = (self.clone(), blob.clone(), Arc::clone(moved));
        let opened = file.try_clone().and_then(|mut file| {
            std::io::Seek::rewind(&mut file)?;
            Ok(tokio::fs::File::from_std(file))
        });
        let chunks = stream::once(async move { opened })
            .map_ok(|file| ReaderStream::with_capacity(file, CHUNK))
            .try_flatten()
            .inspect_ok(move |chunk: &Bytes| {
                let done = moved.fetch_add(chunk.len() as u64, Ordering::Relaxed) + chunk.len() as u64;
                client.report(ProgressEvent::Uploading { digest: &blob.digest, done, total: blob.size });
            });
        Body::wrap_stream(chunks)
    }

    /// Stores a manifest or index under a tag or its digest.
    ///
    /// # Errors
    /// The registry does not take it.
    pub async fn push_manifest(
        &self,
        repository: &str,
        reference: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<(), RegistryError> {
        let action = format!("push the manifest {repository}:{reference}");
        let url = self.url(&format!("v2/{repository}/manifests/{reference}"))?;
        let scope = Scope { repository, access: Access::Push };
        let body = Bytes::copy_from_slice(bytes);
        let (action, scope) = (&action, &scope);
        self.retrying(|| async {
            let request = || self.http.put(url.clone()).header(CONTENT_TYPE, media_type).body(body.clone());
            let response = self.send(action, scope, request).await?;
            if response.status().is_success() { Ok(()) } else { Err(refusal(action, response).await) }
        })
        .await
    }

    /// Pushes one image of a layout: its blobs in parallel, then its manifest under `tag`.
    ///
    /// # Errors
    /// The layout has no such image or is damaged, or the registry does not take it.
    pub async fn push_layout(
        &self,
        layout: &Layout,
        reference: Option<&str>,
        repository: &str,
        tag: &str,
    ) -> Result<Pushed, RegistryError> {
        let root = layout.find(reference)?;
        let bytes = layout.read_document(&root, self.limits.manifest_bytes)?;
        let Document::Manifest(manifest) = Document::parse(&bytes)? else {
            return Err(crate::layout::LayoutError::Index { dir: layout.dir().to_owned() }.into());
        };
        let mut blobs = vec![BlobRef::of("manifest", manifest.config())?];
        for layer in manifest.layers() {
            let layer = BlobRef::of("manifest", layer)?;
            if !blobs.contains(&layer) {
                blobs.push(layer);
            }
        }
        let sent: Vec<(u64, bool)> = stream::iter(&blobs)
            .map(|blob| async move {
                let path = layout.blob_path(&blob.digest);
                Ok::<_, RegistryError>((blob.size, self.push_blob(repository, blob, &path).await?))
            })
            .buffer_unordered(self.parallel())
            .try_collect()
            .await?;
        let media_type = manifest.media_type().as_ref().map_or_else(|| MANIFEST.to_owned(), ToString::to_string);
        self.push_manifest(repository, tag, &media_type, &bytes).await?;
        let sum = |was_sent| sent.iter().filter(|(_, sent)| *sent == was_sent).map(|(size, _)| size).sum();
        Ok(Pushed { digest: root.digest, sent_bytes: sum(true), present_bytes: sum(false) })
    }
}

/// Where an upload goes on; relative to the request, as some registries write it.
fn location(action: &str, response: &Response) -> Result<Url, RegistryError> {
    let missing = || RegistryError::Header { action: action.to_owned(), header: "Location" };
    let text = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).ok_or_else(missing)?;
    response.url().join(text).map_err(|_| missing())
}
