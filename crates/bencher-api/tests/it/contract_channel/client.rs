//! A WebSocket client that can be as slow, and as rude, as a line of a transcript wants.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        client::IntoClientRequest as _,
        http::HeaderValue,
        protocol::frame::{
            Frame,
            coding::{Data, OpCode},
        },
    },
};

use crate::{rows::Runner, support::TestServer};

/// A bound for what must happen; only a test that fails waits for it.
const SOON: Duration = Duration::from_secs(60);

pub(crate) struct Client {
    socket: WebSocketStream<Dribble>,
    slowly: Arc<AtomicBool>,
}

/// How a connection ended, or what came instead.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Text(String),
    Pong,
    Closed {
        code: Option<u16>,
        reason: String,
    },
    /// Without a close frame.
    Broken,
}

impl Client {
    pub(crate) async fn connect(server: &TestServer, runner: &Runner) -> Self {
        let url = format!("{}/v0/runners/{}/channel", server.url.replace("http://", "ws://"), runner.uuid);
        let mut request = url.into_client_request().expect("a request");
        let key = HeaderValue::from_str(&format!("Bearer {}", runner.key.expose())).expect("a header");
        request.headers_mut().insert("authorization", key);
        let address = server.url.trim_start_matches("http://");
        let stream = TcpStream::connect(address).await.expect("the server listens");
        // Each write is a packet of its own.
        stream.set_nodelay(true).expect("an option of the socket");
        let slowly = Arc::new(AtomicBool::new(false));
        let (socket, _) = tokio_tungstenite::client_async(request, Dribble { stream, slowly: slowly.clone() })
            .await
            .expect("the server takes the runner");
        Self { socket, slowly }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        // The server may have ended the connection already, which shows when reading.
        self.socket.send(Message::text(text)).await.ok();
    }

    /// One byte at a time.
    pub(crate) async fn send_slowly(&mut self, text: &str) {
        self.slowly.store(true, Ordering::Relaxed);
        self.send(text).await;
        self.slowly.store(false, Ordering::Relaxed);
    }

    /// One message in frames of a few bytes each, with a ping between them.
    pub(crate) async fn send_in_pieces(&mut self, text: &str) {
        const PIECE: usize = 5;
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(PIECE).collect();
        for (index, piece) in pieces.iter().enumerate() {
            let data = if index == 0 { Data::Text } else { Data::Continue };
            let frame = Frame::message(piece.to_vec(), OpCode::Data(data), index + 1 == pieces.len());
            self.socket.send(Message::Frame(frame)).await.ok();
            if index == 0 {
                self.ping().await;
            }
        }
    }

    pub(crate) async fn send_binary(&mut self, text: &str) {
        self.socket.send(Message::binary(text.as_bytes().to_vec())).await.ok();
    }

    pub(crate) async fn ping(&mut self) {
        self.socket.send(Message::Ping(vec![1, 2, 3].into())).await.ok();
    }

    /// The next thing from the server; pongs only where they are asked for.
    pub(crate) async fn receive(&mut self, pongs: bool) -> Received {
        loop {
            let next = tokio::time::timeout(SOON, self.socket.next()).await.expect("something from the server in time");
            return match next {
                Some(Ok(Message::Text(text))) => Received::Text(text.as_str().to_owned()),
                Some(Ok(Message::Pong(_))) if pongs => Received::Pong,
                Some(Ok(Message::Close(frame))) => Received::Closed {
                    code: frame.as_ref().map(|frame| frame.code.into()),
                    reason: frame.map(|frame| frame.reason.as_str().to_owned()).unwrap_or_default(),
                },
                Some(Ok(_)) => continue,
                None | Some(Err(_)) => Received::Broken,
            };
        }
    }
}

/// A stream that, when told so, takes one byte at a time.
struct Dribble {
    stream: TcpStream,
    slowly: Arc<AtomicBool>,
}

impl AsyncRead for Dribble {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Dribble {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let slowly = self.slowly.load(Ordering::Relaxed);
        let bytes = if slowly { &bytes[..bytes.len().min(1)] } else { bytes };
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
