//! Blobs: look up, download, take out of a repository.

use axum::{body::Body, response::Response};
use bencher_types::Digest;
use http::{Method, StatusCode};

use super::{Call, content::Content, empty, error::OciError};
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
        let found = blob::find(&self.app, &access, &digest).await?;
        if self.parts.method == Method::HEAD && access.may_push {
            blob::lease(&self.app, &access, &digest, &found).await?;
        }
        let content = Content { digest: &digest, media_type: "application/octet-stream", size: found.size };
        let mut answer = content.answer(&self.parts)?;
        let body = match answer.part.take() {
            Some(part) => {
                let body = match access.allowance {
                    None => blob::read(&self.app, &digest, &found, part).await?,
                    Some(allowance) => {
                        allowance.check()?;
                        allowance.count(blob::read(&self.app, &digest, &found, part).await?)
                    }
                };
                Body::from_stream(body)
            }
            None => Body::empty(),
        };
        Ok(answer.with_body(body))
    }

    pub(super) async fn delete_blob(&self, name: RepositoryName, digest: Digest) -> Result<Response, OciError> {
        let access = self.authorize(&name, OciAction::Push).await?;
        match self.app.store.remove_oci_blob(&access.place.repository, &digest).await? {
            BlobRemoval::Removed => Ok(empty(StatusCode::ACCEPTED, [])),
            BlobRemoval::Unknown => Err(BlobError::Unknown(digest).into()),
            BlobRemoval::InUse => {
                Err(OciError::in_use(format!("a manifest of `{}` refers to {digest}; delete that first", name.as_str())))
            }
        }
    }
}
