//! Connections that do not wait for ever: neither for a client that takes nothing, nor for one that says nothing.
//!
//! A download whose client stops reading would hold its task and its file, a channel that nobody uses its connection. Knows nothing
//! of HTTP.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

/// How long a connection is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// For the client to take something of what is sent.
    pub(super) send: Duration,
    /// For anything to pass in either direction.
    pub(super) idle: Duration,
}

/// A connection that fails with [`io::ErrorKind::TimedOut`] where its other end is too slow.
#[derive(Debug)]
pub(super) struct Patient<S, G> {
    stream: S,
    /// Goes with the stream, wherever that is taken.
    _guard: G,
    bounds: Bounds,
    /// When nothing has passed in either direction for too long.
    idle: Pin<Box<Sleep>>,
    /// When what is being sent has waited for too long; there is none while nothing waits.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S, G> Patient<S, G> {
    pub(super) fn new(stream: S, bounds: Bounds, guard: G) -> Self {
        Self { stream, _guard: guard, bounds, idle: Box::pin(sleep(bounds.idle)), stalled: None }
    }

    fn note_progress(&mut self) {
        self.idle.as_mut().reset(Instant::now() + self.bounds.idle);
    }

    /// What a step of sending came to, or the error that it takes too long.
    fn sent<T>(&mut self, step: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if step.is_ready() {
            self.stalled = None;
            self.note_progress();
            return step;
        }
        let send = self.bounds.send;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(send)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing of what is sent to it")))
    }
}

impl<S: AsyncRead + Unpin, G: Unpin> AsyncRead for Patient<S, G> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, buffer) {
            self.note_progress();
            return Poll::Ready(read);
        }
        ready!(self.idle.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "nothing has passed over the connection for too long")))
    }
}

impl<S: AsyncWrite + Unpin, G: Unpin> AsyncWrite for Patient<S, G> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let step = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.sent(step, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let step = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.sent(step, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
