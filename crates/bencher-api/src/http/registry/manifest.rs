//! Manifests: look up, download, push, delete.
//!
//! A manifest is served as it was pushed: its digest is of these bytes. What a tag names is served to who takes its kind, and of an
//! index, an image to who takes only that.

use axum::{body::Body, response::Response};
use bencher_types::Digest;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};

use super::{CONTENT_DIGEST, Call, accept::Accept, content::Content, empty, error::OciError, path::parse_tag};
use crate::{
    limits,
    registry::{manifest, name::RepositoryName},
    store::{
        StoreError,
        oci::{
            Place,
            manifest::{ManifestDocument, ManifestReference},
        },
    },
    token::OciAction,
};

const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const TAG: HeaderName = HeaderName::from_static("oci-tag");

impl Call {
    pub(super) async fn get_manifest(&self, name: RepositoryName, reference: ManifestReference) -> Result<Response, OciError> {
        let access = self.authorize(&name, OciAction::Pull).await?;
        let ManifestDocument { row, content } = self.negotiated(&access.place, &reference).await?;
        let content = Bytes::from(content);
        let size = u64::try_from(row.size).unwrap_or_default();
        let mut answer = Content { digest: &row.digest.0, media_type: &row.media_type, size }.answer(&self.parts)?;
        let bound = |byte: u64| usize::try_from(byte).unwrap_or(usize::MAX).min(content.len());
        let body = answer.part.take().map(|part| Body::from(content.slice(bound(part.start)..bound(part.end))));
        let mut response = answer.with_body(body.unwrap_or_default());
        if is_tag(&reference) {
            response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
        }
        Ok(response)
    }

    /// A manifest as one that the client takes. Whoever names a digest takes what it is of.
    async fn negotiated(&self, place: &Place, reference: &ManifestReference) -> Result<ManifestDocument, OciError> {
        let found = self.stored(place, reference).await?.ok_or_else(|| OciError::manifest_unknown(reference))?;
        let accept = Accept::of(&self.parts.headers);
        if !is_tag(reference) || accept.takes(&found.row.media_type) {
            return Ok(found);
        }
        let image = manifest::usual_image(&self.app, place, &found.row.digest.0, |kind| accept.takes(kind)).await?;
        let image = match image {
            Some(digest) => self.stored(place, &ManifestReference::Digest(digest)).await?,
            None => None,
        };
        image
            .filter(|image| accept.takes(&image.row.media_type))
            .ok_or_else(|| OciError::manifest_not_accepted(reference, &found.row.media_type))
    }

    /// A manifest, with as much of it as the method is for.
    async fn stored(&self, place: &Place, reference: &ManifestReference) -> Result<Option<ManifestDocument>, StoreError> {
        let store = &self.app.store;
        if self.parts.method == Method::HEAD {
            let row = store.oci_manifest(place, reference).await?;
            return Ok(row.map(|row| ManifestDocument { row, content: Vec::new() }));
        }
        store.oci_manifest_document(place, reference).await
    }

    /// `PUT …/manifests/TAG`, or `PUT …/manifests/DIGEST[?tag=…]`
    pub(super) async fn put_manifest(
        &self,
        name: RepositoryName,
        reference: ManifestReference,
        body: &mut Body,
    ) -> Result<Response, OciError> {
        let access = self.authorize_first_push(&name).await?;
        let tags = self.tag_parameters(&reference)?;
        let content = collect(body).await?;
        let content_type = self.parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let pushed = manifest::push(&self.app, &access, (&reference, &tags), content_type, &content).await?;
        let location = format!("/v2/{}/manifests/{}", name.as_str(), pushed.digest);
        let headers = [(header::LOCATION, location), (CONTENT_DIGEST, pushed.digest.to_string())];
        let subject = pushed.subject.map(|subject| (SUBJECT, subject.to_string()));
        let tags = tags.into_iter().map(|tag| (TAG, tag));
        let warnings = warnings(&pushed.missing).into_iter().map(|warning| (header::WARNING, warning));
        Ok(empty(StatusCode::CREATED, headers.into_iter().chain(subject).chain(tags).chain(warnings)))
    }

    /// The tags that a manifest is to have beside what it is pushed as.
    fn tag_parameters(&self, reference: &ManifestReference) -> Result<Vec<String>, OciError> {
        let query = self.query()?;
        let found = query.iter().filter(|(name, _)| name == "tag").map(|(_, tag)| parse_tag(tag));
        let mut tags = found.collect::<Result<Vec<_>, _>>()?;
        if tags.len() > limits::MAX_TAGS_PER_PUSH {
            return Err(OciError::too_many_tags(tags.len(), limits::MAX_TAGS_PER_PUSH));
        }
        if !tags.is_empty() && matches!(reference, ManifestReference::Tag(_)) {
            return Err(OciError::bad_request("the parameter `tag` is for a manifest that is pushed by its digest"));
        }
        tags.sort();
        tags.dedup();
        Ok(tags)
    }

    pub(super) async fn delete_manifest(&self, name: RepositoryName, reference: ManifestReference) -> Result<Response, OciError> {
        let access = self.authorize(&name, OciAction::Push).await?;
        match self.app.store.delete_oci_manifest(&access.place.repository, &reference).await? {
            true => Ok(empty(StatusCode::ACCEPTED, [])),
            false => Err(OciError::manifest_unknown(&reference)),
        }
    }
}

const fn is_tag(reference: &ManifestReference) -> bool {
    matches!(reference, ManifestReference::Tag(_))
}

/// What a person should know of a manifest that was stored all the same.
fn warnings(missing: &[Digest]) -> Vec<String> {
    let mut room = limits::MAX_WARNING_BYTES;
    let all = missing.iter().map(|digest| {
        format!("299 - \"the repository lacks {digest}, which the manifest refers to; no job can run it before that is pushed\"")
    });
    all.take_while(|warning| {
        let fits = warning.len() <= room;
        room = room.saturating_sub(warning.len());
        fits
    })
    .collect()
}

/// The whole body in memory, if it is of a manifest's size.
async fn collect(body: &mut Body) -> Result<Bytes, OciError> {
    let limited = Limited::new(std::mem::take(body), limits::MAX_MANIFEST_BYTES);
    match tokio::time::timeout(limits::BODY_STALL_TIMEOUT, limited.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            Err(OciError::manifest_too_large(limits::MAX_MANIFEST_BYTES))
        }
        Ok(Err(_)) | Err(_) => Err(OciError::upload_invalid("the connection broke before the manifest was complete")),
    }
}
