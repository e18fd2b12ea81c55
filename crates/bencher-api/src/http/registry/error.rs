//! Errors in the distribution specification's own shape: `{"errors": [{"code", "message", "detail"}]}`.

use axum::response::{IntoResponse, Response};
use bencher_types::oci::manifest::InvalidManifest;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use url::Url;

use crate::{
    chain::chain,
    error::ApiError,
    limits,
    rate::Limited,
    registry::{
        access::AccessError,
        bandwidth::UsedUp,
        blob::{BlobError, MountError},
        manifest::ManifestError,
        name::{InvalidRepositoryName, RepositoryName},
        quota::NoRoom,
        scope::CATALOG,
        upload::UploadError,
    },
    store::{StoreError, oci::manifest::ManifestReference},
    token::OciAction,
};

/// A request to the registry that was not served.
#[derive(Debug)]
pub(super) struct OciError {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// Apart, because most results carry no error and should not be as large as one.
    rest: Box<Rest>,
}

#[derive(Debug, Default)]
struct Rest {
    detail: Option<Value>,
    headers: HeaderMap,
    challenge: Option<Challenge>,
    /// The chain of causes, for the log only.
    cause: Option<String>,
}

/// What a client must do to be let in.
#[derive(Debug, Default)]
struct Challenge {
    scope: Option<String>,
    /// Why the token it sent was not enough.
    error: Option<&'static str>,
}

impl OciError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), rest: Box::default() }
    }

    fn failed(status: StatusCode, message: &str, cause: &dyn std::error::Error) -> Self {
        Self::new(status, "UNKNOWN", message).with_cause(Some(chain(cause)))
    }

    fn with_cause(mut self, cause: Option<String>) -> Self {
        self.rest.cause = cause;
        self
    }

    fn with_detail(mut self, detail: Value) -> Self {
        self.rest.detail = Some(detail);
        self
    }

    fn with_challenge(mut self, error: Option<&'static str>) -> Self {
        self.rest.challenge = Some(Challenge { scope: None, error });
        self
    }

    fn internal(cause: &dyn std::error::Error) -> Self {
        let message = "internal error; the server's log has the details under this request's id (header x-request-id)";
        Self::failed(StatusCode::INTERNAL_SERVER_ERROR, message, cause)
    }

    /// The path is none of the API's.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "UNSUPPORTED", "no such route; see the OCI distribution specification")
    }

    pub(super) fn method_not_allowed(method: &http::Method, allowed: &'static str) -> Self {
        let message = format!("{method} is not possible here, but {allowed}");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message).with_header(header::ALLOW, allowed.to_owned())
    }

    /// A blob that cannot be deleted as long as a manifest refers to it.
    pub(super) fn in_use(message: String) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message).with_header(header::ALLOW, "GET, HEAD".to_owned())
    }

    /// Parameters that make no sense.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "UNSUPPORTED", message)
    }

    pub(super) fn too_many_tags(found: usize, limit: usize) -> Self {
        let message = format!("the manifest is to be called {found} names at once: expected at most {limit}");
        Self::new(StatusCode::URI_TOO_LONG, "TAG_INVALID", message)
    }

    pub(super) fn precondition_failed(etag: &str) -> Self {
        let message = format!("the content is {etag}, which is none that the header If-Match names");
        Self::new(StatusCode::PRECONDITION_FAILED, "UNSUPPORTED", message)
    }

    pub(super) fn algorithm_unknown(name: &str) -> Self {
        let name: String = name.chars().take(40).collect();
        let message = format!("`{name}` is no algorithm of digests here: expected sha256 or sha512");
        Self::new(StatusCode::BAD_REQUEST, "DIGEST_INVALID", message)
    }

    /// The blob is there for the caller to mount, but not for the token that it shows.
    pub(super) fn mount_needs_scope(target: &RepositoryName, source: &RepositoryName) -> Self {
        let error = AccessError::InsufficientScope { name: source.as_str().to_owned(), action: OciAction::Pull };
        Self::from(error).for_scope(target, OciAction::Push).and_to_pull(source)
    }

    /// Names another repository that a client should ask a token for too.
    pub(super) fn and_to_pull(mut self, source: &RepositoryName) -> Self {
        if let Some(scope) = self.rest.challenge.as_mut().and_then(|challenge| challenge.scope.as_mut()) {
            scope.push_str(&format!(" repository:{}:pull", source.as_str()));
        }
        self
    }

    /// What is wrong with the part of a list that is asked for.
    pub(super) fn page_invalid(n: &str) -> Self {
        let n: String = n.chars().take(40).collect();
        Self::bad_request(format!("`{n}` as `n` is no number of entries: expected digits"))
    }

    pub(super) fn name_invalid(error: &InvalidRepositoryName) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "NAME_INVALID", error.to_string())
    }

    pub(super) fn name_unknown(name: &RepositoryName) -> Self {
        let message = format!("nothing was pushed to `{}` yet", name.as_str());
        Self::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", message)
    }

    pub(super) fn digest_invalid(error: &dyn std::error::Error) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "DIGEST_INVALID", error.to_string())
    }

    pub(super) fn tag_invalid(tag: &str) -> Self {
        let tag: String = tag.chars().take(160).collect();
        let message = format!("`{tag}` is no tag: expected up to 128 letters, digits, underscores, dots and hyphens");
        Self::new(StatusCode::BAD_REQUEST, "TAG_INVALID", message)
    }

    pub(super) fn upload_unknown() -> Self {
        UploadError::Unknown.into()
    }

    pub(super) fn upload_invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID", message)
    }

    /// A chunk that does not fit; the client sees in the headers where to go on.
    pub(super) fn range_invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID", message)
    }

    pub(super) fn manifest_unknown(reference: &ManifestReference) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "MANIFEST_UNKNOWN",
            format!("the repository holds no manifest {reference}; push it first"),
        )
    }

    /// There is one, of a kind that the client does not take. Clients know the answer from other registries.
    pub(super) fn manifest_not_accepted(reference: &ManifestReference, media_type: &str) -> Self {
        let message =
            format!("{reference} is {media_type}, which the header Accept does not name; add it there, or ask for a digest");
        Self::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", message).with_detail(json!({ "mediaType": media_type }))
    }

    pub(super) fn manifest_too_large(limit: usize) -> Self {
        let message = format!("the manifest is larger than {limit} bytes; put its content into blobs");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID", message)
    }

    #[cfg(test)]
    pub(super) const fn code(&self) -> &'static str {
        self.code
    }

    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn with_header(mut self, name: HeaderName, value: String) -> Self {
        if let Ok(value) = HeaderValue::try_from(value) {
            self.rest.headers.insert(name, value);
        }
        self
    }

    /// Names the scope that a client should ask a token for.
    pub(super) fn for_scope(mut self, name: &RepositoryName, action: OciAction) -> Self {
        if let Some(challenge) = &mut self.rest.challenge {
            let actions = match action {
                OciAction::Pull => "pull",
                // Who pushes also looks up what is there already.
                OciAction::Push => "pull,push",
            };
            challenge.scope = Some(format!("repository:{}:{actions}", name.as_str()));
        }
        self
    }

    /// Tells a client that must log in where to get a token.
    pub(super) fn challenged(mut self, registry: &Url) -> Self {
        let Some(Challenge { scope, error }) = self.rest.challenge.take() else { return self };
        let realm = registry.join("v0/auth/oci/token").map_or_else(|_| registry.to_string(), |url| url.to_string());
        let mut value = format!("Bearer realm=\"{realm}\",service=\"{}\"", service(registry));
        if let Some(scope) = scope {
            value.push_str(&format!(",scope=\"{scope}\""));
        }
        if let Some(error) = error {
            value.push_str(&format!(",error=\"{error}\""));
        }
        self.with_header(header::WWW_AUTHENTICATE, value)
    }
}

