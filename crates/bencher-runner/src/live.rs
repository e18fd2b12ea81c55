//! What a benchmark prints, on its way to the server while it still runs: from the sandbox, which must never wait, to the channel, which
//! sends a little now and then. What does not fit is left out; the whole of the output is in the result all the same.
//!
//! ```text
//! sandbox ── Ear::tell ──▶ queue (bounded, drops) ── Printed::next ──▶ channel (at most a message per interval)
//! ```

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bencher_types::wire::live::{MAX_LIVE_BYTES, MAX_MESSAGE_BYTES, MAX_PIECE_BYTES, MAX_PIECES, OutputPiece, OutputStream};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::limits;

/// One run of a benchmark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Run {
    /// Counted from 0.
    Warmup(u32),
    /// Counted from 0.
    Iteration(u32),
    /// None yet.
    #[default]
    None,
}

/// Where the runs of one job are told. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Live(Arc<Queue>);

/// Where one run is told: what comes after it has ended is left out.
#[derive(Clone, Debug)]
pub struct Ear {
    live: Live,
    run: Run,
}

/// What was told, in the order in which it is to be sent.
#[derive(Debug)]
pub struct Printed {
    queue: Arc<Queue>,
    /// Not before.
    next: Instant,
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    told: Notify,
}

#[derive(Debug, Default)]
struct State {
    run: Run,
    waiting: VecDeque<OutputPiece>,
    waiting_bytes: usize,
    /// The number of the next piece.
    sequence: u32,
    /// Bytes of all pieces so far.
    bytes: u64,
}

/// The two ends of one job's live output.
#[must_use]
pub fn live() -> (Live, Printed) {
    let queue = Arc::<Queue>::default();
    (Live(Arc::clone(&queue)), Printed { queue, next: Instant::now() })
}

impl Live {
    /// From now on it is this run that is told of.
    pub fn begin(&self, run: Run) {
        self.0.state().run = run;
    }

    /// Where the present run is told.
    #[must_use]
    pub fn ear(&self) -> Ear {
        Ear { live: self.clone(), run: self.0.state().run }
    }
}

impl Ear {
    /// Tells a piece of a stream: the text, and where in the stream's text it begins. Never waits.
    pub fn tell(&self, stream: OutputStream, offset: u64, text: String) {
        let (warmup, iteration) = match self.run {
            Run::Warmup(number) => (true, number),
            Run::Iteration(number) => (false, number),
            Run::None => return,
        };
        let queue = &self.live.0;
        let mut state = queue.state();
        let piece = OutputPiece { sequence: state.sequence, warmup, iteration, stream, offset, text };
        if state.run == self.run && state.has_room_for(&piece) {
            state.sequence += 1;
            state.bytes += piece.text.len() as u64;
            state.waiting_bytes += piece.text.len();
            state.waiting.push_back(piece);
            drop(state);
            queue.told.notify_one();
        }
    }
}

impl Printed {
    /// What is to be sent next, once there is something and it is time. May be called off and called again.
    pub async fn next(&mut self) -> Vec<OutputPiece> {
        loop {
            sleep_until(self.next).await;
            let pieces = self.queue.state().take_message();
            if !pieces.is_empty() {
                self.next = Instant::now() + limits::LIVE_INTERVAL;
                return pieces;
            }
            self.queue.told.notified().await;
        }
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room_for(&self, piece: &OutputPiece) -> bool {
        let length = piece.text.len();
        (1..=MAX_PIECE_BYTES).contains(&length)
            && self.waiting_bytes + length <= limits::LIVE_WAITING_BYTES
            && self.bytes + length as u64 <= MAX_LIVE_BYTES
            && self.sequence < MAX_PIECES
    }

    fn take_message(&mut self) -> Vec<OutputPiece> {
        let (mut pieces, mut bytes) = (Vec::new(), 0);
        while let Some(piece) = self.waiting.pop_front_if(|piece| bytes + piece.text.len() <= MAX_MESSAGE_BYTES) {
            bytes += piece.text.len();
            pieces.push(piece);
        }
        self.waiting_bytes -= bytes;
        pieces
    }
}

#[cfg(test)]
mod tests;
