//! Writing to a registry: what is there already, and manifests. Blobs are uploaded beside this.

use bencher_types::Digest;
use bytes::Bytes;
use reqwest::{StatusCode, header::CONTENT_TYPE};

use super::{RegistryClient, RegistryError, refusal};
use crate::auth::Scope;

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
        let scope = Scope::push(repository);
        let response = self.send(&action, &scope, || self.http.head(url.clone())).await?;
        match response.status() {
            status if status.is_success() => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(refusal(&action, response).await),
        }
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
        let scope = Scope::push(repository);
        let body = Bytes::copy_from_slice(bytes);
        let (action, scope) = (&action, &scope);
        self.retrying(|| async {
            let request = || self.http.put(url.clone()).header(CONTENT_TYPE, media_type).body(body.clone());
            let response = self.send(action, scope, request).await?;
            if response.status().is_success() { Ok(()) } else { Err(refusal(action, response).await) }
        })
        .await
    }
}
