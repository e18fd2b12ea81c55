//! A container engine on this machine: docker, or podman with its service, over the interface that both have.
//!
//! An image comes and goes as the archive that the engine itself saves and loads. Where the engine is, is the caller's decision.

use std::{
    fmt,
    io::{self, Read},
    path::{Path, PathBuf},
};

use bytes::{Buf as _, Bytes};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use tokio::sync::mpsc;
use url::Url;

use crate::{
    archive::{self, ArchiveError},
    error::{IoError, join_error},
    layout::Layout,
    limits::{CHUNK, ENGINE_RESPONSE, Limits, MAX_ENGINE_ANSWER, PIPELINE_CHUNKS, TransferLimits},
};

/// Why an engine did not give or take an image.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("could not set up the HTTP client")]
    Setup(#[source] reqwest::Error),
    #[error("could not reach the container engine at {engine}")]
    Unreachable {
        engine: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("the container engine at {engine} did not answer within {} s", ENGINE_RESPONSE.as_secs())]
    NoAnswer { engine: String },
    #[error("the container engine at {engine} has no image `{image}`")]
    NoSuchImage { image: String, engine: String },
    #[error("the container engine at {engine} answered {status}: {message}")]
    Refused { engine: String, status: StatusCode, message: String },
    #[error("what the container engine at {engine} sent as `{image}` is of no use")]
    Archive {
        image: String,
        engine: String,
        #[source]
        source: Box<ArchiveError>,
    },
    #[error(transparent)]
    Io(#[from] IoError),
}

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Socket(PathBuf),
    /// Of HTTP.
    Url(Url),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => path.display().fmt(f),
            Self::Url(url) => url.fmt(f),
        }
    }
}

/// A connection to an engine.
#[derive(Clone, Debug)]
pub struct Engine {
    http: reqwest::Client,
    base: Url,
    name: String,
}

impl Engine {
    /// The process must have installed a `rustls` crypto provider before.
    ///
    /// # Errors
    /// The HTTP client cannot be set up.
    pub fn at(address: &Address) -> Result<Self, EngineError> {
        let builder = reqwest::Client::builder().connect_timeout(TransferLimits::default().connect).no_proxy();
        let (builder, base) = match address {
            Address::Socket(path) => (builder.unix_socket(path.as_path()), "http://localhost/".to_owned()),
            Address::Url(url) => (builder, format!("{}/", url.as_str().trim_end_matches('/'))),
        };
        let http = builder.build().map_err(EngineError::Setup)?;
        let base = Url::parse(&base).unwrap_or_else(|_| Url::parse("http://localhost/").expect("it is an address"));
        Ok(Self { http, base, name: address.to_string() })
    }

