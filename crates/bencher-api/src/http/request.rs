//! What happens around every request: its id, its log line, its error body, its path.

use std::time::{Duration, Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use bencher_types::{
    UserUuid,
    wire::{REQUEST_ID_HEADER, TOTAL_COUNT_HEADER, event::LAST_EVENT_ID_HEADER},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::Instrument as _;
use uuid::Uuid;

use super::{
    AppState,
    body::Received,
    source::{Peer, Source},
    visit::{self, Visit},
};
use crate::{config::server::Server, error::ApiError, limits};

/// The id of the request at hand, for handlers that tell it.
#[derive(Clone, Copy, Debug)]
pub struct RequestId(pub Uuid);

/// Gives the request an id, logs how it ended and writes the body of an error.
pub(crate) async fn envelope(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    let id = Uuid::now_v7();
    request.extensions_mut().insert(RequestId(id));
    let address = request.extensions().get::<Source>().copied().unwrap_or_default().address();
    let path = request.uri().path();
    // Without the query, which may hold tokens.
    let span = tracing::info_span!("request", id = %id, method = %request.method(), path, address = %address);
    let is_probe = visit::is_free(path);
    let is_private = request.headers().contains_key(header::AUTHORIZATION) || path.starts_with("/v0/auth/");
    let began = Instant::now();

    let mut response = next.run(request).instrument(span.clone()).await;
    let _entered = span.enter();
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        response = written(&error, id, response);
    }
    let user = response.extensions().get::<Visit>().and_then(Visit::user_uuid);
    let line = Line { status: response.status(), user, took: began.elapsed() };
    if is_probe {
        line.debug()
    } else {
        line.info()
    }

    let headers = response.headers_mut();
    let value = HeaderValue::from_str(&id.to_string()).expect("a UUID is a header value");
    headers.insert(HeaderName::from_static(REQUEST_ID_HEADER), value);
    if is_private && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    guard(headers, app.certificates.is_some());
    response
}

/// What the log says of an answered request.
struct Line {
    status: StatusCode,
    user: Option<UserUuid>,
    took: Duration,
}

impl Line {
    fn info(&self) {
        tracing::info!(target: "bencher_api::access", status = self.status.as_u16(), ms = self.ms(), user.uuid = self.user(), "answered");
    }

    fn debug(&self) {
        tracing::debug!(target: "bencher_api::access", status = self.status.as_u16(), ms = self.ms(), user.uuid = self.user(), "answered");
    }

    fn user(&self) -> Option<tracing::field::DisplayValue<UserUuid>> {
        self.user.map(tracing::field::display)
    }

    /// Milliseconds, with three digits after the point.
    fn ms(&self) -> f64 {
        (self.took.as_secs_f64() * 1e6).round() / 1e3
    }
}

/// The error as the client reads it, and its cause in the log.
fn written(error: &ApiError, id: Uuid, mut response: Response) -> Response {
    let status = response.status();
    match error.cause() {
        Some(cause) => tracing::error!(status = status.as_u16(), cause, "request failed"),
        // What is wrong with bad input may quote it, and there may be a secret in the wrong place.
        None if status == StatusCode::BAD_REQUEST => {}
        None => tracing::debug!(status = status.as_u16(), detail = error.body(String::new()).message, "request refused"),
    }
    let body = serde_json::to_vec_pretty(&error.body(id.to_string())).expect("an error body is plain JSON");
    let headers = std::mem::take(response.headers_mut());
    let extensions = std::mem::take(response.extensions_mut());
    let mut response = (status, body).into_response();
    for (name, value) in headers {
        // Length and type are those of the body that was replaced.
        if let Some(name) = name.filter(|name| name != header::CONTENT_LENGTH && name != header::CONTENT_TYPE) {
            response.headers_mut().append(name, value);
        }
    }
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.extensions_mut() = extensions;
    response
}

/// Tells browsers what not to do with an answer, unless its handler said so.
fn guard(headers: &mut HeaderMap, has_tls: bool) {
    const GUARDS: [(HeaderName, &str); 4] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
    ];
    for (name, value) in GUARDS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if has_tls {
        // Where TLS ends at a proxy, it is for the proxy to say this.
        let value = HeaderValue::try_from(format!("max-age={}", limits::HSTS_MAX_AGE_SECS)).expect("a number is a header value");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
}

/// Routes whose answers may take long: bodies are large, or the caller waits for something. They have bounds of their own.
const UNTIMED: &[&str] = &["/v2", "/v2/*", "/v0/runners/*/jobs", "/v0/runners/*/jobs/*/output/*", "/v0/server/backup"];

/// Bounds the length of the request's target and the time until it is answered.
pub(crate) async fn in_time(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > limits::MAX_TARGET_BYTES {
        let bound = limits::MAX_TARGET_BYTES;
        return ApiError::uri_too_long(format!("the path and query are {target} bytes long: expected at most {bound}"))
            .into_response();
    }
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    if UNTIMED.iter().any(|pattern| visit::is_route(route, pattern)) {
        return next.run(request).await;
    }
    let received = request.extensions().get::<Received>().cloned();
    let bound = app.config.request_timeout();
    match tokio::time::timeout(bound, next.run(request)).await {
        Ok(response) => response,
        Err(_) if received.is_some_and(|received| !received.is_complete()) => {
            ApiError::timed_out(format!("the request did not arrive within {} s", bound.as_secs())).into_response()
        }
        Err(_) => {
            tracing::warn!(secs = bound.as_secs(), "a request took too long (`server.request_timeout`)");
            ApiError::overdue("this took too long; try again later").into_response()
        }
    }
}

/// A handler that panicked: a defect, answered like any other.
pub(crate) fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    #[derive(Debug, thiserror::Error)]
    #[error("a handler panicked: {0}")]
    struct Panicked(String);

    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    ApiError::internal(&Panicked(text.unwrap_or("no message").to_owned())).into_response()
}

/// Which pages may call the API; what they may do there depends on the token they send.
pub(crate) fn cors(server: &Server) -> CorsLayer {
    let origins = server.allowed_origins.as_ref().map_or_else(AllowOrigin::any, |origins| {
        AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
    });
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([header::CONTENT_TYPE, header::AUTHORIZATION, HeaderName::from_static(LAST_EVENT_ID_HEADER)])
        .expose_headers([
            HeaderName::from_static(TOTAL_COUNT_HEADER),
            HeaderName::from_static(REQUEST_ID_HEADER),
            header::RETRY_AFTER,
        ])
}

/// Notes where the request comes from, and tidies its path.
pub(crate) fn prepare(mut request: Request, server: &Server) -> Request {
    if let Some(Peer(peer)) = request.extensions().get() {
        let source = Source::of(peer.ip(), request.headers(), server);
        request.extensions_mut().insert(source);
    }
    normalize_path(request)
}

/// Collapses repeated slashes, which clients write after a host that ends with one, and drops a trailing one.
fn normalize_path(mut request: Request) -> Request {
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
