//! A client of an OCI registry (distribution specification 1.1).
//!
//! Every request has a time bound, transient failures are tried again with growing pauses, blobs stream to and from files,
//! and nothing that has a digest is believed before it was hashed. Which registry belongs to an image reference, and with
//! which credentials, is the caller's decision.

use std::{
    future::Future,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reqwest::{
    RequestBuilder, Response, StatusCode,
    header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
};
use url::Url;

use crate::{
    auth::{self, Access, Challenge, Credentials, Scope, Session},
    error::IoError,
    limits::{ERROR_BODY_TIMEOUT, Limits, MAX_ERROR_BODY, MAX_TOKEN_BODY, TransferLimits},
    progress::{Progress, ProgressEvent, Silent},
    retry::Backoff,
};

mod delete;
mod error;
mod journal;
mod pull;
mod push;
mod referrers;
mod tags;
mod upload;

pub use error::RegistryError;
pub use pull::RawManifest;
pub use referrers::Referrer;

/// A connection to one registry with one identity. Cheap to clone; clones share connections and tokens.
#[derive(Clone)]
pub struct RegistryClient {
    http: reqwest::Client,
    base: Url,
    credentials: Credentials,
    session: Arc<Session>,
    limits: Limits,
    transfer: TransferLimits,
    progress: Arc<dyn Progress>,
    journal: Option<journal::Journal>,
}

impl std::fmt::Debug for RegistryClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryClient")
            .field("base", &self.base.as_str())
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

/// An HTTP client as this crate wants it. The process must have installed a `rustls` crypto provider before.
///
/// # Errors
/// The TLS set-up of this machine is unusable.
pub fn http_client(transfer: &TransferLimits) -> Result<reqwest::Client, RegistryError> {
    reqwest::Client::builder()
        .connect_timeout(transfer.connect)
        .user_agent(concat!("bencher-oci/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(RegistryError::Setup)
}

impl RegistryClient {
    /// A client of the registry at `base_url` (scheme, host, port; a path in front of `/v2/` is kept).
    ///
    /// # Errors
    /// The address is not one of HTTP, or the HTTP client cannot be set up.
    pub fn new(base_url: Url, credentials: Credentials) -> Result<Self, RegistryError> {
        let http = http_client(&TransferLimits::default())?;
        Self::with_http(http, base_url, credentials)
    }

    /// The same over an HTTP client the caller has already.
    ///
    /// # Errors
    /// The address is not one of HTTP.
    pub fn with_http(http: reqwest::Client, base_url: Url, credentials: Credentials) -> Result<Self, RegistryError> {
        let mut base = base_url;
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
            return Err(RegistryError::Address(base));
        }
        let path = format!("{}/", base.path().trim_end_matches('/'));
        base.set_path(&path);
        base.set_query(None);
        base.set_fragment(None);
        Ok(Self {
            http,
            base,
            credentials,
            session: Arc::default(),
            limits: Limits::default(),
            transfer: TransferLimits::default(),
            progress: Arc::new(Silent),
            journal: None,
        })
    }

    /// Bounds on what is accepted.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Bounds on time and attempts. The connect bound is the HTTP client's own.
    #[must_use]
    pub fn transfer_limits(mut self, transfer: TransferLimits) -> Self {
        self.transfer = transfer;
        self
    }

    /// Who is told of transfers.
    #[must_use]
    pub fn progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = progress;
        self
    }

    /// Keeps in a folder of its own where uploads of large blobs went on, so that one that was interrupted continues in a later
    /// process, where the registry allows it.
    ///
    /// # Errors
    /// The folder cannot be created or read.
    pub fn remember_uploads(mut self, dir: &Path) -> Result<Self, IoError> {
        self.journal = Some(journal::Journal::open(dir)?);
        Ok(self)
    }

    /// Whether another client speaks to the same registry as the same user.
    #[must_use]
    pub fn is_of_the_same_registry(&self, other: &Self) -> bool {
        let same_user = match (&self.credentials, &other.credentials) {
            (Credentials::None, Credentials::None) => true,
            (Credentials::Basic { user, password }, Credentials::Basic { user: other, password: others }) => {
                user == other && password.expose() == others.expose()
            }
            _ => false,
        };
        same_user && self.base == other.base
    }

    /// How many transfers the owner of this client wants at once.
    #[must_use]
    pub fn parallel(&self) -> usize {
        self.transfer.parallel.max(1)
    }

    pub(crate) fn report(&self, event: ProgressEvent<'_>) {
        self.progress.on(event);
    }

    fn url(&self, path: &str) -> Result<Url, RegistryError> {
        self.base.join(path).map_err(|_| RegistryError::Address(self.base.clone()))
    }

    /// Tries an operation again while it fails transiently. `operation` must be repeatable.
    async fn retrying<T, F>(&self, mut operation: impl FnMut() -> F) -> Result<T, RegistryError>
    where
        F: Future<Output = Result<T, RegistryError>>,
    {
        let mut backoff = Backoff::new(&self.transfer);
        loop {
            let error = match operation().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            self.pause(error, &mut backoff).await?;
        }
    }

    /// Waits before another attempt, or gives the error back where there shall be none.
    async fn pause(&self, error: RegistryError, backoff: &mut Backoff<'_>) -> Result<(), RegistryError> {
        if !error.is_transient() {
            return Err(error);
        }
        let Some(pause) = backoff.next(error.retry_after()) else { return Err(error) };
        tracing::info!(error = &error as &dyn std::error::Error, pause_ms = pause.as_millis(), "trying again");
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// Sends one request, answers a challenge once, and turns refused credentials into errors. `request` is called again
    /// for a second send, since a streamed body is gone after the first.
    async fn send(
        &self,
        action: &str,
        scope: &Scope<'_>,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Response, RegistryError> {
        self.send_watched(action, scope, request, None).await
    }

    /// The same for a request whose body counts what was taken of it: time is up only when that stands still.
    async fn send_watched(
        &self,
        action: &str,
        scope: &Scope<'_>,
        request: impl Fn() -> RequestBuilder,
        moved: Option<&AtomicU64>,
    ) -> Result<Response, RegistryError> {
        let header = match &self.credentials {
            Credentials::Bearer(token) => auth::bearer(token),
            _ => self.session.get(scope),
        };
        let response = self.send_once(action, request(), header, moved).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let Some(header) = self.answer_challenge(scope, response.headers()).await? else {
            return Err(refused(response).await);
        };
        self.session.set(scope, header.clone());
        self.send_once(action, request(), Some(header), moved).await
    }

    async fn send_once(
        &self,
        action: &str,
        request: RequestBuilder,
        authorization: Option<HeaderValue>,
        moved: Option<&AtomicU64>,
    ) -> Result<Response, RegistryError> {
        let failed = |source| RegistryError::Send { action: action.to_owned(), source };
        let (client, request) = request.build_split();
        let mut request = request.map_err(failed)?;
        // A registry may send an upload elsewhere; our credentials are for the registry alone.
        if let Some(header) = authorization
            && request.url().origin() == self.base.origin()
        {
            request.headers_mut().insert(AUTHORIZATION, header);
        }
        let mut sending = std::pin::pin!(client.execute(request));
        let mut seen = 0;
        loop {
            match tokio::time::timeout(self.transfer.response, sending.as_mut()).await {
                Ok(sent) => return sent.map_err(failed),
                Err(_) => {
                    let now = moved.map_or(0, |moved| moved.load(Ordering::Relaxed));
                    if now == seen {
                        return Err(RegistryError::NoAnswer { action: action.to_owned(), after: self.transfer.response });
                    }
                    seen = now;
                }
            }
        }
    }

    /// The header that answers a `401`, if these credentials have an answer.
    async fn answer_challenge(&self, scope: &Scope<'_>, headers: &HeaderMap) -> Result<Option<HeaderValue>, RegistryError> {
        if matches!(self.credentials, Credentials::Bearer(_)) {
            return Ok(None);
        }
        let offered: Vec<&str> = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()).collect();
        let challenges: Vec<Challenge> = offered.iter().filter_map(|text| Challenge::parse(text)).collect();
        let bearer = challenges.iter().find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
        match (bearer.or(challenges.first()), &self.credentials) {
            (Some(Challenge::Bearer { realm, service, scope: asked }), _) => {
                let token = self.fetch_token(realm, service.as_deref(), asked.as_deref(), scope).await?;
                Ok(auth::bearer(&token))
            }
            (Some(Challenge::Basic), Credentials::Basic { user, password }) => Ok(auth::basic(user, password)),
            (Some(Challenge::Basic), _) => Ok(None),
            (None, _) if offered.is_empty() => Ok(None),
            (None, _) => Err(RegistryError::Challenge(offered.join(", "))),
        }
    }

    async fn fetch_token(
        &self,
        realm: &str,
        service: Option<&str>,
        asked: Option<&str>,
        scope: &Scope<'_>,
    ) -> Result<bencher_types::Secret, RegistryError> {
        let mut url = Url::parse(realm).map_err(|_| RegistryError::Challenge(format!("realm `{realm}`")))?;
        let basic = match &self.credentials {
            Credentials::Basic { user, password } => auth::basic(user, password),
            _ => None,
        };
        if basic.is_some() && self.base.scheme() == "https" && url.scheme() != "https" {
            return Err(RegistryError::InsecureRealm(realm.to_owned()));
        }
        // A registry asks for what the request at hand needs; before a push that is less than what the push needs.
        let wanted = match (scope.access, asked) {
            (Access::Pull, Some(asked)) => asked.to_owned(),
            _ => scope.text(),
        };
        if let Some(service) = service {
            url.query_pairs_mut().append_pair("service", service);
        }
        for one in wanted.split(' ') {
            url.query_pairs_mut().append_pair("scope", one);
        }
        let request = self.http.get(url);
        let request = match basic {
            Some(header) => request.header(AUTHORIZATION, header),
            None => request,
        };
        let action = "fetch a registry token";
        let response = self.send_once(action, request, None, None).await?;
        if !response.status().is_success() {
            return Err(refusal(action, response).await);
        }
        let body = self.body(action, response, MAX_TOKEN_BODY).await?;
        token_of(&body).ok_or_else(|| RegistryError::Challenge(format!("`{realm}` answered without a token")))
    }

    /// A whole body of at most `limit` bytes; one byte more where it is longer, so that the caller can tell.
    async fn body(&self, action: &str, mut response: Response, limit: usize) -> Result<Vec<u8>, RegistryError> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk(action, &mut response, body.len() as u64).await? {
            let room = (limit + 1).saturating_sub(body.len());
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() > limit {
                break;
            }
        }
        Ok(body)
    }

    /// The next piece of a body, or an error when nothing comes.
    async fn chunk(&self, action: &str, response: &mut Response, done: u64) -> Result<Option<bytes::Bytes>, RegistryError> {
        match tokio::time::timeout(self.transfer.no_progress, response.chunk()).await {
            Ok(chunk) => chunk.map_err(|source| RegistryError::Send { action: action.to_owned(), source }),
            Err(_) => Err(RegistryError::Stalled { action: action.to_owned(), after: self.transfer.no_progress, done }),
        }
    }
}

