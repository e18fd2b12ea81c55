//! Who a request is counted for.
//!
//! A request with valid credentials counts for its user, project or runner, any other for its address; credentials that are not valid
//! count as an attempt of the address. Whoever establishes who is asking says so with one call; what else is counted on a route is in
//! [`COUNTED`].

use std::{
    net::IpAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::request::Parts,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use bencher_types::{Email, ProjectUuid, RunnerKey, RunnerUuid, UserUuid};
use http::{HeaderMap, Method, StatusCode, header};

use super::{AppState, registry, source::Source};
use crate::{
    error::ApiError,
    rate::{Counter, Limited, Subject},
};

/// What is counted beside the request itself. Parameters are `*`, whatever their names.
const COUNTED: &[(Method, &str, Counter)] = &[
    (Method::POST, "/v0/run", Counter::Runs),
    (Method::POST, "/v0/projects/*/reports", Counter::Runs),
    (Method::POST, "/v0/projects/*/keys", Counter::Credentials),
    (Method::POST, "/v0/users/*/keys", Counter::Credentials),
    (Method::POST, "/v0/users/*/tokens", Counter::Credentials),
    (Method::POST, "/v0/organizations", Counter::Organizations),
    (Method::POST, "/v0/organizations/*/members", Counter::Invites),
];

/// What is not counted: clients ask for the version before every request, and supervisors whether the server is well.
const FREE: &[&str] = &["/v0/server/version", "/healthz", "/readyz"];

/// Whether requests to this path are not counted.
pub(crate) fn is_free(path: &str) -> bool {
    FREE.contains(&path)
}

/// Where the credentials may be in the body.
const TOKEN_PATH: &str = "/v0/auth/oci/token";

/// Whether a route is one of a pattern's, in which parameters are `*`.
pub(super) fn is_route(route: &str, pattern: &str) -> bool {
    let (mut route, mut pattern) = (route.split('/'), pattern.split('/'));
    loop {
        match (route.next(), pattern.next()) {
            (None, None) => return true,
            (Some(segment), Some("*")) if segment.starts_with('{') => {}
            (Some(segment), Some(expected)) if segment == expected => {}
            _ => return false,
        }
    }
}

/// What is counted on a route beside the request.
pub(crate) fn counter(method: &Method, route: &str) -> Option<Counter> {
    COUNTED.iter().find(|(counted, pattern, _)| counted == method && is_route(route, pattern)).map(|(_, _, counter)| *counter)
}

/// One request, as far as its sender's rates are concerned. An extractor for handlers that know who is asking.
#[derive(Clone, Debug)]
pub(crate) struct Visit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    app: AppState,
    address: IpAddr,
    /// What the request itself counts as.
    request: Counter,
    counter: Option<Counter>,
    /// Somebody was charged, or nobody is to be.
    charged: AtomicBool,
    user: OnceLock<UserUuid>,
}

impl Visit {
    fn new(app: AppState, address: IpAddr, request: Counter, counter: Option<Counter>) -> Self {
        Self(Arc::new(Inner { app, address, request, counter, charged: AtomicBool::new(false), user: OnceLock::new() }))
    }

    /// The visit that this request is.
    pub(crate) fn of(parts: &Parts) -> &Self {
        parts.extensions.get().expect("every request passes the middleware that counts it")
    }

    /// The request is this user's.
    pub(crate) fn user(&self, user: UserUuid) -> Result<(), Limited> {
        self.0.user.set(user).ok();
        self.charge(Subject::User(user))
    }

    /// The request is that of somebody with a project's key.
    pub(crate) fn project(&self, project: ProjectUuid) -> Result<(), Limited> {
        self.charge(Subject::Project(project))
    }

    /// The request is this runner's.
    pub(crate) fn runner(&self, runner: RunnerUuid) -> Result<(), Limited> {
        self.charge(Subject::Runner(runner))
    }

    /// The request is anybody's.
    pub(crate) fn nobody(&self) -> Result<(), Limited> {
        self.charge(Subject::Address(self.0.address))
    }

    /// The request is not counted.
    pub(crate) fn uncounted(&self) {
        self.0.charged.store(true, Ordering::Relaxed);
    }

    /// Somebody tries to log in to this account, which need not exist.
    pub(crate) fn attempt(&self, email: &Email) -> Result<(), Limited> {
        self.failed()?;
        self.0.app.rates.charge(Subject::Account(email), Counter::Attempts)
    }

    /// Somebody tried to log in, or with credentials that are not valid.
    pub(crate) fn failed(&self) -> Result<(), Limited> {
        self.uncounted();
        self.0.app.rates.charge(Subject::Address(self.0.address), Counter::Attempts)
    }

    /// Who it was, where that is known.
    pub(crate) fn user_uuid(&self) -> Option<UserUuid> {
        self.0.user.get().copied()
    }

    /// Charges the first time only: a request may be taken apart more than once.
    fn charge(&self, subject: Subject<'_>) -> Result<(), Limited> {
        if self.0.charged.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        self.0.app.rates.charge(subject, self.0.request)?;
        self.0.counter.map_or(Ok(()), |counter| self.0.app.rates.charge(subject, counter))
    }

    fn is_charged(&self) -> bool {
        self.0.charged.load(Ordering::Relaxed)
    }
}

impl FromRequestParts<AppState> for Visit {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Self::Rejection> {
        Ok(Self::of(parts).clone())
    }
}

/// Counts the request: before it is served if it shows no credentials, else when it is known whose they are.
pub(crate) async fn count(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    let address = request.extensions().get::<Source>().copied().unwrap_or_default().address();
    let matched = request.extensions().get::<MatchedPath>();
    let counter = matched.and_then(|route| counter(request.method(), route.as_str()));
    let path = request.uri().path();
    let is_registry = path == "/v2" || path.starts_with("/v2/") || path == TOKEN_PATH;
    let is_free = is_free(path);
    let knocks = shows_credentials(request.headers()) || path == TOKEN_PATH;
    let is_runner = path.starts_with("/v0/runners/") && shows_runner_key(request.headers());

    let kind = if is_registry { Counter::Registry } else { Counter::Requests };
    let visit = Visit::new(app, address, kind, counter);
    request.extensions_mut().insert(visit.clone());
    if is_free {
        visit.uncounted();
    }
    let refused = |limited| if is_registry { registry::refusal(limited) } else { ApiError::from(limited).into_response() };
    if !knocks && let Err(limited) = visit.nobody() {
        return refused(limited);
    }
    let mut response = next.run(request).await;
    if !visit.is_charged() {
        let charged = match response.status() {
            StatusCode::UNAUTHORIZED => visit.failed(),
            // What a runner sends beside the channel belongs to a job, and those are limited.
            _ if is_runner => Ok(()),
            // Nobody looked at the credentials.
            _ => visit.nobody(),
        };
        if let Err(limited) = charged {
            response = refused(limited);
        }
    }
    response.extensions_mut().insert(visit);
    response
}

fn shows_credentials(headers: &HeaderMap) -> bool {
    headers.contains_key(header::AUTHORIZATION)
}

fn shows_runner_key(headers: &HeaderMap) -> bool {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    value.and_then(|value| value.split_once(' ')).is_some_and(|(_, key)| key.trim_start().starts_with(RunnerKey::PREFIX))
}

#[cfg(test)]
mod tests;
