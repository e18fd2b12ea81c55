//! A client of HTTP/1.1 that costs next to nothing: it shares two processors with the server that is measured. Trusts the server.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;
/// A bound for whatever the server does without a word.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection that is kept open.
pub(super) struct Line {
    stream: TcpStream,
    host: SocketAddr,
    /// The value of `Authorization`, where the server wants one.
    authorization: Option<String>,
    buffer: Vec<u8>,
    /// What is read of the buffer already, and how far it is filled.
    read: usize,
    filled: usize,
}

/// An answer whose body was read.
#[derive(Debug)]
pub(super) struct Answer {
    head: String,
    pub(super) length: u64,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|of| of.1.trim())
    }

    /// Path and query of `Location`, and what follows on it.
    pub(super) fn location(&self) -> Result<&str> {
        let location = self.header("location").with_context(|| format!("no location in {self:?}"))?;
        Ok(location.find("/v2/").map_or(location, |at| &location[at..]))
    }
}

impl Line {
    pub(super) fn connect(host: SocketAddr, authorization: Option<String>) -> Result<Self> {
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, host, authorization, buffer: vec![0; CHUNK], read: 0, filled: 0 })
    }

    /// Sends a request with a small body and expects this status.
    pub(super) fn ask(&mut self, method: &str, path: &str, headers: &str, body: &[u8], status: u16) -> Result<Answer> {
        let mut request = self.head(method, path, headers, body.len() as u64).into_bytes();
        request.extend_from_slice(body);
        self.stream.write_all(&request)?;
        self.answer(method, status)
    }

    /// Sends a request with a body of this length, which `write` writes, and expects this status.
    pub(super) fn send(
        &mut self,
        (method, path, headers): (&str, &str, &str),
        length: u64,
        write: impl FnOnce(&mut TcpStream) -> std::io::Result<()>,
        status: u16,
    ) -> Result<Answer> {
        let head = self.head(method, path, headers, length);
        self.stream.write_all(head.as_bytes())?;
        write(&mut self.stream)?;
        self.answer(method, status)
    }

    fn head(&self, method: &str, path: &str, headers: &str, length: u64) -> String {
        let authorization = self.authorization.as_ref().map_or_else(String::new, |value| format!("authorization: {value}\r\n"));
        let length = if matches!(method, "GET" | "HEAD") { String::new() } else { format!("content-length: {length}\r\n") };
        format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n{authorization}{headers}{length}\r\n", self.host)
    }

    fn answer(&mut self, method: &str, expected: u16) -> Result<Answer> {
        let head = self.read_head()?;
        let status: u16 =
            head.split(' ').nth(1).and_then(|word| word.parse().ok()).with_context(|| format!("no status in {head}"))?;
        let mut answer = Answer { head, length: 0 };
        if method != "HEAD" && status != 204 {
            answer.length = match answer.header("content-length") {
                Some(length) => self.skip(length.parse()?)?,
                None if answer.header("transfer-encoding") == Some("chunked") => self.skip_chunks()?,
                None => 0,
            };
        }
        ensure!(status == expected, "expected {expected} from {method}, found {}", answer.head);
        Ok(answer)
    }

    fn fill(&mut self) -> Result<()> {
        (self.read, self.filled) = (0, self.stream.read(&mut self.buffer)?);
        if self.filled == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }

    /// Up to a line that is empty.
    fn read_head(&mut self) -> Result<String> {
        let mut head = String::new();
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                return Ok(head);
            }
            head.push_str(&line);
            head.push('\n');
        }
    }

    fn read_line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        loop {
            if self.read == self.filled {
                self.fill()?;
            }
            let rest = &self.buffer[self.read..self.filled];
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                line.extend_from_slice(&rest[..end]);
                self.read += end + 1;
                return Ok(String::from_utf8(line)?.trim_end().to_owned());
            }
            line.extend_from_slice(rest);
            self.read = self.filled;
        }
    }

    fn skip(&mut self, length: u64) -> Result<u64> {
        let mut left = length;
        while left > 0 {
            if self.read == self.filled {
                self.fill()?;
            }
            let some = usize::try_from(left).unwrap_or(usize::MAX).min(self.filled - self.read);
            self.read += some;
            left -= some as u64;
        }
        Ok(length)
    }

    fn skip_chunks(&mut self) -> Result<u64> {
        let mut all = 0;
        loop {
            let length = u64::from_str_radix(self.read_line()?.trim(), 16)?;
            all += self.skip(length)?;
            self.read_line()?;
            if length == 0 {
                return Ok(all);
            }
        }
    }
}
