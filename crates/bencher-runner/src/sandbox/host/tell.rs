//! Telling what a benchmark prints while it runs: now and then, from what was read of its streams anyway, so that the benchmark waits for
//! nothing.

use std::convert::Infallible;

use bencher_init::live::Follower;
use bencher_types::wire::live::{MAX_PIECE_BYTES, OutputStream};
use tokio::time::{MissedTickBehavior, interval};

use super::stream::Capture;
use crate::{limits, live::Ear};

/// Bytes that are passed over at a time, while the stream may not grow.
const SKIPPED_AT_ONCE: usize = 64 * 1024;

/// How far the streams of one run were told.
#[derive(Debug)]
pub(super) struct Teller {
    /// `None` where nobody wants to know.
    ear: Option<Ear>,
    stdout: Follower,
    stderr: Follower,
}

impl Teller {
    pub(super) fn new(ear: Option<Ear>) -> Self {
        Self { ear, stdout: Follower::default(), stderr: Follower::default() }
    }

    /// Tells for as long as it is waited for.
    pub(super) async fn keep_telling(&mut self, stdout: &Capture, stderr: &Capture) -> Infallible {
        if self.ear.is_none() {
            return std::future::pending().await;
        }
        let mut tick = interval(limits::LIVE_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.tell(stdout, stderr);
        }
    }

    /// Tells what is new, and leaves out what is more than a piece.
    pub(super) fn tell(&mut self, stdout: &Capture, stderr: &Capture) {
        let Some(ear) = &self.ear else { return };
        let streams = [(OutputStream::Stdout, &mut self.stdout, stdout), (OutputStream::Stderr, &mut self.stderr, stderr)];
        for (stream, follower, capture) in streams {
            if let Some(piece) = follower.take(&capture.part(follower.seen(), MAX_PIECE_BYTES), MAX_PIECE_BYTES) {
                ear.tell(stream, piece.offset, piece.text);
            }
            while follower.skip(&capture.part(follower.seen(), SKIPPED_AT_ONCE)) {}
        }
    }
}
