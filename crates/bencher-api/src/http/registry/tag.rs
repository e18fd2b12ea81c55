//! Lists: the tags of a repository, the manifests that refer to another.

use axum::response::{IntoResponse as _, Response};
use bencher_types::Digest;
use http::{HeaderName, HeaderValue, header};
use serde_json::json;

use super::{Call, error::OciError, parameter};
use crate::{
    limits,
    registry::{
        manifest::{OCI_INDEX, Referrer},
        name::RepositoryName,
    },
    token::OciAction,
};

const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

impl Call {
    /// `GET …/tags/list[?n=&last=]`
    pub(super) async fn tags(&self, name: RepositoryName) -> Result<Response, OciError> {
        let access = self.authorize(&name, OciAction::Pull).await?;
        let query = self.query()?;
        let n = match parameter(&query, "n").map(str::parse::<u32>) {
            None => limits::DEFAULT_TAGS_PER_PAGE,
            Some(Ok(n)) => n.min(limits::MAX_TAGS_PER_PAGE),
            Some(Err(_)) => return Err(OciError::unsupported("`n` is not a number of tags".to_owned())),
        };
        let last = parameter(&query, "last").unwrap_or_default();
        let repository = &access.place.repository;
        // One more than asked for tells whether there is another page.
        let mut tags = self.app.store.oci_tags(repository, last, i64::from(n) + 1).await?;
        if tags.is_empty() && !self.app.store.has_oci_repository(repository).await? {
            return Err(OciError::name_unknown(&name));
        }
        let more = truncate(&mut tags, n);
        let next = tags.last().filter(|_| more).map(|last| format!("/v2/{}/tags/list?n={n}&last={last}", name.as_str()));
        Ok(linked(axum::Json(json!({ "name": name.as_str(), "tags": tags })).into_response(), next))
    }

    /// `GET …/referrers/{digest}[?artifactType=]`
    pub(super) async fn referrers(&self, name: RepositoryName, subject: Digest) -> Result<Response, OciError> {
        let access = self.authorize(&name, OciAction::Pull).await?;
        let query = self.query()?;
        let artifact_type = parameter(&query, "artifactType");
        let last = parameter(&query, "last").unwrap_or_default();
        let limit = limits::REFERRERS_PER_PAGE;
        let store = &self.app.store;
        let mut rows = store.oci_referrers(&access.place.repository, &subject, artifact_type, last, i64::from(limit) + 1).await?;
        let more = truncate(&mut rows, limit);
        let next = rows.last().filter(|_| more).map(|last| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.append_pair("last", &last.digest.0.to_string());
            if let Some(artifact_type) = artifact_type {
                query.append_pair("artifactType", artifact_type);
            }
            format!("/v2/{}/referrers/{subject}?{}", name.as_str(), query.finish())
        });
        let manifests: Vec<Referrer> = rows.into_iter().map(Referrer::from).collect();
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests });
        let mut response = axum::Json(index).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(OCI_INDEX));
        if artifact_type.is_some() {
            response.headers_mut().insert(FILTERS_APPLIED, HeaderValue::from_static("artifactType"));
        }
        Ok(linked(response, next))
    }
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
