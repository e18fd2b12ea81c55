//! The one error type at the HTTP edge: a status for the client, a detail for its user, a cause for our log.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use bencher_types::wire::error::ErrorBody;
use http::{StatusCode, header};

use crate::{auth::AuthError, chain::chain, creation::CreationError, permission::AccessError, rate::Limited, store::StoreError};

/// A request that was not served.
#[derive(Clone, Debug)]
pub struct ApiError {
    status: ErrorStatus,
    code: Option<&'static str>,
    detail: String,
    /// Seconds after which it is worth another try.
    retry_after: Option<u64>,
    /// The chain of causes, for the log only.
    cause: Option<String>,
}

/// A status code of a failure: an error cannot carry 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorStatus(StatusCode);

impl ApiError {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        debug_assert!(status.is_client_error() || status.is_server_error(), "{status} is not an error");
        Self { status: ErrorStatus(status), code: None, detail: detail.into(), retry_after: None, cause: None }
    }

    /// 400: the request is not valid; the detail says what was expected and what was found.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 401: who is asking could not be established.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail)
    }

    /// 403: who is asking may not do this.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// 404: there is no such thing, or none that the caller may know of.
    pub fn not_found(kind: &str, id: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("{kind} ({id}) not found"))
    }

    /// 404 with words of its own.
    pub fn missing(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 404 for a path that is no route.
    pub fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not Found")
    }

    /// 405.
    pub fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
    }

    /// 409: the request does not fit what is there.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 413.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    /// 408: the request did not arrive in time.
    pub fn timed_out(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, detail)
    }

    /// 414.
    pub fn uri_too_long(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::URI_TOO_LONG, detail)
    }

    /// 429: there is too much of something; worth another try after so long.
    pub fn too_many(detail: impl Into<String>, retry_after: std::time::Duration) -> Self {
        Self { retry_after: Some(retry_after.as_secs()), ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail) }
    }

    /// 503: the answer took too long.
    pub fn overdue(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// 500: a defect of ours. The client gets no more than the request's id; the cause goes to the log.
    pub fn internal(cause: &dyn std::error::Error) -> Self {
        let mut error = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal error; the server's log has the details under this request id",
        );
        error.cause = Some(chain(cause));
        error
    }

    /// 503: try again later.
    pub fn unavailable(detail: impl Into<String>, cause: &dyn std::error::Error) -> Self {
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        error.cause = Some(chain(cause));
        error
    }

    #[must_use]
    pub fn with_code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status.0
    }

    /// What goes to the client.
    #[must_use]
    pub fn body(&self, request_id: String) -> ErrorBody {
        ErrorBody { request_id, error_code: self.code.map(str::to_owned), message: self.detail.clone() }
    }

    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unique { constraint } => {
                let taken = ["slug", "name", "email"].into_iter().find(|column| constraint.contains(column));
                Self::conflict(format!("there is one with this {} already; choose another", taken.unwrap_or(constraint)))
            }
            StoreError::ForeignKey => Self::conflict("this is still in use, or refers to something that does not exist any more"),
            StoreError::Gone => Self::new(StatusCode::NOT_FOUND, "this was deleted while the request was served"),
            StoreError::Unavailable(_) => Self::unavailable("the database is not available; try again shortly", &error),
            StoreError::NotDurable(_) => Self::unavailable(error.to_string(), &error),
            StoreError::Migrate(_) | StoreError::Unexpected(_) | StoreError::Corrupt { .. } => Self::internal(&error),
        }
    }
}

/// 429.
impl From<Limited> for ApiError {
    fn from(limited: Limited) -> Self {
        let retry_after = Some(limited.retry_after_secs());
        Self { retry_after, ..Self::new(StatusCode::TOO_MANY_REQUESTS, limited.to_string()) }
    }
}

impl From<CreationError> for ApiError {
    fn from(error: CreationError) -> Self {
        match error {
            CreationError::TooMany(ref too_many) => {
                let retry_after = Some(too_many.window.as_secs());
                Self { retry_after, ..Self::new(StatusCode::TOO_MANY_REQUESTS, error.to_string()) }
            }
            CreationError::Store(store) => store.into(),
        }
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Store(store) => store.into(),
            AuthError::Key(_) | AuthError::Token(_) | AuthError::Nobody | AuthError::Locked => {
                Self::unauthorized(error.to_string())
            }
        }
    }
}

impl From<AccessError> for ApiError {
    fn from(error: AccessError) -> Self {
        let detail = error.to_string();
        match error {
            AccessError::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, detail),
            AccessError::LogIn | AccessError::OtherProject => Self::unauthorized(detail),
            AccessError::Denied { .. } | AccessError::Unclaimed => Self::forbidden(detail),
            AccessError::Store(store) => store.into(),
        }
    }
}

/// The response carries the error itself along; the request middleware writes the body, because only it knows the request's id.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(self.body(String::new()))).into_response();
        if let Some(retry_after) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, retry_after.into());
        }
        response.extensions_mut().insert(self);
        response
    }
}