/// What the registry calls itself in tokens: its host, with the port if it is not the usual one.
pub(super) fn service(registry: &Url) -> String {
    let host = registry.host_str().unwrap_or_default();
    registry.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

impl IntoResponse for OciError {
    fn into_response(self) -> Response {
        if let Some(cause) = &self.rest.cause {
            tracing::error!(status = self.status.as_u16(), cause, "request to the registry failed");
        }
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(detail) = self.rest.detail {
            error["detail"] = detail;
        }
        let mut response = (self.status, axum::Json(json!({ "errors": [error] }))).into_response();
        response.headers_mut().extend(self.rest.headers);
        response
    }
}

impl From<StoreError> for OciError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unavailable(_) => {
                Self::failed(StatusCode::SERVICE_UNAVAILABLE, "the database is not available; try again shortly", &error)
            }
            StoreError::NotDurable(_) => Self::failed(StatusCode::SERVICE_UNAVAILABLE, &error.to_string(), &error),
            // The project was deleted in the middle of the request.
            StoreError::ForeignKey => Self::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "the project is gone"),
            _ => Self::internal(&error),
        }
    }
}

impl From<Limited> for OciError {
    fn from(limited: Limited) -> Self {
        let retry_after = limited.retry_after_secs().to_string();
        Self::new(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", limited.to_string())
            .with_header(header::RETRY_AFTER, retry_after)
    }
}

impl From<UsedUp> for OciError {
    fn from(used_up: UsedUp) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", used_up.to_string())
            .with_header(header::RETRY_AFTER, used_up.retry_after.as_secs().to_string())
    }
}

