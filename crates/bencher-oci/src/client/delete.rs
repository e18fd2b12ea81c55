//! Deleting what a registry has.

use super::{RegistryClient, RegistryError, pull::expect_found};
use crate::auth::Scope;

impl RegistryClient {
    /// Deletes a tag, or by digest a manifest with every tag that points to it.
    ///
    /// # Errors
    /// It is not there, the caller may not delete it, or the registry cannot be reached.
    pub async fn delete_manifest(&self, repository: &str, reference: &str) -> Result<(), RegistryError> {
        let action = format!("delete the manifest {repository}:{reference}");
        let url = self.url(&format!("v2/{repository}/manifests/{reference}"))?;
        // The scope is what pushing takes: registries give no other one for deleting.
        let scope = Scope::push(repository);
        let response = self.send(&action, &scope, || self.http.delete(url.clone())).await?;
        let what = || format!("image `{repository}` with the tag or digest `{reference}`");
        expect_found(&action, response, what).await.map(drop)
    }
}
