//! Uploads: begin (or mount), append, finish, ask, cancel.

use axum::{body::Body, response::Response};
use bencher_types::{
    Digest,
    oci::{digest::Algorithm, range},
};
use http::{HeaderName, StatusCode, header};
use uuid::Uuid;

use super::{CONTENT_DIGEST, Call, empty, error::OciError, parameter, path::parse_digest, stream};
use crate::{
    registry::{
        access::Access,
        blob::MountError,
        mount::{self, Mount},
        name::RepositoryName,
        upload::{self, Incoming, UploadError},
    },
    token::OciAction,
};

const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");

impl Call {
    /// `POST …/blobs/uploads[?digest=|?mount=&from=]`
    pub(super) async fn begin_upload(&self, name: RepositoryName, body: &mut Body) -> Result<Response, OciError> {
        let query = self.query()?;
        let source = parameter(&query, "mount").and(parameter(&query, "from")).and_then(|from| from.parse().ok());
        // Who has no token yet asks for one that is good for both, and not for one after the other.
        let access = self.authorize_first_push(&name).await;
        let access = access.map_err(|error| source.iter().fold(error, OciError::and_to_pull))?;
        if let Some(digest) = parameter(&query, "digest") {
            return self.whole(&access, &parse_digest(digest)?, body).await;
        }
        let algorithm = match parameter(&query, "digest-algorithm") {
            None => Algorithm::Sha256,
            Some(name) => Algorithm::named(name).ok_or_else(|| OciError::algorithm_unknown(name))?,
        };
        if let Some(digest) = parameter(&query, "mount") {
            let digest = parse_digest(digest)?;
            match self.mount(&access, &digest, parameter(&query, "from")).await? {
                Mount::Done => return Ok(created(&name, &digest)),
                Mount::NeedsScope(source) => return Err(OciError::mount_needs_scope(&name, &source)),
                // The specification has it that the client then uploads; it is not told why.
                Mount::NotFound => {}
            }
        }
        let upload = upload::begin(&self.app, &access, algorithm).await?;
        Ok(under_way(StatusCode::ACCEPTED, &name, upload, 0))
    }

    async fn mount(&self, target: &Access, digest: &Digest, from: Option<&str>) -> Result<Mount, MountError> {
        match from.map(str::parse) {
            None => mount::mount_from_anywhere(&self.app, &self.caller, target, digest).await,
            Some(Ok(from)) => mount::mount_from(&self.app, &self.caller, target, digest, &from).await,
            Some(Err(_)) => Ok(Mount::NotFound),
        }
    }

    /// `PUT …/blobs/uploads?digest=`
    pub(super) async fn put_whole(&self, name: RepositoryName, body: &mut Body) -> Result<Response, OciError> {
        let access = self.authorize_first_push(&name).await?;
        let digest = self.digest_parameter()?;
        self.whole(&access, &digest, body).await
    }

    /// A blob in one request.
    async fn whole(&self, access: &Access, digest: &Digest, body: &mut Body) -> Result<Response, OciError> {
        let incoming = self.incoming(access, body)?;
        let upload = upload::begin(&self.app, access, digest.algorithm()).await?;
        let finished = upload::finish(&self.app, access, upload, incoming, digest).await;
        match finished {
            Ok(_) => Ok(created(&access.name, digest)),
            Err(error) => {
                // Nobody knows this upload's id, so nobody can continue it.
                if let Err(left) = upload::cancel(&self.app, access, upload).await
                    && !matches!(left, UploadError::Unknown)
                {
                    tracing::warn!(cause = crate::chain::chain(&left), %upload, "could not remove a failed upload; it will expire");
                }
                Err(error.into())
            }
        }
    }

    pub(super) async fn append(&self, name: RepositoryName, upload: Uuid, body: &mut Body) -> Result<Response, OciError> {
        let access = self.authorize(&name, OciAction::Push).await?;
        let appended = match self.incoming(&access, body) {
            Ok(incoming) => upload::append(&self.app, &access, upload, incoming).await.map_err(OciError::from),
            Err(error) => Err(error),
        };
        match appended {
            Ok(offset) => Ok(under_way(StatusCode::ACCEPTED, &name, upload, offset)),
            Err(error) => Err(self.with_whereabouts(error, &access, upload).await),
        }
    }

