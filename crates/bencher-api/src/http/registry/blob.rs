//! Blobs: look up, download, take out of a repository.

use axum::{
    body::Body,
    response::{IntoResponse as _, Response},
};
use bencher_types::Digest;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};

use super::{
    CONTENT_DIGEST, Call, empty,
    error::OciError,
    range::{Wanted, wanted},
};
use crate::{
    registry::{
        blob::{self, BlobError},
        name::RepositoryName,
    },
    store::oci::blob::BlobRemoval,
    token::OciAction,
};

impl Call {
    pub(super) async fn get_blob(&self, name: RepositoryName, digest: Digest) -> Result<Response, OciError> {
        let access = self.authorize(&name, OciAction::Pull).await?;
        let content = blob::find(&self.app, &access, &digest).await?;
        let size = content.size;
        let etag = format!("\"{digest}\"");
        let header = |name: HeaderName| self.parts.headers.get(name).and_then(|value| value.to_str().ok());

        let only_asks = self.parts.method == Method::HEAD;
        if only_asks && access.may_push {
            blob::lease(&self.app, &access, &digest, &content).await?;
        }
        // Content never changes, so a range is only ever of another blob's content where the tag says so.
        let same = header(header::IF_RANGE).is_none_or(|tag| tag == etag);
        let (status, part) = match wanted(header(header::RANGE).filter(|_| same && !only_asks), size) {
            Wanted::All => (StatusCode::OK, 0..size),
            Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
            Wanted::Unsatisfiable => {
                let error = OciError::range_invalid(format!("the blob has {size} bytes; ask for a range within"));
                return Err(error.with_header(header::CONTENT_RANGE, format!("bytes */{size}")));
            }
        };

        let mut headers = vec![
            (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
            (header::CONTENT_LENGTH, (part.end - part.start).to_string()),
            (header::ACCEPT_RANGES, "bytes".to_owned()),
            (header::ETAG, etag),
            (CONTENT_DIGEST, digest.to_string()),
        ];
        if status == StatusCode::PARTIAL_CONTENT {
            headers.push((header::CONTENT_RANGE, format!("bytes {}-{}/{size}", part.start, part.end - 1)));
        }
        let body =
            if only_asks { Body::empty() } else { Body::from_stream(blob::read(&self.app, &digest, &content, part).await?) };
        let mut response = (status, body).into_response();
        for (name, value) in headers {
            response.headers_mut().insert(name, HeaderValue::try_from(value).expect("numbers and digests are header values"));
        }
        Ok(response)
    }

    pub(super) async fn delete_blob(&self, name: RepositoryName, digest: Digest) -> Result<Response, OciError> {
        let access = self.authorize(&name, OciAction::Push).await?;
        match self.app.store.remove_oci_blob(&access.place.repository, &digest).await? {
            BlobRemoval::Removed => Ok(empty(StatusCode::ACCEPTED, [])),
            BlobRemoval::Unknown => Err(BlobError::Unknown(digest).into()),
            BlobRemoval::InUse => {
                Err(OciError::unsupported(format!("a manifest of `{}` refers to {digest}; delete that first", name.as_str())))
            }
        }
    }
}
