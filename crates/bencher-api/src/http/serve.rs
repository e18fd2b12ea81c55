//! Connections: who gets one, what passes over it in which time, and how they end.
//!
//! Every bound that holds before there is a request is here and in [`super::patience`].

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request},
    response::Response,
    serve::Listener,
};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{Service, ServiceExt as _};

use super::{
    body::Paced,
    patience::{Bounds, Patient},
    source::{Peer, is_trusted},
};
use crate::{app::App, config::server::Server, limits, rate::address_key};

/// The first byte of a TLS handshake.
const TLS_HANDSHAKE: u8 = 0x16;

const NOT_HTTPS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: 55\r\n\r\n\
this server speaks HTTPS here: use https:// in its URL\n";

/// What every connection is served with.
struct Shared<S> {
    service: S,
    tls: Option<TlsAcceptor>,
    head_timeout: Duration,
    stop: CancellationToken,
}

/// Accepts and serves connections until `stop` is cancelled, and then until the requests at hand are answered.
pub(super) async fn serve<S>(mut listener: TcpListener, app: &Arc<App>, service: S, stop: CancellationToken)
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static,
{
    let seats = Seats::new(&app.config.server);
    let tls = app.certificates.as_ref().map(|certificates| TlsAcceptor::from(certificates.server_config()));
    let head_timeout = limits::REQUEST_HEAD_TIMEOUT.min(app.config.request_timeout());
    let shared = Arc::new(Shared { service, tls, head_timeout, stop: stop.clone() });
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = async {
                // Who does not get a place waits in the system's queue.
                let place = seats.place().await;
                (place, Listener::accept(&mut listener).await)
            } => accepted,
            () = stop.cancelled() => break,
        };
        let (place, (stream, peer)) = accepted;
        let Some(seat) = seats.seat(place, peer, &app.config.server) else {
            tracing::debug!(address = %peer.ip(), "closed a connection of an address that has too many");
            continue;
        };
        let shared = shared.clone();
        connections.spawn(async move {
            if let Err(error) = connection(stream, peer, seat, &shared).await {
                tracing::debug!(address = %peer.ip(), error = crate::chain::chain(error.as_ref()), "a connection broke");
            }
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn connection<S>(
    mut stream: TcpStream,
    peer: SocketAddr,
    seat: Seat,
    shared: &Shared<S>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static,
{
    // Answers are written whole; waiting for more to send would only delay them.
    stream.set_nodelay(true)?;
    let bounds = Bounds { send: limits::SEND_STALL_TIMEOUT, idle: limits::CONNECTION_IDLE_TIMEOUT };
    let Some(tls) = &shared.tls else {
        return exchange(Patient::new(stream, bounds, seat), peer, shared).await;
    };
    let shaken = tokio::time::timeout(limits::TLS_HANDSHAKE_TIMEOUT, async {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first != [TLS_HANDSHAKE] {
            stream.write_all(NOT_HTTPS).await?;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the client does not speak TLS"));
        }
        tls.accept(Patient::new(stream, bounds, seat)).await
    });
    let stream = shaken.await.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long"))??;
    exchange(stream, peer, shared).await
}

/// Requests and answers, one after the other, until either side has enough.
async fn exchange<S, T>(stream: T, peer: SocketAddr, shared: &Shared<S>) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static,
{
    let service = hyper::service::service_fn(|request: http::Request<Incoming>| {
        let (mut parts, body) = request.into_parts();
        let (body, received) = Paced::new(body, limits::BODY_STALL_TIMEOUT);
        parts.extensions.insert(Peer(peer));
        parts.extensions.insert(ConnectInfo(peer));
        parts.extensions.insert(received);
        shared.service.clone().oneshot(Request::from_parts(parts, Body::new(body)))
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.head_timeout)
        .max_headers(limits::MAX_HEADERS)
        .max_buf_size(limits::MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        served = connection.as_mut() => served?,
        () = shared.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await?;
        }
    }
    Ok(())
}

/// The bound on connections, of all and of each address.
struct Seats {
    places: Arc<Semaphore>,
    per_address: usize,
    taken: Arc<Mutex<HashMap<u128, usize>>>,
}

/// The right to a connection; given back when this is dropped, with the stream that holds it.
#[derive(Debug)]
pub(super) struct Seat {
    _place: OwnedSemaphorePermit,
    /// `None` where the address is not bounded.
    _counted: Option<Counted>,
}

#[derive(Debug)]
struct Counted {
    address: u128,
    taken: Arc<Mutex<HashMap<u128, usize>>>,
}

impl Seats {
    fn new(server: &Server) -> Self {
        let wanted = server.max_connections.unwrap_or(limits::DEFAULT_MAX_CONNECTIONS);
        let number = wanted.min(open_files()).max(1);
        if number < wanted {
            tracing::warn!(
                connections = number,
                wanted,
                "the system's limit on open files bounds the connections; raise it (LimitNOFILE in a systemd unit)"
            );
        }
        Self::with(number, (number / limits::CONNECTIONS_SHARE_OF_ADDRESS).max(1))
    }

    fn with(number: usize, per_address: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(number)), per_address, taken: Arc::default() }
    }

    /// A place for one connection, as soon as there is one.
    async fn place(&self) -> OwnedSemaphorePermit {
        if self.places.available_permits() == 0 {
            tracing::warn!("as many connections as there may be; others wait");
        }
        self.places.clone().acquire_owned().await.expect("the semaphore is never closed")
    }

    /// The place is for this address, unless it has its share.
    fn seat(&self, place: OwnedSemaphorePermit, peer: SocketAddr, server: &Server) -> Option<Seat> {
        if is_trusted(peer.ip(), &server.trusted_proxies) {
            return Some(Seat { _place: place, _counted: None });
        }
        let address = address_key(peer.ip());
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let number = taken.entry(address).or_default();
        if *number >= self.per_address {
            return None;
        }
        *number += 1;
        Some(Seat { _place: place, _counted: Some(Counted { address, taken: self.taken.clone() }) })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = taken.get_mut(&self.address) {
            *number -= 1;
            if *number == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

/// The files that may be open for connections.
fn open_files() -> usize {
    let bound = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    bound.map_or(usize::MAX, |bound| usize::try_from(bound.saturating_sub(limits::RESERVED_FILES)).unwrap_or(usize::MAX))
}

/// Lets this process open as many files as the system lets it ask for: each connection is one, and the usual bound of 1024 is there
/// for programs of old.
pub fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut bound = getrlimit(Resource::Nofile);
    bound.current = bound.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, bound) {
        tracing::debug!(error = crate::chain::chain(&error), "could not raise the limit on open files");
    }
}

#[cfg(test)]
mod tests;
