//! What refers to a manifest: signatures, attestations and the like.

use bencher_types::Digest;
use serde::Deserialize;

use super::{RegistryClient, RegistryError};
use crate::{document::DocumentError, limits::MAX_MANIFESTS};

/// What tags end with under which cosign keeps what it attaches to an image.
const KINDS: [&str; 3] = ["sig", "att", "sbom"];

/// A manifest that refers to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    pub digest: Digest,
    /// The tag that says so, where its subject does not.
    pub tag: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    manifests: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: Digest,
}

impl RegistryClient {
    /// The manifests that refer to another one: by their subject, or under a tag that is made of its digest.
    ///
    /// # Errors
    /// The repository may not be read, the registry cannot be reached, or there are more of them than anybody attaches.
    pub async fn referrers(&self, repository: &str, subject: &Digest) -> Result<Vec<Referrer>, RegistryError> {
        let prefix = format!("{}-{}", subject.algorithm().as_str(), subject.hex());
        let (mut found, mut tags) = (Vec::new(), KINDS.map(|kind| format!("{prefix}.{kind}")).to_vec());
        match self.by_subject(repository, subject).await {
            Ok(digests) => found.extend(digests.into_iter().map(|digest| Referrer { digest, tag: None })),
            // A registry that has no such lists: its clients keep an index of them under this tag.
            Err(RegistryError::NotFound { .. }) => tags.push(prefix),
            Err(error) => return Err(error),
        }
        for tag in tags {
            match self.manifest(repository, &tag).await {
                Ok(manifest) => found.push(Referrer { digest: manifest.digest, tag: Some(tag) }),
                Err(RegistryError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    async fn by_subject(&self, repository: &str, subject: &Digest) -> Result<Vec<Digest>, RegistryError> {
        let mut next = Some(self.url(&format!("v2/{repository}/referrers/{subject}"))?);
        let mut found = Vec::new();
        while let Some(url) = next {
            let page: Page;
            (page, next) = self.page(repository, "list of referrers", url).await?;
            found.extend(page.manifests.unwrap_or_default().into_iter().map(|descriptor| descriptor.digest));
            if found.len() > MAX_MANIFESTS {
                return Err(DocumentError::TooManyManifests(MAX_MANIFESTS).into());
            }
        }
        Ok(found)
    }
}
