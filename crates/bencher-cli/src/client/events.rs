//! Streams of server-sent events (WHATWG HTML, "Server-sent events"), as far as our servers send them.

use std::{collections::VecDeque, time::Duration};

use bencher_types::wire::event::{EVENT_STREAM, LAST_EVENT_ID_HEADER};
use reqwest::{Response, StatusCode, header};

use super::Client;
use crate::limits;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerEvent {
    /// `message` where the server gives it no name.
    pub name: String,
    /// The last id that the server gave, with this event or before.
    pub id: Option<String>,
    pub data: String,
}

/// A stream that is open.
#[derive(Debug)]
pub(crate) struct Events {
    response: Response,
    reader: Reader,
}

/// Why there is no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoEvents {
    /// This server has none, or none for us.
    NotHere,
    /// It may work later.
    NotNow,
}

impl Client {
    /// Opens a stream of events, after the last one that was seen.
    pub(crate) async fn events(&self, path: &[impl AsRef<str>], last: Option<&str>) -> Result<Events, NoEvents> {
        let mut request = self.http.get(self.url(path)).header(header::ACCEPT, EVENT_STREAM).timeout(limits::MAX_STREAM_AGE);
        if let Some(last) = last {
            request = request.header(LAST_EVENT_ID_HEADER, last);
        }
        let answered = tokio::time::timeout(self.config.timeout, request.send()).await;
        let response = answered.map_err(|_| NoEvents::NotNow)?.map_err(|_| NoEvents::NotNow)?;
        let status = response.status();
        let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match status {
            StatusCode::OK if kind.starts_with(EVENT_STREAM) => Ok(Events { response, reader: Reader::default() }),
            StatusCode::NO_CONTENT | StatusCode::TOO_MANY_REQUESTS => Err(NoEvents::NotNow),
            status if status.is_server_error() => Err(NoEvents::NotNow),
            _ => Err(NoEvents::NotHere),
        }
    }
}

impl Events {
    /// The next event; `None` where the stream is over: it ended, broke, or was silent for too long. May be called off and called again.
    pub(crate) async fn next(&mut self) -> Option<ServerEvent> {
        loop {
            if let Some(event) = self.reader.events.pop_front() {
                return Some(event);
            }
            let chunk = tokio::time::timeout(limits::MAX_STREAM_SILENCE, self.response.chunk()).await.ok()?.ok()??;
            self.reader.read(&chunk);
            if self.reader.pending() > limits::MAX_STREAMED_EVENT_BYTES {
                return None;
            }
        }
    }

    /// When the server wants to be asked again once the stream is over.
    pub(crate) const fn retry(&self) -> Option<Duration> {
        self.reader.retry
    }
}

/// Puts events together from bytes as they come.
#[derive(Debug, Default)]
struct Reader {
    /// The beginning of a line.
    line: Vec<u8>,
    /// The last byte was a carriage return, which may be the first half of an end of line.
    after_return: bool,
    name: String,
    data: Option<String>,
    id: Option<String>,
    retry: Option<Duration>,
    events: VecDeque<ServerEvent>,
}

impl Reader {
    fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let is_second_half = *byte == b'\n' && self.after_return;
            self.after_return = *byte == b'\r';
            match byte {
                b'\n' if is_second_half => {}
                b'\n' | b'\r' => {
                    let line = std::mem::take(&mut self.line);
                    self.on_line(&String::from_utf8_lossy(&line));
                }
                other => self.line.push(*other),
            }
        }
    }

    fn on_line(&mut self, line: &str) {
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            if let Some(data) = self.data.take() {
                let name = if name.is_empty() { "message".to_owned() } else { name };
                self.events.push_back(ServerEvent { name, id: self.id.clone(), data });
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            "retry" => self.retry = value.parse().ok().map(Duration::from_millis).or(self.retry),
            // A comment, or a field of a later time.
            _ => {}
        }
    }

    /// Bytes that are no event yet.
    fn pending(&self) -> usize {
        self.line.len() + self.data.as_ref().map_or(0, String::len)
    }
}

#[cfg(test)]
mod tests;
