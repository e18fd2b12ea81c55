//! An HTTP client of the API: credentials, retries and readable errors. Knows no command and prints no data.

mod error;
mod events;
mod retry;

use std::{
    marker::PhantomData,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bencher_types::{
    Secret,
    wire::{REQUEST_ID_HEADER, TOTAL_COUNT_HEADER, error::ErrorBody, server::ApiVersion},
};
use reqwest::{Method, Response, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use url::Url;

use self::retry::News;
pub(crate) use self::{
    error::ApiError,
    events::{Events, NoEvents, ServerEvent},
    retry::{Attempt, RetryPolicy},
};
use crate::{clock, limits};

/// What a client needs to know.
pub(crate) struct ClientConfig {
    pub host: Url,
    pub credential: Option<Secret>,
    /// Take any certificate for a host.
    pub insecure_host: bool,
    /// Headers of every request, apart from the credential.
    pub headers: &'static [(&'static str, &'static str)],
    /// How long one attempt may take.
    pub timeout: Duration,
    pub retry: RetryPolicy,
    /// Told of every attempt that failed and is repeated.
    pub on_retry: fn(&Attempt<'_>),
}

/// Talks to one server.
pub(crate) struct Client {
    http: reqwest::Client,
    config: ClientConfig,
    /// Whether anybody has answered yet.
    reached: AtomicBool,
}

/// What the server answered: JSON as it came, read as a `T` only where somebody wants to look inside.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    url: Url,
    pub json: Value,
    /// How many items there are behind a page of a list.
    pub total: Option<u64>,
    kind: PhantomData<fn() -> T>,
}

impl<T> Answer<T> {
    /// Which page of a list this is, from 1.
    pub(crate) fn page(&self) -> u64 {
        let page = self.url.query_pairs().find(|(name, _)| name == "page");
        page.and_then(|(_, number)| number.parse().ok()).unwrap_or(0).max(1)
    }
}

impl<T: DeserializeOwned> Answer<T> {
    /// # Errors
    /// The answer is not what this program knows under that path.
    pub(crate) fn body(&self) -> Result<T, ApiError> {
        serde_json::from_value(self.json.clone())
            .map_err(|source| ApiError::NotUnderstood { url: self.url.clone(), source: source.into() })
    }
}

/// One request, sent as often as its client's policy says.
struct Call {
    method: Method,
    url: Url,
    body: Option<Value>,
    /// What kind of answer is wanted, where there are several.
    accept: Option<&'static str>,
}

impl Client {
    /// # Errors
    /// The TLS configuration of this machine cannot be read.
    pub(crate) fn new(config: ClientConfig) -> Result<Self, ApiError> {
        let mut headers: header::HeaderMap = config
            .headers
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), header::HeaderValue::from_static(value)))
            .collect();
        if let Some(credential) = &config.credential {
            let mut value =
                header::HeaderValue::try_from(format!("Bearer {}", credential.expose())).map_err(|_| ApiError::BadCredential)?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        let http = builder(&config)
            .default_headers(headers)
            .timeout(config.timeout)
            .build()
            .map_err(|source| ApiError::Setup { source })?;
        Ok(Self { http, config, reached: AtomicBool::new(false) })
    }

    /// Where the server is.
    pub(crate) const fn host(&self) -> &Url {
        &self.config.host
    }

    /// How image references name this server.
    pub(crate) fn registry(&self) -> String {
        let host = self.host();
        let name = host.host_str().unwrap_or_default();
        host.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"))
    }

    /// The credential that requests carry.
    pub(crate) const fn credential(&self) -> Option<&Secret> {
        self.config.credential.as_ref()
    }

    /// A plain client for transfers that log in by themselves and may take long: the time bound is only on connecting.
    ///
    /// # Errors
    /// The TLS configuration of this machine cannot be read.
    pub(crate) fn transfer_client(&self) -> Result<reqwest::Client, ApiError> {
        builder(&self.config).connect_timeout(self.config.timeout).build().map_err(|source| ApiError::Setup { source })
    }

    /// A client of another server, with another credential: less patient than this one, and never trusting any certificate.
    ///
    /// # Errors
    /// The credential cannot be sent.
    pub(crate) fn of_another(
        &self,
        host: Url,
        credential: Secret,
        headers: &'static [(&'static str, &'static str)],
    ) -> Result<Self, ApiError> {
        let ClientConfig { timeout, retry, on_retry, .. } = self.config;
        let retry = RetryPolicy {
            attempts: retry.attempts.min(limits::OTHER_SERVER_ATTEMPTS),
            patience: limits::OTHER_SERVER_PATIENCE,
            ..retry
        };
        Self::new(ClientConfig { host, credential: Some(credential), insecure_host: false, headers, timeout, retry, on_retry })
    }

    /// The address of a path of the API, given as unescaped segments.
    pub(crate) fn url(&self, path: &[impl AsRef<str>]) -> Url {
        let mut url = self.config.host.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    pub(crate) async fn get<T>(&self, path: &[impl AsRef<str>], query: &[(&str, String)]) -> Result<Answer<T>, ApiError> {
        self.call(Call { method: Method::GET, url: self.with_query(path, query), body: None, accept: None }).await
    }

    /// As [`Self::get`], where the answer is there in several forms.
    pub(crate) async fn get_as<T>(
        &self,
        path: &[impl AsRef<str>],
        query: &[(&str, String)],
        media_type: &'static str,
    ) -> Result<Answer<T>, ApiError> {
        self.call(Call { method: Method::GET, url: self.with_query(path, query), body: None, accept: Some(media_type) }).await
    }

    pub(crate) async fn post<T>(&self, path: &[impl AsRef<str>], body: &impl Serialize) -> Result<Answer<T>, ApiError> {
        self.with_body(Method::POST, path, body).await
    }

    /// A `POST` that is sent once: for what must not be made twice, and whose maker looks first.
    pub(crate) async fn post_once<T>(&self, path: &[impl AsRef<str>], body: &impl Serialize) -> Result<Answer<T>, ApiError> {
        let body = serde_json::to_value(body).map_err(|source| ApiError::Encode { source })?;
        self.attempt(&Call { method: Method::POST, url: self.url(path), body: Some(body), accept: None }).await
    }

    /// How long to wait before the next attempt, after so many; nothing where another would not help.
    pub(crate) fn wait_after(&self, attempt: u32, error: &ApiError) -> Option<Duration> {
        self.config.retry.wait_after(attempt, error)
    }

    pub(crate) async fn patch<T>(&self, path: &[impl AsRef<str>], body: &impl Serialize) -> Result<Answer<T>, ApiError> {
        self.with_body(Method::PATCH, path, body).await
    }

    pub(crate) async fn put<T>(&self, path: &[impl AsRef<str>], body: &impl Serialize) -> Result<Answer<T>, ApiError> {
        self.with_body(Method::PUT, path, body).await
    }

    /// A `POST` that says everything in its path.
    pub(crate) async fn post_empty<T>(&self, path: &[impl AsRef<str>]) -> Result<Answer<T>, ApiError> {
        self.call(Call { method: Method::POST, url: self.url(path), body: None, accept: None }).await
    }

    pub(crate) async fn delete(&self, path: &[impl AsRef<str>], query: &[(&str, String)]) -> Result<(), ApiError> {
        self.call::<()>(Call { method: Method::DELETE, url: self.with_query(path, query), body: None, accept: None })
            .await
            .map(drop)
    }

    /// What the server says of itself, asked once and briefly; nothing where no server has answered before.
    pub(crate) async fn version(&self) -> Option<ApiVersion> {
        if !self.reached.load(Ordering::Relaxed) {
            return None;
        }
        let call = Call { method: Method::GET, url: self.url(&["v0", "server", "version"]), body: None, accept: None };
        let asked = tokio::time::timeout(limits::VERSION_TIMEOUT, self.attempt::<ApiVersion>(&call)).await;
        asked.ok()?.ok()?.body().ok()
    }

    fn with_query(&self, path: &[impl AsRef<str>], query: &[(&str, String)]) -> Url {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    async fn with_body<T>(&self, method: Method, path: &[impl AsRef<str>], body: &impl Serialize) -> Result<Answer<T>, ApiError> {
        let url = self.url(path);
        let body = serde_json::to_value(body).map_err(|source| ApiError::Encode { source })?;
        self.call(Call { method, url, body: Some(body), accept: None }).await
    }

    async fn call<T>(&self, call: Call) -> Result<Answer<T>, ApiError> {
        let (mut attempt, mut news) = (1, News::default());
        loop {
            let error = match self.attempt(&call).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let Some(wait) = self.config.retry.wait_after(attempt, &error) else {
                return Err(error.after(attempt));
            };
            let of = self.config.retry.attempts_on(&error);
            (self.config.on_retry)(&Attempt { number: attempt, of, error: &error, wait, is_news: news.is(wait) });
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    async fn attempt<T>(&self, call: &Call) -> Result<Answer<T>, ApiError> {
        let unreachable = |source: reqwest::Error| error::unreachable(call.url.clone(), source.without_url());

        let mut request = self.http.request(call.method.clone(), call.url.clone());
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        if let Some(media_type) = call.accept {
            request = request.header(header::ACCEPT, media_type);
        }
        let response = request.send().await.map_err(unreachable)?;

        self.reached.store(true, Ordering::Relaxed);
        let status = response.status();
        let retry_after = retry::asked(status, |name| header_text(&response, name), clock::now());
        let request_id = header_text(&response, REQUEST_ID_HEADER);
        let total = header_text(&response, TOTAL_COUNT_HEADER).and_then(|text| text.parse().ok());
        let bytes = read_bounded(response, &call.url).await?.map_err(unreachable)?;
        if !status.is_success() {
            return Err(refusal(call, status, Said { request_id, retry_after, bytes: &bytes }));
        }
        let json = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes)
                .map_err(|source| ApiError::NotUnderstood { url: call.url.clone(), source: source.into() })?
        };
        Ok(Answer { url: call.url.clone(), json, total, kind: PhantomData })
    }
}

/// What all connections of this program have in common.
fn builder(config: &ClientConfig) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("bencher/", env!("CARGO_PKG_VERSION")))
        .tls_danger_accept_invalid_certs(config.insecure_host)
}

