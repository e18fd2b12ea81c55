//! Sockets of the channel: opens one, turns frames into messages and back. Decides nothing; the machine does.

use std::time::Duration;

use bencher_types::{
    JobUuid, ResourceId, RunnerKey,
    wire::{channel::ToRunner, server::ApiVersion},
};
use futures::{SinkExt as _, StreamExt as _};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{
        self, Message,
        client::IntoClientRequest as _,
        http::{HeaderValue, StatusCode, header},
        protocol::WebSocketConfig,
    },
};
use tracing::{debug, warn};
use url::Url;

use super::{
    backoff::Problem,
    limits::{CLOSE_TIMEOUT, CONNECT_TIMEOUT, MAX_INCOMING_MESSAGE, SEND_TIMEOUT, SOCKET_BUFFER, VERSION_TIMEOUT},
    machine::AckPolicy,
};

/// Where this runner connects to, and as whom.
pub(crate) struct Endpoint {
    http: reqwest::Client,
    version_url: Url,
    channel_url: Url,
    runner: ResourceId,
    authorization: HeaderValue,
}

/// A host that no channel can be opened to.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    #[error("`{0}` is not a server's address: expected http://HOST[:PORT] or https://HOST[:PORT]")]
    Host(Url),
    #[error("could not set up the HTTP client")]
    Client(#[source] reqwest::Error),
    #[error("the runner key cannot be sent in an HTTP header")]
    Key,
}

/// Why a connection did not come about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("could not reach the server at {url}")]
    Unreachable {
        url: Url,
        #[source]
        source: reqwest::Error,
    },
    #[error("the server refused runner `{runner}` with status {status}{}", .message.as_deref().map(|text| format!(": {text}")).unwrap_or_default())]
    Refused { runner: ResourceId, status: StatusCode, message: Option<String> },
    #[error("could not open the channel at {url}")]
    Handshake {
        url: Url,
        #[source]
        source: Box<tungstenite::Error>,
    },
    #[error("the server at {url} did not open the channel within {} seconds", CONNECT_TIMEOUT.as_secs())]
    Timeout { url: Url },
}

impl ConnectError {
    /// How the next attempt is to be timed.
    pub(crate) fn problem(&self) -> Problem {
        match self {
            Self::Refused { status, .. } if status.is_client_error() => Problem::Refused,
            _ => Problem::Unreachable,
        }
    }

    /// What the operator can do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        let Self::Refused { status, .. } = self else { return None };
        match *status {
            StatusCode::UNAUTHORIZED => Some(
                "the key is wrong, was replaced by a newer one, or is another runner's: get a new key with `bencher runner key RUNNER` and start this runner with it",
            ),
            StatusCode::FORBIDDEN => {
                Some("the runner may be archived: `bencher runner update RUNNER --unarchive` brings it back")
            }
            StatusCode::NOT_FOUND => {
                Some("the server knows no such runner: check --runner and --host, or register it with `bencher runner create`")
            }
            StatusCode::TOO_MANY_REQUESTS => {
                Some("the server limits how often this runner connects; it will be let in again later")
            }
            _ => None,
        }
    }
}

