//! A client that does not give up: whatever may pass by itself is tried again.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::time::Instant;

/// How long one request may take before it is tried again.
const REQUEST: Duration = Duration::from_secs(20);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(100);
/// A server that is away for so long does not come back.
const PATIENCE: Duration = Duration::from_secs(120);

/// Talks to one server of several, and to the next one where that is away.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    urls: Vec<String>,
    pub(crate) token: String,
}

impl Client {
    pub(crate) fn new(urls: Vec<String>) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(REQUEST).build()?;
        Ok(Self { http, urls, token: String::new() })
    }

    pub(crate) const fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Sends JSON (`null`: no body) until there is an answer that is not about the server's own troubles.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<(StatusCode, Value)> {
        let begun = Instant::now();
        let mut last = String::new();
        for attempt in 0.. {
            if begun.elapsed() > PATIENCE {
                break;
            }
            let url = &self.urls[attempt % self.urls.len()];
            match self.try_once(method.clone(), &format!("{url}{path}"), body).await {
                Ok((status, _)) if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                    last = status.to_string()
                }
                Ok(answer) => return Ok(answer),
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("{method} {path} got no answer within {PATIENCE:?}: {last}")
    }

    async fn try_once(&self, method: Method, url: &str, body: &Value) -> reqwest::Result<(StatusCode, Value)> {
        let mut request = self.http.request(method, url);
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if !body.is_null() {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status();
        // An answer that is cut off is none.
        let text = response.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// The same, for what must succeed.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Value) -> Result<Value> {
        let (status, answer) = self.ask(method, path, &body).await?;
        ensure!(status.is_success(), "{path} was answered {status}: {answer}");
        Ok(answer)
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.call(Method::GET, path, Value::Null).await
    }

    /// All pages of a list.
    pub(crate) async fn list(&self, path: &str) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        for page in 1.. {
            let answer = self.get(&format!("{path}?per_page=255&page={page}")).await?;
            let items = answer.as_array().with_context(|| format!("{path} is no list: {answer}"))?;
            all.extend(items.iter().cloned());
            if items.len() < 255 {
                break;
            }
        }
        Ok(all)
    }
}

/// A text member of a JSON object.
pub(crate) fn text(value: &Value, member: &str) -> Result<String> {
    value[member].as_str().map(str::to_owned).with_context(|| format!("no {member} in {value}"))
}