/// The body of an answer; the outer error is an answer that is too large, the inner one a lost connection.
async fn read_bounded(mut response: Response, url: &Url) -> Result<Result<Vec<u8>, reqwest::Error>, ApiError> {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() > limits::MAX_ANSWER_BYTES => {
                return Err(ApiError::TooLarge { url: url.clone(), limit: limits::MAX_ANSWER_BYTES });
            }
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return Ok(Ok(bytes)),
            Err(error) => return Ok(Err(error)),
        }
    }
}

fn header_text(response: &Response, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

/// What an answer that is not a success says, beside its status.
struct Said<'a> {
    request_id: Option<String>,
    retry_after: Option<Duration>,
    bytes: &'a [u8],
}

/// The error behind an answer that is not a success.
fn refusal(call: &Call, status: StatusCode, said: Said<'_>) -> ApiError {
    let Said { request_id, retry_after, bytes } = said;
    let (message, request_id) = match serde_json::from_slice::<ErrorBody>(bytes) {
        Ok(body) => (body.message, Some(body.request_id)),
        Err(_) => (error::plain_message(status, bytes), request_id),
    };
    let failure = Box::new(error::Failure {
        method: call.method.clone(),
        url: call.url.clone(),
        status: status.as_u16(),
        message,
        request_id,
        retry_after,
    });
    if status.is_server_error() { ApiError::Failing { failure, attempts: 1 } } else { ApiError::Refused(failure) }
}
