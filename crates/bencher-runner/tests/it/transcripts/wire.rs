//! A server that is nothing but a socket: it answers the question for its version, hands over whoever asks for the channel,
//! and sends what it is told to, byte by byte if need be.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::derive_accept_key,
        protocol::{CloseFrame, Role},
    },
};

/// A bound for what must happen; only a test that fails waits for it.
pub(crate) const SOON: Duration = Duration::from_secs(90);

pub(crate) struct Wire {
    pub(crate) addr: SocketAddr,
    /// The body of the answer to the question for the version.
    pub(crate) version: Arc<Mutex<String>>,
    asking: mpsc::UnboundedReceiver<Asking>,
    listener: JoinHandle<()>,
}

/// Somebody who wants the channel and has no answer yet.
pub(crate) struct Asking {
    stream: TcpStream,
    pub(crate) head: String,
}

pub(crate) struct Channel(WebSocketStream<TcpStream>);

impl Wire {
    pub(crate) async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let version = Arc::new(Mutex::new(r#"{"version":"0.6.12"}"#.to_owned()));
        let (asks, asking) = mpsc::unbounded_channel();
        let answer = version.clone();
        let listener = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                tokio::spawn(take(stream, answer.clone(), asks.clone()));
            }
        });
        Self { addr, version, asking, listener }
    }

    pub(crate) async fn asked(&mut self) -> Asking {
        tokio::time::timeout(SOON, self.asking.recv()).await.expect("a runner in time").expect("the listener lives")
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Reads a request's head and answers it, or hands it over.
async fn take(mut stream: TcpStream, version: Arc<Mutex<String>>, asks: mpsc::UnboundedSender<Asking>) {
    stream.set_nodelay(true).expect("an option of the socket");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            // It went away again.
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).expect("a head of text");
    if head.starts_with("GET /v0/server/version ") {
        let body = version.lock().expect("nobody panics with it").clone();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.ok();
    } else {
        // The test may be over.
        asks.send(Asking { stream, head }).ok();
    }
}

impl Asking {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    async fn upgrade(&mut self) {
        let key = self.header("sec-websocket-key").expect("a runner asks for a WebSocket");
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {}\r\n\r\n",
            derive_accept_key(key.as_bytes())
        );
        self.stream.write_all(answer.as_bytes()).await.expect("the runner listens");
    }

    /// Opens the channel. The request is one that a v0.6 server takes.
    pub(crate) async fn open(mut self, key: &str) -> Channel {
        assert!(self.head.starts_with("GET /v0/runners/my-runner/channel HTTP/1.1\r\n"), "{}", self.head);
        assert_eq!(self.header("authorization"), Some(format!("Bearer {key}").as_str()));
        assert_eq!(self.header("sec-websocket-version"), Some("13"));
        assert_eq!(self.header("sec-websocket-protocol"), None);
        self.upgrade().await;
        Channel(WebSocketStream::from_raw_socket(self.stream, Role::Server, None).await)
    }

    /// Opens the channel and goes away, as a v0.6 server does that does not know the key.
    pub(crate) async fn open_and_leave(mut self) {
        self.upgrade().await;
        self.stream.shutdown().await.ok();
    }

    /// Opens the channel and then speaks something else.
    pub(crate) async fn open_and_babble(mut self) {
        self.upgrade().await;
        self.stream.write_all(&[0xff; 64]).await.ok();
        // Until the runner has had enough.
        let mut rest = Vec::new();
        tokio::time::timeout(SOON, self.stream.read_to_end(&mut rest)).await.expect("the runner goes in time").ok();
    }

    /// Answers the request as it is told.
    pub(crate) async fn answer(mut self, answer: &str) {
        self.stream.write_all(answer.as_bytes()).await.ok();
        self.stream.shutdown().await.ok();
    }
}

/// What came from the runner.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Text(String),
    Pong,
    Gone,
}

impl Channel {
    pub(crate) async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.ok();
    }

    pub(crate) async fn send_binary(&mut self, text: &str) {
        self.0.send(Message::binary(text.as_bytes().to_vec())).await.ok();
    }

    /// One frame, a byte at a time.
    pub(crate) async fn send_slowly(&mut self, text: &str) {
        let length = u16::try_from(text.len()).expect("a short text");
        let mut frame = vec![0x81];
        if length < 126 {
            frame.extend(length.to_be_bytes().last());
        } else {
            frame.push(126);
            frame.extend(length.to_be_bytes());
        }
        frame.extend(text.as_bytes());
        for byte in frame {
            self.0.get_mut().write_all(&[byte]).await.expect("the runner listens");
            tokio::task::yield_now().await;
        }
    }

    pub(crate) async fn ping(&mut self) {
        self.0.send(Message::Ping(vec![7].into())).await.ok();
    }

    pub(crate) async fn close(mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code: code.into(), reason: reason.to_owned().into() };
        self.0.send(Message::Close(Some(frame))).await.ok();
        // The runner answers, or just goes.
        while tokio::time::timeout(SOON, self.0.next()).await.expect("the runner goes in time").is_some_and(|frame| frame.is_ok())
        {
        }
    }

    /// The next thing from the runner. Its own pings are answered and not told of.
    pub(crate) async fn receive(&mut self) -> Received {
        loop {
            match tokio::time::timeout(SOON, self.0.next()).await.expect("something from the runner in time") {
                Some(Ok(Message::Text(text))) => return Received::Text(text.as_str().to_owned()),
                Some(Ok(Message::Pong(payload))) if payload.as_ref() == [7] => return Received::Pong,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Received::Gone,
                Some(Ok(_)) => {}
            }
        }
    }
}
