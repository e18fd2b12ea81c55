//! Firecracker's API, as far as a runner uses it: typed requests over its Unix socket.
//!
//! There is one connection for a machine's whole life, made before its guest runs. Later nobody looks at the socket's path
//! any more, which is then in the hands of the process the jail is for.

use std::{fmt, io, path::Path, time::Duration};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::{net::UnixStream, task::JoinHandle, time::timeout};

use super::{
    limits,
    network::{RateLimiter, TokenBucket},
};

/// A request that was not answered as it should be.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("{method} {path} was refused ({status}): {message}")]
    Refused { method: Method, path: String, status: StatusCode, message: String },
    #[error("{method} {path} got no answer")]
    Connection {
        method: Method,
        path: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{method} {path} was not answered within {after:?}")]
    TimedOut { method: Method, path: String, after: Duration },
    #[error("the API's socket does not speak HTTP")]
    Handshake(#[source] hyper::Error),
    #[error("could not connect to the API's socket")]
    Connect(#[source] io::Error),
}

/// The connection to one Firecracker.
pub(super) struct Api {
    sender: SendRequest<Full<Bytes>>,
    connection: JoinHandle<()>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Api")
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Logger<'a> {
    pub(super) log_path: &'a str,
    pub(super) level: &'a str,
    pub(super) show_level: bool,
    pub(super) show_log_origin: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Metrics<'a> {
    pub(super) metrics_path: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct MachineConfig {
    pub(super) vcpu_count: u32,
    pub(super) mem_size_mib: u64,
    pub(super) smt: bool,
    pub(super) track_dirty_pages: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) huge_pages: Option<&'static str>,
}

#[derive(Debug, Serialize)]
pub(super) struct BootSource<'a> {
    pub(super) kernel_image_path: &'a str,
    pub(super) initrd_path: &'a str,
    pub(super) boot_args: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct Drive<'a> {
    pub(super) drive_id: &'a str,
    pub(super) path_on_host: &'a str,
    pub(super) is_root_device: bool,
    pub(super) is_read_only: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Vsock<'a> {
    pub(super) guest_cid: u32,
    pub(super) uds_path: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct NetworkInterface<'a> {
    pub(super) iface_id: &'a str,
    pub(super) host_dev_name: &'a str,
    pub(super) guest_mac: &'a str,
    pub(super) rx_rate_limiter: RateLimiter,
    pub(super) tx_rate_limiter: RateLimiter,
}

/// The console. It goes to Firecracker's standard output as long as no other place is named.
#[derive(Debug, Serialize)]
pub(super) struct Serial {
    /// Of bytes; what is beyond it is dropped.
    pub(super) rate_limiter: TokenBucket,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) enum Action {
    InstanceStart,
    SendCtrlAltDel,
}

#[derive(Serialize)]
struct ActionBody {
    action_type: Action,
}

#[derive(Serialize)]
struct Nothing {}

#[derive(Deserialize)]
struct Fault {
    fault_message: String,
}

#[derive(Debug, Deserialize)]
struct Version {
    firecracker_version: String,
}

impl Api {
    /// Connects to the socket at `path`, which must be there and answer.
    pub(super) async fn connect(path: &Path) -> Result<Self, ApiError> {
        let stream = UnixStream::connect(path).await.map_err(ApiError::Connect)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(ApiError::Handshake)?;
        // It ends with the connection, and an error is told to whoever waits for an answer.
        let connection = tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, connection })
    }

    pub(super) async fn version(&mut self) -> Result<String, ApiError> {
        let path = "/version";
        let answer = self.request(Method::GET, path, Bytes::new()).await?;
        let version: Version = serde_json::from_slice(&answer).map_err(|error| broken(Method::GET, path, error))?;
        Ok(version.firecracker_version)
    }

    pub(super) async fn logger(&mut self, logger: &Logger<'_>) -> Result<(), ApiError> {
        self.put("/logger", logger).await
    }

    pub(super) async fn metrics(&mut self, metrics: &Metrics<'_>) -> Result<(), ApiError> {
        self.put("/metrics", metrics).await
    }

    pub(super) async fn machine_config(&mut self, config: &MachineConfig) -> Result<(), ApiError> {
        self.put("/machine-config", config).await
    }

    pub(super) async fn boot_source(&mut self, source: &BootSource<'_>) -> Result<(), ApiError> {
        self.put("/boot-source", source).await
    }

    pub(super) async fn drive(&mut self, drive: &Drive<'_>) -> Result<(), ApiError> {
        self.put(&format!("/drives/{}", drive.drive_id), drive).await
    }

    pub(super) async fn vsock(&mut self, vsock: &Vsock<'_>) -> Result<(), ApiError> {
        self.put("/vsock", vsock).await
    }

    pub(super) async fn network_interface(&mut self, interface: &NetworkInterface<'_>) -> Result<(), ApiError> {
        self.put(&format!("/network-interfaces/{}", interface.iface_id), interface).await
    }

    pub(super) async fn entropy(&mut self) -> Result<(), ApiError> {
        self.put("/entropy", &Nothing {}).await
    }

    pub(super) async fn serial(&mut self, serial: &Serial) -> Result<(), ApiError> {
        self.put("/serial", serial).await
    }

    pub(super) async fn action(&mut self, action_type: Action) -> Result<(), ApiError> {
        self.put("/actions", &ActionBody { action_type }).await
    }

    async fn put(&mut self, path: &str, body: &impl Serialize) -> Result<(), ApiError> {
        let body = serde_json::to_vec(body).map_err(|error| broken(Method::PUT, path, error))?;
        self.request(Method::PUT, path, body.into()).await.map(drop)
    }

    async fn request(&mut self, method: Method, path: &str, body: Bytes) -> Result<Bytes, ApiError> {
        let after = limits::API_REQUEST_TIMEOUT;
        let answer = timeout(after, self.exchange(&method, path, body)).await;
        let (status, body) =
            answer.map_err(|_| ApiError::TimedOut { method: method.clone(), path: path.to_owned(), after })??;
        if status.is_success() {
            return Ok(body);
        }
        let fault = serde_json::from_slice(&body).map(|fault: Fault| fault.fault_message);
        let message = fault.unwrap_or_else(|_| String::from_utf8_lossy(&body).into_owned());
        Err(ApiError::Refused { method, path: path.to_owned(), status, message })
    }

    async fn exchange(&mut self, method: &Method, path: &str, body: Bytes) -> Result<(StatusCode, Bytes), ApiError> {
        let failed = |source| broken(method.clone(), path, source);
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(body)).map_err(failed)?;
        self.sender.ready().await.map_err(|error| broken(method.clone(), path, error))?;
        let response = self.sender.send_request(request).await.map_err(|error| broken(method.clone(), path, error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), limits::MAX_API_ANSWER).collect().await;
        let body = body.map_err(|source| ApiError::Connection { method: method.clone(), path: path.to_owned(), source })?;
        Ok((status, body.to_bytes()))
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

fn broken(method: Method, path: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ApiError {
    ApiError::Connection { method, path: path.to_owned(), source: source.into() }
}

#[cfg(test)]
mod tests;