/// Something that came in.
#[derive(Debug)]
pub(crate) enum Event {
    Message(ToRunner),
    /// A job that does not read as one. It was handed to this runner all the same.
    UnreadableJob {
        job: JobUuid,
        problem: String,
    },
    /// A frame without meaning for the runner.
    Alive,
    Lost(Loss),
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Loss {
    #[error("the server closed the connection")]
    Closed,
    #[error("the server closed the connection, code {code}: {reason}")]
    ClosedWith { code: u16, reason: String },
    #[error("the connection broke")]
    Broken(#[source] Box<tungstenite::Error>),
    #[error("the server sent something that is not a message")]
    NotAMessage(#[source] serde_json::Error),
    #[error("a message could not be sent within {} seconds", SEND_TIMEOUT.as_secs())]
    SendTimeout,
}

impl Endpoint {
    /// # Errors
    /// The host is neither http nor https, or the HTTP client cannot be set up.
    pub(crate) fn new(host: &Url, runner: ResourceId, key: &RunnerKey) -> Result<Self, EndpointError> {
        let not_a_host = || EndpointError::Host(host.clone());
        let mut base = host.clone();
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let version_url = base.join("v0/server/version").map_err(|_| not_a_host())?;
        let mut channel_url = base.join(&format!("v0/runners/{runner}/channel")).map_err(|_| not_a_host())?;
        let scheme = match host.scheme() {
            "http" => "ws",
            "https" => "wss",
            _ => return Err(not_a_host()),
        };
        channel_url.set_scheme(scheme).map_err(|()| not_a_host())?;

        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", key.expose())).map_err(|_| EndpointError::Key)?;
        authorization.set_sensitive(true);
        let http = reqwest::Client::builder()
            // The WebSocket goes straight to the server, so this must reach the same one.
            .no_proxy()
            .timeout(VERSION_TIMEOUT)
            .pool_max_idle_per_host(0)
            .build()
            .map_err(EndpointError::Client)?;
        Ok(Self { http, version_url, channel_url, runner, authorization })
    }

    pub(crate) async fn connect(&self) -> Result<(Link, AckPolicy), ConnectError> {
        let acks = self.ack_policy().await?;
        let opened = timeout(CONNECT_TIMEOUT, self.open()).await;
        let link = opened.map_err(|_| ConnectError::Timeout { url: self.channel_url.clone() })??;
        Ok((link, acks))
    }

    /// Asks what the server is; only this product's server says its own version.
    async fn ack_policy(&self) -> Result<AckPolicy, ConnectError> {
        let unreachable = |source| ConnectError::Unreachable { url: self.version_url.clone(), source };
        let response = self.http.get(self.version_url.clone()).send().await.map_err(unreachable)?;
        let version = response.json::<ApiVersion>().await.ok();
        debug!(?version, "asked the server for its version");
        Ok(match version {
            Some(ApiVersion { product_version: Some(_), .. }) => AckPolicy::TerminalOnly,
            _ => AckPolicy::Everything,
        })
    }

    async fn open(&self) -> Result<Link, ConnectError> {
        let handshake = |source| ConnectError::Handshake { url: self.channel_url.clone(), source: Box::new(source) };
        let mut request = self.channel_url.as_str().into_client_request().map_err(handshake)?;
        request.headers_mut().insert(header::AUTHORIZATION, self.authorization.clone());
        let config = WebSocketConfig::default()
            .read_buffer_size(SOCKET_BUFFER)
            .write_buffer_size(SOCKET_BUFFER)
            .max_message_size(Some(MAX_INCOMING_MESSAGE))
            .max_frame_size(Some(MAX_INCOMING_MESSAGE));
        match connect_async_with_config(request, Some(config), true).await {
            Ok((socket, _)) => Ok(Link { socket }),
            Err(tungstenite::Error::Http(response)) => Err(ConnectError::Refused {
                runner: self.runner.clone(),
                status: response.status(),
                message: response.body().as_deref().and_then(error_message),
            }),
            Err(source) => Err(handshake(source)),
        }
    }
}

/// The text of an error body, where there is one, on one line and of a readable length.
fn error_message(body: &[u8]) -> Option<String> {
    const SHOWN: usize = 300;
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let message = body.get("message")?.as_str()?;
    Some(message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect())
}

/// An open connection.
pub(crate) struct Link {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Link {
    /// Waits for what comes next. May be dropped at any time without losing anything.
    pub(crate) async fn next(&mut self) -> Event {
        match self.socket.next().await {
            Some(Ok(Message::Text(text))) => read(text.as_str()),
            Some(Ok(Message::Close(Some(frame)))) => {
                Event::Lost(Loss::ClosedWith { code: frame.code.into(), reason: frame.reason.as_str().to_owned() })
            }
            Some(Ok(Message::Close(None))) | None => Event::Lost(Loss::Closed),
            Some(Ok(_)) => Event::Alive,
            Some(Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed)) => Event::Lost(Loss::Closed),
            Some(Err(error)) => Event::Lost(Loss::Broken(Box::new(error))),
        }
    }

    /// Sends one text frame.
    pub(crate) async fn send(&mut self, text: String) -> Result<(), Loss> {
        self.put(Message::text(text)).await
    }

    pub(crate) async fn ping(&mut self) -> Result<(), Loss> {
        self.put(Message::Ping(Default::default())).await
    }

    async fn put(&mut self, message: Message) -> Result<(), Loss> {
        match timeout(SEND_TIMEOUT, self.socket.send(message)).await {
            Ok(sent) => sent.map_err(|error| Loss::Broken(Box::new(error))),
            Err(_) => Err(Loss::SendTimeout),
        }
    }

    /// Says goodbye, briefly.
    pub(crate) async fn close(mut self) {
        const COURTESY: Duration = CLOSE_TIMEOUT;
        if let Ok(Err(error)) = timeout(COURTESY, self.socket.close(None)).await {
            debug!(%error, "closing the connection failed");
        }
    }
}

fn read(text: &str) -> Event {
    let problem = match serde_json::from_str(text) {
        Ok(message) => return Event::Message(message),
        Err(problem) => problem,
    };
    let Ok(json) = serde_json::from_str::<serde_json::Value>(text) else {
        return Event::Lost(Loss::NotAMessage(problem));
    };
    let event = json.get("event").and_then(serde_json::Value::as_str).unwrap_or_default();
    let job = json.get("uuid").and_then(|uuid| serde_json::from_value(uuid.clone()).ok());
    match (event, job) {
        ("job", Some(job)) => Event::UnreadableJob { job, problem: problem.to_string() },
        ("" | "job", _) => Event::Lost(Loss::NotAMessage(problem)),
        (other, _) => {
            warn!(
                event = other.chars().take(40).collect::<String>(),
                "ignored a message of a kind that this runner does not know"
            );
            Event::Alive
        }
    }
}

#[cfg(test)]
mod tests;
