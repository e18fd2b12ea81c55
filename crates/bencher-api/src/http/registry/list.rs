//! Lists: the tags of a repository, the manifests that refer to another, all repositories.

use axum::response::{IntoResponse as _, Response};
use bencher_types::{Digest, oci::manifest::OCI_INDEX};
use http::{HeaderName, HeaderValue, header};
use serde_json::json;

use super::{Call, error::OciError, parameter};
use crate::{
    limits,
    registry::{
        access::{self, AccessError},
        name::RepositoryName,
        referrer,
    },
    token::OciAction,
};

const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

impl Call {
    /// `GET …/tags/list[?n=&last=]`
    pub(super) async fn tags(&self, name: RepositoryName) -> Result<Response, OciError> {
        let access = self.authorize(&name, OciAction::Pull).await?;
        let Wanted { n, last } = self.wanted(limits::DEFAULT_TAGS_PER_PAGE, limits::MAX_TAGS_PER_PAGE)?;
        let repository = &access.place.repository;
        // One more than asked for tells whether there is another page.
        let mut tags = self.app.store.oci_tags(repository, &last, i64::from(n) + 1).await?;
        if tags.is_empty() && !self.app.store.has_oci_repository(repository).await? {
            return Err(OciError::name_unknown(&name));
        }
        let more = truncate(&mut tags, n);
        let next = tags.last().filter(|_| more).map(|last| format!("/v2/{}/tags/list?n={n}&last={last}", name.as_str()));
        Ok(linked(axum::Json(json!({ "name": name.as_str(), "tags": tags })).into_response(), next))
    }

    /// `GET /v2/_catalog[?n=&last=]`
    pub(super) async fn catalog(&self) -> Result<Response, OciError> {
        access::authorize_catalog(&self.caller)?;
        let Wanted { n, last } = self.wanted(limits::DEFAULT_REPOSITORIES_PER_PAGE, limits::MAX_REPOSITORIES_PER_PAGE)?;
        let mut repositories = self.app.store.oci_catalog(&last, i64::from(n) + 1).await?;
        let more = truncate(&mut repositories, n);
        let next = repositories.last().filter(|_| more).map(|last| format!("/v2/_catalog?n={n}&last={last}"));
        Ok(linked(axum::Json(json!({ "repositories": repositories })).into_response(), next))
    }

    /// `GET …/referrers/{digest}[?artifactType=]`
    ///
    /// Never 404 (OCI distribution specification, "Listing Referrers"): what nobody pushed yet, nothing refers to.
    pub(super) async fn referrers(&self, name: RepositoryName, subject: Digest) -> Result<Response, OciError> {
        let query = self.query()?;
        let artifact_type = parameter(&query, "artifactType");
        let last = parameter(&query, "last").unwrap_or_default();
        let page = match access::authorize(&self.app, &self.caller, &name, OciAction::Pull).await {
            Ok(access) => referrer::list(&self.app, &access, &subject, artifact_type, last).await?,
            // The answer to a project that the caller may not see is the same as to none, as everywhere.
            Err(AccessError::NameUnknown(_)) => referrer::Page::default(),
            Err(error) => return Err(OciError::from(error).for_scope(&name, OciAction::Pull)),
        };
        let next = page.next.map(|last| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.append_pair("last", &last.to_string());
            if let Some(artifact_type) = artifact_type {
                query.append_pair("artifactType", artifact_type);
            }
            format!("/v2/{}/referrers/{subject}?{}", name.as_str(), query.finish())
        });
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": page.referrers });
        let mut response = axum::Json(index).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(OCI_INDEX));
        if artifact_type.is_some() {
            response.headers_mut().insert(FILTERS_APPLIED, HeaderValue::from_static("artifactType"));
        }
        Ok(linked(response, next))
    }

    /// The part of a list that the query asks for. More than there may be is as much as there may be.
    fn wanted(&self, default: u32, most: u32) -> Result<Wanted, OciError> {
        let query = self.query()?;
        let n = match parameter(&query, "n") {
            None => default,
            Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse::<u32>().map_or(most, |n| n.min(most))
            }
            Some(text) => return Err(OciError::page_invalid(text)),
        };
        Ok(Wanted { n, last: parameter(&query, "last").unwrap_or_default().to_owned() })
    }
}

/// A part of a list.
struct Wanted {
    n: u32,
    /// The entry before the first one.
    last: String,
}

/// Cuts a list to its page; whether there was more.
fn truncate<T>(items: &mut Vec<T>, page: u32) -> bool {
    let page = usize::try_from(page).unwrap_or(usize::MAX);
    let more = items.len() > page;
    items.truncate(page);
    more
}

fn linked(mut response: Response, next: Option<String>) -> Response {
    if let Some(value) = next.and_then(|next| HeaderValue::try_from(format!("<{next}>; rel=\"next\"")).ok()) {
        response.headers_mut().insert(header::LINK, value);
    }
    response
}