    pub(super) async fn finish_upload(&self, name: RepositoryName, upload: Uuid, body: &mut Body) -> Result<Response, OciError> {
        let access = self.authorize(&name, OciAction::Push).await?;
        let digest = self.digest_parameter()?;
        let finished = match self.incoming(&access, body) {
            Ok(incoming) => upload::finish(&self.app, &access, upload, incoming, &digest).await.map_err(OciError::from),
            Err(error) => Err(error),
        };
        match finished {
            Ok(_) => Ok(created(&name, &digest)),
            Err(error) => Err(self.with_whereabouts(error, &access, upload).await),
        }
    }

    pub(super) async fn upload_status(&self, name: RepositoryName, upload: Uuid) -> Result<Response, OciError> {
        let access = self.authorize(&name, OciAction::Push).await?;
        let offset = upload::offset(&self.app, &access, upload).await?;
        Ok(under_way(StatusCode::NO_CONTENT, &name, upload, offset))
    }

    pub(super) async fn cancel_upload(&self, name: RepositoryName, upload: Uuid) -> Result<Response, OciError> {
        let access = self.authorize(&name, OciAction::Push).await?;
        upload::cancel(&self.app, &access, upload).await?;
        Ok(empty(StatusCode::NO_CONTENT, []))
    }

    fn digest_parameter(&self) -> Result<Digest, OciError> {
        let query = self.query()?;
        let digest = parameter(&query, "digest");
        parse_digest(digest.ok_or_else(|| OciError::upload_invalid("the parameter `digest` is missing"))?)
    }

    /// Takes the body, and what the headers say of it.
    fn incoming(&self, access: &Access, body: &mut Body) -> Result<Incoming, OciError> {
        if let Some(allowance) = &access.allowance {
            allowance.check()?;
        }
        let text = |name: HeaderName| self.parts.headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let declared = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
        let (start, length) = match text(header::CONTENT_RANGE) {
            None => (None, declared),
            Some(range) => {
                let (start, length) = range::chunk(range)
                    .ok_or_else(|| OciError::range_invalid("the Content-Range is not FIRST-LAST, two numbers of bytes"))?;
                if declared.is_some_and(|declared| declared != length) {
                    return Err(OciError::range_invalid(
                        "the Content-Range and the Content-Length differ in how many bytes there are",
                    ));
                }
                (Some(start), Some(length))
            }
        };
        let body = stream(std::mem::take(body));
        let body = match access.allowance.clone() {
            None => body,
            Some(allowance) => allowance.count(body),
        };
        Ok(Incoming { body, start, length })
    }

    /// Tells a client whose chunk did not fit where the upload is, so that it can go on.
    async fn with_whereabouts(&self, error: OciError, access: &Access, upload: Uuid) -> OciError {
        if error.status() != StatusCode::RANGE_NOT_SATISFIABLE {
            return error;
        }
        match upload::offset(&self.app, access, upload).await {
            Ok(offset) => whereabouts(&access.name, upload, offset)
                .into_iter()
                .fold(error, |error, (name, value)| error.with_header(name, value)),
            Err(gone) => gone.into(),
        }
    }
}

fn whereabouts(name: &RepositoryName, upload: Uuid, offset: u64) -> [(HeaderName, String); 3] {
    [
        (header::LOCATION, format!("/v2/{}/blobs/uploads/{upload}", name.as_str())),
        // The last byte that is there; the specification has no way to say that there is none.
        (header::RANGE, format!("0-{}", offset.saturating_sub(1))),
        (UPLOAD_UUID, upload.to_string()),
    ]
}

fn under_way(status: StatusCode, name: &RepositoryName, upload: Uuid, offset: u64) -> Response {
    empty(status, whereabouts(name, upload, offset))
}

fn created(name: &RepositoryName, digest: &Digest) -> Response {
    let location = format!("/v2/{}/blobs/{digest}", name.as_str());
    empty(StatusCode::CREATED, [(header::LOCATION, location), (CONTENT_DIGEST, digest.to_string())])
}
