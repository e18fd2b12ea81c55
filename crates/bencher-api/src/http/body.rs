//! The body of a request, whose sender must not be too slow. Knows nothing of what is in it.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::limits;

/// Whether the whole body has arrived.
#[derive(Clone, Debug, Default)]
pub(super) struct Received(Arc<AtomicBool>);

impl Received {
    pub(super) fn is_complete(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A body that fails when less than [`limits::MIN_BODY_BYTES_PER_STALL`] arrives in the time that is given for it.
pub(super) struct Paced<B> {
    body: B,
    time: Duration,
    /// When what was waited for has to be there; there is none while nothing was waited for.
    due: Option<Pin<Box<Sleep>>>,
    /// Bytes since then.
    arrived: usize,
    received: Received,
}

impl<B: Body> Paced<B> {
    pub(super) fn new(body: B, time: Duration) -> (Self, Received) {
        let received = Received::default();
        received.0.store(body.is_end_stream(), Ordering::Relaxed);
        (Self { body, time, due: None, arrived: 0, received: received.clone() }, received)
    }
}

impl<B> Body for Paced<B>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin,
{
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.arrived += frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()).map_or(0, Bytes::len);
            if this.arrived >= limits::MIN_BODY_BYTES_PER_STALL {
                (this.due, this.arrived) = (None, 0);
            }
            if frame.is_none() || this.body.is_end_stream() {
                this.received.0.store(true, Ordering::Relaxed);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)));
        }
        let time = this.time;
        ready!(this.due.get_or_insert_with(|| Box::pin(sleep(time))).as_mut().poll(context));
        Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::TimedOut, "the body arrives too slowly"))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
