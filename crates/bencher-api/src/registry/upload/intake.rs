//! The body of a request as batches of bytes, watched for everything that can end it early.

use std::{io, time::Duration};

use bytes::Bytes;
use futures::StreamExt as _;
use tokio::{sync::watch, time::Instant};

use super::Turn;
use crate::{limits, registry::blob::ByteStream};

/// Why a batch ended.
#[derive(Debug)]
pub(super) enum Pause {
    /// It is full, or time is up.
    More,
    /// The body is complete.
    Done,
    /// The sender went away or fell silent.
    Cut(io::Error),
    /// Another request wants to write to the upload.
    Superseded,
    /// There are more bytes than the sender said.
    Overlong,
    /// There are more bytes than the server allows.
    TooLarge,
}

/// The body of a request.
pub(super) struct Intake {
    body: ByteStream,
    later: watch::Receiver<u64>,
    mine: u64,
    /// Bytes that are still to come, where the sender said how many.
    expected: Option<u64>,
    /// Bytes that the upload may still grow by.
    room: u64,
}

impl Intake {
    pub(super) fn new(body: ByteStream, turn: &Turn, expected: Option<u64>, room: u64) -> Self {
        Self { body, later: turn.later.clone(), mine: turn.mine, expected, room }
    }

    /// What was not read.
    pub(super) fn into_body(self) -> ByteStream {
        self.body
    }

    /// Bytes until a batch is full, the body ends or `patience` is over.
    pub(super) async fn next_batch(&mut self, patience: Duration) -> (Vec<Bytes>, Pause) {
        let (mut batch, mut size) = (Vec::new(), 0);
        let end = Instant::now() + patience;
        let stall = Instant::now() + limits::BODY_STALL_TIMEOUT;
        while size < limits::UPLOAD_BATCH_BYTES {
            let mine = self.mine;
            let frame = tokio::select! {
                biased;
                _ = self.later.wait_for(|&turn| turn != mine) => return (batch, Pause::Superseded),
                frame = self.body.next() => frame,
                () = tokio::time::sleep_until(end), if size > 0 => return (batch, Pause::More),
                () = tokio::time::sleep_until(stall) => {
                    let silent = io::Error::new(io::ErrorKind::TimedOut, "the sender fell silent");
                    return (batch, if size > 0 { Pause::More } else { Pause::Cut(silent) });
                }
            };
            let mut frame = match frame {
                None => return (batch, Pause::Done),
                Some(Err(error)) => return (batch, Pause::Cut(error)),
                Some(Ok(frame)) => frame,
            };
            let overlong = self.expected.is_some_and(|expected| as_u64(frame.len()) > expected);
            if let (true, Some(expected)) = (overlong, self.expected) {
                frame.truncate(usize::try_from(expected).unwrap_or(usize::MAX));
            }
            if as_u64(frame.len()) > self.room {
                return (batch, Pause::TooLarge);
            }
            self.room -= as_u64(frame.len());
            self.expected = self.expected.map(|expected| expected - as_u64(frame.len()));
            size += frame.len();
            if !frame.is_empty() {
                batch.push(frame);
            }
            if overlong {
                return (batch, Pause::Overlong);
            }
        }
        (batch, Pause::More)
    }
}

fn as_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Throws away a bounded part of the body of a refused request, because a connection that is closed with bytes unread is reset,
/// and its client may then never read why.
pub async fn drain(body: &mut ByteStream) {
    let read = async {
        let mut left = limits::DRAIN_BYTES;
        while let Some(Ok(frame)) = body.next().await {
            left = left.saturating_sub(frame.len());
            if left == 0 {
                break;
            }
        }
    };
    tokio::time::timeout(limits::DRAIN_TIMEOUT, read).await.ok();
}
