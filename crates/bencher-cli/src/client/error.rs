//! What can go wrong between us and the server, and what to do about it.

use std::{fmt, io, time::Duration};

use reqwest::{Method, StatusCode};
use url::Url;

use crate::exit::Exit;

/// Why a request brought no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("could not set up an HTTP client")]
    Setup {
        #[source]
        source: reqwest::Error,
    },
    #[error("the token or key contains characters that cannot be sent")]
    BadCredential,
    #[error("could not write a request as JSON")]
    Encode {
        #[source]
        source: serde_json::Error,
    },
    #[error("no answer from {url}{}", after(*.attempts))]
    Unreachable {
        url: Url,
        attempts: u32,
        #[source]
        source: reqwest::Error,
    },
    #[error("{} is not a name that this machine knows{}", .url.host_str().unwrap_or_default(), after(*.attempts))]
    UnknownHost {
        url: Url,
        attempts: u32,
        #[source]
        source: reqwest::Error,
    },
    /// Whoever answers cannot be trusted, or does not speak TLS. Asking again does not help.
    #[error("no secure connection to {url}")]
    Insecure {
        url: Url,
        #[source]
        source: reqwest::Error,
    },
    /// The server's own trouble (5xx).
    #[error("{failure}{}", after(*.attempts))]
    Failing { failure: Box<Failure>, attempts: u32 },
    /// The server does not do what it was asked to (4xx).
    #[error("{0}")]
    Refused(Box<Failure>),
    #[error("{url} did not answer as this version of bencher expects")]
    NotUnderstood {
        url: Url,
        #[source]
        source: Box<serde_json::Error>,
    },
    #[error("{url} answered with more than {limit} bytes")]
    TooLarge { url: Url, limit: usize },
}

/// An answer that is not a success.
#[derive(Debug)]
pub(crate) struct Failure {
    pub method: Method,
    pub url: Url,
    pub status: u16,
    /// What the server says, as it says it.
    pub message: String,
    /// Finds the request in the server's log.
    pub request_id: Option<String>,
    /// When the server wants to be asked again.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} from {} {}", self.message.trim_end(), self.status, self.method, self.url.path())?;
        if let Some(id) = &self.request_id {
            write!(f, ", request {id}")?;
        }
        f.write_str(")")
    }
}

impl ApiError {
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Refused(_) => Exit::Refused,
            Self::Setup { .. } | Self::Encode { .. } => Exit::Local,
            Self::BadCredential => Exit::Usage,
            Self::Unreachable { .. }
            | Self::UnknownHost { .. }
            | Self::Insecure { .. }
            | Self::Failing { .. }
            | Self::NotUnderstood { .. }
            | Self::TooLarge { .. } => Exit::Unreachable,
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { url, .. } => Some(format!(
                "is the server running? tried {}; --host or BENCHER_HOST names another",
                url.origin().ascii_serialization()
            )),
            Self::UnknownHost { .. } => Some("check the name; --host or BENCHER_HOST names another server".into()),
            Self::Insecure { url, source } => Some(insecure_hint(url, source)),
            Self::Failing { failure, .. } if failure.status == 500 => Some(
                "this is a defect or a broken disk or database of the server; its log says more, under the request's id".into(),
            ),
            Self::Refused(failure) if failure.is_about_credentials() => Some(
                "say who you are with --key (BENCHER_API_KEY) or --token (BENCHER_API_TOKEN); `bencher auth login` makes a token"
                    .into(),
            ),
            Self::Refused(failure) if failure.status == 429 => Some(match failure.retry_after {
                Some(wait) => format!("this is too much at once; try again in {} s", wait.as_secs()),
                None => "this is too much at once; try again later".into(),
            }),
            Self::NotUnderstood { url, .. } => Some(format!("is {} a bencher server?", url.origin().ascii_serialization())),
            _ => None,
        }
    }

    /// The same error, after so many attempts.
    pub(super) fn after(mut self, made: u32) -> Self {
        if let Self::Unreachable { attempts, .. } | Self::UnknownHost { attempts, .. } | Self::Failing { attempts, .. } =
            &mut self
        {
            *attempts = made;
        }
        self
    }

    /// The status of an answer that was a refusal.
    pub(crate) const fn refused_with(&self) -> Option<u16> {
        match self {
            Self::Refused(failure) => Some(failure.status),
            _ => None,
        }
    }
}

impl Failure {
    /// Routes that only users may call answer 400 where the header is missing.
    fn is_about_credentials(&self) -> bool {
        self.status == 401 || (self.status == 400 && self.message.to_ascii_lowercase().contains("authorization"))
    }
}

/// Why a request had no answer, as far as that can be known.
pub(super) fn unreachable(url: Url, source: reqwest::Error) -> ApiError {
    if tls_error(&source).is_some() {
        ApiError::Insecure { url, source }
    } else if is_unknown_name(&source) {
        ApiError::UnknownHost { url, attempts: 1, source }
    } else {
        ApiError::Unreachable { url, attempts: 1, source }
    }
}

/// What TLS has against the connection, where that does not pass by itself.
fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let found = chain(error).find_map(|cause| match cause.downcast_ref::<rustls::Error>() {
        None => cause.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref(),
        found => found,
    })?;
    use rustls::Error::{
        InvalidCertificate, InvalidMessage, NoCertificatesPresented, PeerIncompatible, PeerMisbehaved, UnsupportedNameType,
    };
    matches!(
        found,
        InvalidCertificate(_)
            | InvalidMessage(_)
            | NoCertificatesPresented
            | PeerIncompatible(_)
            | PeerMisbehaved(_)
            | UnsupportedNameType
    )
    .then_some(found)
}

/// Whether the resolver says for certain that there is no such host. It has no other way to say it than in words.
fn is_unknown_name(error: &reqwest::Error) -> bool {
    chain(error).any(|cause| cause.is::<io::Error>() && cause.to_string().ends_with("Name or service not known"))
}

fn chain(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| error.source())
}

fn insecure_hint(url: &Url, source: &reqwest::Error) -> String {
    let host = url.host_str().unwrap_or_default();
    match tls_error(source) {
        Some(rustls::Error::InvalidMessage(_)) => {
            format!("does {host} speak https there? an http:// address may be what is meant")
        }
        Some(rustls::Error::InvalidCertificate(_)) => format!(
            "add the authority of its certificate to this machine's trusted ones (or name its file in SSL_CERT_FILE), or, where nobody \
             else can be {host}, use --insecure-host"
        ),
        _ => format!("{host} and this program have no version of TLS in common, or something between them interferes"),
    }
}

/// What to say of an error answer that is not in the API's own shape, such as a proxy's page.
pub(super) fn plain_message(status: StatusCode, bytes: &[u8]) -> String {
    const SHOWN: usize = 200;
    // Other servers of JSON say it under the same key, if not in the same shape.
    let said = serde_json::from_slice::<serde_json::Value>(bytes).ok();
    if let Some(message) = said.as_ref().and_then(|body| body.get("message")?.as_str()) {
        return message.chars().take(SHOWN).collect();
    }
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    if line.is_empty() || line.starts_with('<') {
        return status.canonical_reason().unwrap_or("error").to_owned();
    }
    line.chars().take(SHOWN).collect()
}

fn after(attempts: u32) -> String {
    if attempts > 1 { format!(" after {attempts} attempts") } else { String::new() }
}