impl From<AccessError> for OciError {
    fn from(error: AccessError) -> Self {
        let message = error.to_string();
        match error {
            AccessError::Unauthorized(_) => Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message).with_challenge(None),
            AccessError::InsufficientScope { .. } => {
                Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message).with_challenge(Some("insufficient_scope"))
            }
            AccessError::NoCatalog => {
                let mut error =
                    Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message).with_challenge(Some("insufficient_scope"));
                if let Some(challenge) = &mut error.rest.challenge {
                    challenge.scope = Some(CATALOG.to_owned());
                }
                error
            }
            AccessError::Denied(_) => Self::new(StatusCode::FORBIDDEN, "DENIED", message),
            AccessError::NameUnknown(_) => Self::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", message),
            AccessError::Store(error) => error.into(),
        }
    }
}

impl From<ApiError> for OciError {
    fn from(error: ApiError) -> Self {
        let cause = error.cause().map(str::to_owned);
        let code = match error.status() {
            StatusCode::UNAUTHORIZED => "UNAUTHORIZED",
            StatusCode::FORBIDDEN => "DENIED",
            StatusCode::NOT_FOUND => "NAME_UNKNOWN",
            StatusCode::TOO_MANY_REQUESTS => "TOOMANYREQUESTS",
            status if status.is_client_error() => "UNSUPPORTED",
            _ => "UNKNOWN",
        };
        Self::new(error.status(), code, error.body(String::new()).message).with_cause(cause)
    }
}

impl From<BlobError> for OciError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Unknown(_) | BlobError::Quarantined { .. } => {
                Self::new(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", error.to_string())
            }
            BlobError::Store(error) => error.into(),
            BlobError::Read { .. } => Self::internal(&error),
        }
    }
}

impl From<UploadError> for OciError {
    fn from(error: UploadError) -> Self {
        let message = error.to_string();
        match error {
            UploadError::Unknown => Self::new(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", message),
            UploadError::OutOfOrder { .. } | UploadError::WrongLength { .. } => Self::range_invalid(message),
            UploadError::NoRoom(error) => error.into(),
            UploadError::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID", message),
            UploadError::DigestMismatch { expected, found } => Self::new(StatusCode::BAD_REQUEST, "DIGEST_INVALID", message)
                .with_detail(json!({ "expected": expected, "found": found })),
            UploadError::Interrupted { .. } => Self::upload_invalid(message),
            UploadError::Superseded => Self::new(StatusCode::CONFLICT, "BLOB_UPLOAD_INVALID", message),
            UploadError::TooMany { .. } => Self::new(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", message)
                .with_header(header::RETRY_AFTER, limits::UPLOADS_RETRY_SECS.to_string()),
            UploadError::Busy => Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNKNOWN", message),
            UploadError::DiskFull(_) => Self::failed(StatusCode::INSUFFICIENT_STORAGE, &message, &error),
            UploadError::Spool(_) | UploadError::Commit(_) => Self::internal(&error),
            UploadError::Send(_) => Self::failed(StatusCode::SERVICE_UNAVAILABLE, &message, &error),
            UploadError::Store(error) => error.into(),
        }
    }
}

impl From<MountError> for OciError {
    fn from(error: MountError) -> Self {
        match error {
            MountError::NoRoom(error) => error.into(),
            MountError::Store(error) => error.into(),
        }
    }
}

impl From<NoRoom> for OciError {
    fn from(error: NoRoom) -> Self {
        let detail = json!({ "quota": error.quota, "needed": error.needed });
        Self::new(StatusCode::FORBIDDEN, "DENIED", error.to_string()).with_detail(detail)
    }
}

impl From<ManifestError> for OciError {
    fn from(error: ManifestError) -> Self {
        let message = error.to_string();
        match error {
            ManifestError::Invalid(InvalidManifest::Json(source)) => {
                Self::new(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", format!("{message}: {source}"))
            }
            ManifestError::Invalid(_) | ManifestError::WrongSize { .. } | ManifestError::TooDeep { .. } => {
                Self::new(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", message)
            }
            ManifestError::TooLarge { size, limit } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID", message)
                .with_detail(json!({ "size": size, "limit": limit })),
            ManifestError::DigestMismatch { expected, found } => Self::new(StatusCode::BAD_REQUEST, "DIGEST_INVALID", message)
                .with_detail(json!({ "expected": expected, "found": found })),
            ManifestError::NoConfig(digest) => {
                Self::new(StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN", message).with_detail(json!([{ "digest": digest }]))
            }
            ManifestError::Store(error) => error.into(),
        }
    }
}
