//! What a repository has: its tags, and lists of it in general.

use reqwest::header::LINK;
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

use super::{RegistryClient, RegistryError, pull::expect_found};
use crate::{
    auth::Scope,
    document::DocumentError,
    limits::{MAX_TAG_PAGE, MAX_TAG_PAGES, TAGS_PER_PAGE},
};

#[derive(Deserialize)]
struct Page {
    /// Some registries say `null` where there is none.
    tags: Option<Vec<String>>,
}

impl RegistryClient {
    /// The tags of a repository, page after page, in the registry's order.
    ///
    /// # Errors
    /// There is no such repository, it may not be read, or the registry cannot be reached or never ends its list.
    pub async fn tags(&self, repository: &str) -> Result<Vec<String>, RegistryError> {
        let mut url = self.url(&format!("v2/{repository}/tags/list?n={TAGS_PER_PAGE}"))?;
        let mut tags = Vec::new();
        for _ in 0..MAX_TAG_PAGES {
            let (page, next) = self.page::<Page>(repository, "list of tags", url).await?;
            tags.extend(page.tags.unwrap_or_default());
            match next {
                Some(next) => url = next,
                None => return Ok(tags),
            }
        }
        Err(RegistryError::TooManyTags { repository: repository.to_owned(), pages: MAX_TAG_PAGES })
    }

    /// A page of a list of a repository, and where the next one is.
    pub(super) async fn page<T: DeserializeOwned>(
        &self,
        repository: &str,
        what: &'static str,
        url: Url,
    ) -> Result<(T, Option<Url>), RegistryError> {
        self.retrying(|| self.page_once(repository, what, url.clone())).await
    }

    async fn page_once<T: DeserializeOwned>(
        &self,
        repository: &str,
        what: &'static str,
        url: Url,
    ) -> Result<(T, Option<Url>), RegistryError> {
        let action = format!("fetch the {what} of {repository}");
        let scope = Scope::pull(repository);
        let response = self.send(&action, &scope, || self.http.get(url.clone())).await?;
        let response = expect_found(&action, response, || format!("repository `{repository}`")).await?;
        let link = response.headers().get(LINK).and_then(|link| link.to_str().ok()).and_then(next_of);
        let next = link.and_then(|link| response.url().join(&link).ok());
        // Only a list of this registry goes on: a link elsewhere would be somebody else's.
        let next = next.filter(|next| next.origin() == url.origin() && *next != url);
        let body = self.body(&action, response, MAX_TAG_PAGE).await?;
        let page = serde_json::from_slice(&body).map_err(|source| DocumentError::Malformed { what, source })?;
        Ok((page, next))
    }
}

/// The target of `<…>; rel="next"` (RFC 8288), the only link that registries send.
fn next_of(header: &str) -> Option<String> {
    let (target, parameters) = header.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = parameters.split(';').any(|one| matches!(one.trim(), r#"rel="next""# | "rel=next"));
    is_next.then(|| target.to_owned())
}
