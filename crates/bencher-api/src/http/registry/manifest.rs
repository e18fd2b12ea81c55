//! Manifests: look up, download, push, delete.

use axum::{
    body::Body,
    response::{IntoResponse as _, Response},
};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};

use super::{CONTENT_DIGEST, Call, empty, error::OciError};
use crate::{
    limits,
    registry::{manifest, name::RepositoryName},
    store::oci::manifest::ManifestReference,
    token::OciAction,
};

const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

impl Call {
    pub(super) async fn get_manifest(&self, name: RepositoryName, reference: ManifestReference) -> Result<Response, OciError> {
        let access = self.authorize(&name, OciAction::Pull).await?;
        let unknown = || OciError::manifest_unknown(&reference);
        let row = self.app.store.oci_manifest(&access.place, &reference).await?.ok_or_else(unknown)?;
        let digest = row.digest.0;
        let body = if self.parts.method == Method::HEAD {
            Body::empty()
        } else {
            let content = self.app.store.oci_manifest_content(&access.place, &digest).await?;
            Body::from(content.ok_or_else(unknown)?)
        };
        let mut response = body.into_response();
        for (name, value) in [
            (header::CONTENT_TYPE, row.media_type),
            (header::CONTENT_LENGTH, row.size.to_string()),
            (header::ETAG, format!("\"{digest}\"")),
            (CONTENT_DIGEST, digest.to_string()),
        ] {
            response.headers_mut().insert(name, HeaderValue::try_from(value).expect("checked when the manifest was pushed"));
        }
        Ok(response)
    }

    pub(super) async fn put_manifest(
        &self,
        name: RepositoryName,
        reference: ManifestReference,
        body: &mut Body,
    ) -> Result<Response, OciError> {
        let access = self.authorize_first_push(&name).await?;
        let content = collect(body).await?;
        let content_type = self.parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let pushed = manifest::push(&self.app, &access, &reference, content_type, &content).await?;
        let location = format!("/v2/{}/manifests/{}", name.as_str(), pushed.digest);
        let headers = [(header::LOCATION, location), (CONTENT_DIGEST, pushed.digest.to_string())];
        let subject = pushed.subject.map(|subject| (SUBJECT, subject.to_string()));
        Ok(empty(StatusCode::CREATED, headers.into_iter().chain(subject)))
    }

    pub(super) async fn delete_manifest(&self, name: RepositoryName, reference: ManifestReference) -> Result<Response, OciError> {
        let access = self.authorize(&name, OciAction::Push).await?;
        match self.app.store.delete_oci_manifest(&access.place.repository, &reference).await? {
            true => Ok(empty(StatusCode::ACCEPTED, [])),
            false => Err(OciError::manifest_unknown(&reference)),
        }
    }
}

/// The whole body in memory, if it is of a manifest's size.
async fn collect(body: &mut Body) -> Result<bytes::Bytes, OciError> {
    let limited = Limited::new(std::mem::take(body), limits::MAX_MANIFEST_BYTES);
    match tokio::time::timeout(limits::BODY_STALL_TIMEOUT, limited.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            Err(OciError::manifest_too_large(limits::MAX_MANIFEST_BYTES))
        }
        Ok(Err(_)) | Err(_) => Err(OciError::upload_invalid("the connection broke before the manifest was complete")),
    }
}
