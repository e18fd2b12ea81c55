//! What happens around every request: its id, its log line, its error body, its path.

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use bencher_types::wire::{REQUEST_ID_HEADER, TOTAL_COUNT_HEADER};
use http::{HeaderName, HeaderValue, Method, Uri, header};
use tower_http::cors::{Any, CorsLayer};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::error::ApiError;

/// The id of the request at hand, for handlers that tell it.
#[derive(Clone, Copy, Debug)]
pub struct RequestId(pub Uuid);

/// Gives the request an id, logs how it ended and writes the body of an error.
pub(crate) async fn envelope(mut request: Request, next: Next) -> Response {
    let id = Uuid::now_v7();
    request.extensions_mut().insert(RequestId(id));
    let span = tracing::info_span!("request", id = %id, method = %request.method(), path = request.uri().path());

    let mut response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        let _entered = span.enter();
        match error.cause() {
            Some(cause) => tracing::error!(status = status.as_u16(), cause, "request failed"),
            None => tracing::debug!(status = status.as_u16(), detail = error.body(String::new()).message, "request refused"),
        }
        let body = serde_json::to_vec_pretty(&error.body(id.to_string())).expect("an error body is plain JSON");
        let headers = std::mem::take(response.headers_mut());
        response = (status, body).into_response();
        for (name, value) in headers {
            // Length and type are those of the body that was replaced.
            if let Some(name) = name.filter(|name| name != header::CONTENT_LENGTH && name != header::CONTENT_TYPE) {
                response.headers_mut().append(name, value);
            }
        }
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    } else {
        tracing::debug!(parent: &span, status = status.as_u16(), "request served");
    }
    let value = HeaderValue::from_str(&id.to_string()).expect("a UUID is a header value");
    response.headers_mut().insert(HeaderName::from_static(REQUEST_ID_HEADER), value);
    response
}

/// A handler that panicked: a defect, answered like any other.
pub(crate) fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    #[derive(Debug, thiserror::Error)]
    #[error("a handler panicked: {0}")]
    struct Panicked(String);

    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    ApiError::internal(&Panicked(text.unwrap_or("no message").to_owned())).into_response()
}

/// Any page may call the API; what it may do depends on the token it sends.
pub(crate) fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([header::CONTENT_TYPE, header::AUTHORIZATION])
        .expose_headers([HeaderName::from_static(TOTAL_COUNT_HEADER), HeaderName::from_static(REQUEST_ID_HEADER)])
}

/// Collapses repeated slashes, which clients write after a host that ends with one, and drops a trailing one.
pub(crate) fn normalize_path(mut request: Request) -> Request {
    let path = request.uri().path();
    if path.len() > 1 && (path.contains("//") || path.ends_with('/')) {
        let mut collapsed = String::with_capacity(path.len());
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            collapsed.push('/');
            collapsed.push_str(segment);
        }
        if collapsed.is_empty() {
            collapsed.push('/');
        }
        if let Some(query) = request.uri().query() {
            collapsed.push('?');
            collapsed.push_str(query);
        }
        let mut parts = request.uri().clone().into_parts();
        if let Ok(path_and_query) = collapsed.parse() {
            parts.path_and_query = Some(path_and_query);
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
        }
    }
    request
}
