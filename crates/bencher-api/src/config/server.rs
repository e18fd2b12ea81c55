//! `server`: where the server listens, for whom, and within which bounds.

use std::{net::SocketAddr, path::PathBuf};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

/// Keys after `tls` are ours.
#[skip_serializing_none]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Server {
    pub bind_address: SocketAddr,
    /// Bytes.
    pub request_body_max_bytes: usize,
    /// What `GET /v0/server/version` answers as the protocol's version.
    pub wire_version: Option<String>,
    /// The server speaks HTTPS only where this is given, else HTTP.
    pub tls: Option<Tls>,
    /// The networks of proxies that are believed when they say for whom they ask, such as `10.0.0.0/8`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which they say it. One only: the other is whatever the client wrote into it.
    #[serde(default, skip_serializing_if = "ForwardedHeader::is_default")]
    pub forwarded_header: ForwardedHeader,
    /// The origins whose pages may call the API from a browser; any where this is absent.
    pub allowed_origins: Option<Vec<String>>,
    /// Connections at once.
    pub max_connections: Option<usize>,
    /// Seconds that an answer may take.
    pub request_timeout: Option<u64>,
}

/// How the server proves who it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Tls {
    /// PEM files, which are read again when they change.
    AsFile { cert_file: PathBuf, key_file: PathBuf },
    /// The content of such files.
    AsBytes { certs: Vec<u8>, key: KeyBytes },
}

/// A private key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyBytes(pub Vec<u8>);

impl std::fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyBytes(…)")
    }
}

/// Where a proxy says for whom it asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    #[default]
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

impl ForwardedHeader {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