fn token_of(body: &[u8]) -> Option<bencher_types::Secret> {
    #[derive(serde::Deserialize)]
    struct Answer {
        token: Option<bencher_types::Secret>,
        access_token: Option<bencher_types::Secret>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    answer.token.or(answer.access_token)
}

/// The error of an answer that is not a success.
async fn refusal(action: &str, response: Response) -> RegistryError {
    let status = response.status();
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return refused(response).await;
    }
    let retry_after = retry_after(response.headers());
    RegistryError::Status { action: action.to_owned(), status, detail: error_detail(response).await, retry_after }
}

async fn refused(response: Response) -> RegistryError {
    RegistryError::Unauthorized { status: response.status(), detail: error_detail(response).await }
}

/// Seconds of a `Retry-After`. Its other form, a date, is not used by registries and not read.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// The message of an error body in the specification's shape, or its beginning.
async fn error_detail(mut response: Response) -> String {
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() >= MAX_ERROR_BODY {
                body.truncate(MAX_ERROR_BODY);
                break;
            }
        }
    };
    // What came until then will do: it is only a sentence for people.
    let _ = tokio::time::timeout(ERROR_BODY_TIMEOUT, read).await;
    let text = String::from_utf8_lossy(&body);
    let detail = error_messages(&text).unwrap_or_else(|| text.chars().take(200).collect());
    detail.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn error_messages(text: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Body {
        #[serde(default)]
        errors: Vec<Item>,
        message: Option<String>,
    }
    #[derive(serde::Deserialize)]
    struct Item {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let body: Body = serde_json::from_str(text).ok()?;
    if body.errors.is_empty() {
        // One kind of server wraps the specification's shape in its own message.
        let message = body.message?;
        return Some(error_messages(&message).unwrap_or(message));
    }
    Some(body.errors.iter().map(|item| format!("{} {}", item.code, item.message)).collect::<Vec<_>>().join("; "))
}
