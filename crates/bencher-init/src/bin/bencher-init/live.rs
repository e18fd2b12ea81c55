//! Telling the host what the benchmark prints while it runs, where the job asked for that: now and then, in small pieces, and without ever
//! waiting. What the connection does not take is left out.

use std::{
    fs::File,
    io::{self, Write as _},
};

use bencher_init::{
    frame,
    live::{Follower, PieceHeader, Stream},
};

use crate::{clock::Moment, execute::Captured, limits};

/// The connection, and how far the streams were told.
#[derive(Debug)]
pub(crate) struct Live {
    /// `None` where nobody wants to know, or the connection is lost.
    connection: Option<File>,
    /// What the connection did not take yet.
    pending: Vec<u8>,
    next: Moment,
    stdout: Follower,
    stderr: Follower,
}

impl Live {
    /// Over a connection that does not block, if there is one.
    pub(crate) fn over(connection: Option<File>) -> Self {
        let (stdout, stderr) = (Follower::default(), Follower::default());
        Self { connection, pending: Vec::new(), next: Moment::now(), stdout, stderr }
    }

    /// When it is worth a look at what is there by now; `None` where there is nothing to tell.
    pub(crate) fn deadline(&self, stdout: &Captured, stderr: &Captured) -> Option<Moment> {
        self.connection.as_ref()?;
        let is_behind = stdout.kept() > self.stdout.seen() || stderr.kept() > self.stderr.seen();
        (is_behind || !self.pending.is_empty()).then_some(self.next)
    }

    /// Tells what is new, if it is time.
    pub(crate) fn tell(&mut self, stdout: &Captured, stderr: &Captured) {
        if Moment::now() >= self.next {
            self.tell_now(stdout, stderr);
        }
    }

    /// Tells what is new.
    pub(crate) fn tell_now(&mut self, stdout: &Captured, stderr: &Captured) {
        self.next = Moment::now().after(limits::LIVE_INTERVAL);
        self.send();
        if self.connection.is_none() || !self.pending.is_empty() {
            // The host is slow: what is written meanwhile is left out when it is its turn.
            return;
        }
        self.collect(Stream::Stdout, stdout);
        self.collect(Stream::Stderr, stderr);
        self.send();
    }

    /// Takes the next piece of a stream, and leaves out what is there beyond it.
    fn collect(&mut self, stream: Stream, captured: &Captured) {
        let follower = if stream == Stream::Stdout { &mut self.stdout } else { &mut self.stderr };
        let piece = follower.take(&captured.part(follower.seen(), limits::LIVE_PIECE), limits::LIVE_PIECE);
        if let Some(piece) = piece {
            let header = PieceHeader { stream, offset: piece.offset, bytes: u32::try_from(piece.text.len()).unwrap_or_default() };
            if let Ok(header) = frame::encode(&header) {
                self.pending.extend(header);
                self.pending.extend(piece.text.as_bytes());
            }
        }
        while follower.skip(&captured.part(follower.seen(), limits::CHUNK)) {}
    }

    fn send(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        let mut sent = 0;
        while sent < self.pending.len() {
            match connection.write(&self.pending[sent..]) {
                Ok(written) if written > 0 => sent += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Ok(_) | Err(_) => {
                    self.connection = None;
                    break;
                }
            }
        }
        self.pending.drain(..sent);
    }
}

#[cfg(test)]
mod tests;