    /// Saves an image into a folder that becomes a layout with that one image. Where it fails, the folder is of no use.
    ///
    /// # Errors
    /// The engine cannot be reached or has no such image, what it sends is no whole image, or the disk refuses.
    pub async fn save(&self, image: &str, into: &Path, limits: &Limits) -> Result<Layout, EngineError> {
        // Asked first: what an engine answers where the image is missing differs, and some send half an archive.
        let response = self.answer(self.http.get(self.url(image, "json")?)).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Err(EngineError::NoSuchImage { image: image.to_owned(), engine: self.name.clone() });
        }
        self.expect_success(response).await?;
        let response = self.answer(self.http.get(self.url(image, "get")?)).await?;
        let response = self.expect_success(response).await?;
        let (sender, receiver) = mpsc::channel(PIPELINE_CHUNKS);
        let (into, limits) = (into.to_owned(), limits.clone());
        let reading =
            tokio::task::spawn_blocking(move || archive::read(Incoming { receiver, current: Bytes::new() }, &into, &limits));
        forward(response, sender).await;
        let read = reading.await.map_err(|error| IoError::on("work on", Path::new("an archive"))(join_error(error)))?;
        read.map_err(|source| EngineError::Archive {
            image: image.to_owned(),
            engine: self.name.clone(),
            source: Box::new(source),
        })
    }

    /// Gives the engine an archive as [`archive::write_docker`] writes it.
    ///
    /// # Errors
    /// The engine cannot be reached or does not take it, or the file cannot be read.
    pub async fn load(&self, archive: &Path) -> Result<(), EngineError> {
        let file = tokio::fs::File::open(archive).await.map_err(IoError::on("open", archive))?;
        let body = reqwest::Body::wrap_stream(tokio_util::io::ReaderStream::with_capacity(file, CHUNK));
        let url = self.base.join("images/load?quiet=1").map_err(|_| self.no_such(""))?;
        let request = self.http.post(url).header(reqwest::header::CONTENT_TYPE, "application/x-tar").body(body);
        let response = self.expect_success(self.answer(request).await?).await?;
        // Both engines tell of a failure that they find late in a success's body.
        #[derive(Deserialize)]
        struct Line {
            error: Option<String>,
        }
        let status = response.status();
        let text = self.text(response).await?;
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        match lines.filter_map(|line| line.error).next() {
            Some(message) => Err(EngineError::Refused { engine: self.name.clone(), status, message }),
            None => Ok(()),
        }
    }

    /// `/images/NAME/WHAT`: the slashes of a name stay what they are.
    fn url(&self, image: &str, what: &str) -> Result<Url, EngineError> {
        // Nothing else in a path is read by either engine; a name has none of it.
        if image.is_empty() || image.contains(['?', '#', '%']) || image.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(self.no_such(image));
        }
        self.base.join(&format!("images/{image}/{what}")).map_err(|_| self.no_such(image))
    }

    fn no_such(&self, image: &str) -> EngineError {
        EngineError::NoSuchImage { image: image.to_owned(), engine: self.name.clone() }
    }

    fn unreachable(&self, source: reqwest::Error) -> EngineError {
        EngineError::Unreachable { engine: self.name.clone(), source }
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Response, EngineError> {
        match tokio::time::timeout(ENGINE_RESPONSE, request.send()).await {
            Ok(answered) => answered.map_err(|source| self.unreachable(source)),
            Err(_) => Err(EngineError::NoAnswer { engine: self.name.clone() }),
        }
    }

    async fn expect_success(&self, response: Response) -> Result<Response, EngineError> {
        #[derive(Deserialize)]
        struct Message {
            message: String,
        }
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = self.text(response).await?;
        let message =
            serde_json::from_str::<Message>(&text).map_or_else(|_| text.chars().take(200).collect(), |body| body.message);
        Err(EngineError::Refused { engine: self.name.clone(), status, message })
    }

    async fn text(&self, mut response: Response) -> Result<String, EngineError> {
        let mut body = Vec::new();
        loop {
            let chunk = tokio::time::timeout(ENGINE_RESPONSE, response.chunk()).await;
            let chunk = chunk.map_err(|_| EngineError::NoAnswer { engine: self.name.clone() })?;
            match chunk.map_err(|source| self.unreachable(source))? {
                Some(chunk) if body.len() < MAX_ENGINE_ANSWER => body.extend_from_slice(&chunk),
                _ => return Ok(String::from_utf8_lossy(&body).into_owned()),
            }
        }
    }
}

/// Hands what arrives to the thread that reads it, and at the end the error if there was one.
async fn forward(mut response: Response, sender: mpsc::Sender<io::Result<Bytes>>) {
    loop {
        let piece = match tokio::time::timeout(ENGINE_RESPONSE, response.chunk()).await {
            Ok(Ok(Some(chunk))) => Ok(chunk),
            Ok(Ok(None)) => return,
            Ok(Err(error)) => Err(io::Error::other(error)),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        let failed = piece.is_err();
        // A reader that stopped has an error of its own.
        if sender.send(piece).await.is_err() || failed {
            return;
        }
    }
}

/// What arrives, for a thread that reads.
struct Incoming {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.current = piece?,
                None => return Ok(0),
            }
        }
        let len = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..len]);
        Ok(len)
    }
}
