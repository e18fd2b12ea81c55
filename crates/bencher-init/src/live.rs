//! Output while the benchmark still writes it, where that is wanted: on [`crate::port::LIVE`] an [`crate::Opening`] frame, then for each
//! piece a [`PieceHeader`] frame and that many bytes of UTF-8, until the connection ends, which it may at any time. Nothing waits for a
//! piece: what does not fit is left out, and the whole of the output is delivered in the end all the same.

use serde::{Deserialize, Serialize};

/// What stands in the place of bytes that are no UTF-8.
const REPLACEMENT: &str = "\u{fffd}";

/// Which stream a piece is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    Stdout,
    Stderr,
}

/// What of a stream follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PieceHeader {
    pub stream: Stream,
    /// Where in the stream's text it begins, in bytes.
    pub offset: u64,
    /// Bytes that follow.
    pub bytes: u32,
}

/// A part of a stream, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where in the stream's text it begins, in bytes.
    pub offset: u64,
    pub text: String,
}

/// How far a stream was made text of. Cuts nothing in two: the pieces in a row are the text that the whole stream becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Follower {
    /// Bytes of the stream that were looked at.
    seen: u64,
    /// Bytes of the text that they are.
    text: u64,
}

impl Follower {
    /// From which byte of the stream on [`Self::take`] and [`Self::skip`] want it.
    #[must_use]
    pub const fn seen(&self) -> u64 {
        self.seen
    }

    /// The next piece, of at most `room` bytes of text. `None` where there is none yet.
    pub fn take(&mut self, bytes: &[u8], room: usize) -> Option<Piece> {
        let (mut text, offset) = (String::new(), self.text);
        self.walk(bytes, room, |part| text.push_str(part));
        (!text.is_empty()).then_some(Piece { offset, text })
    }

    /// Leaves bytes out. Whether there was anything to leave out.
    pub fn skip(&mut self, bytes: &[u8]) -> bool {
        let before = self.seen;
        self.walk(bytes, usize::MAX, |_| {});
        self.seen > before
    }

    fn walk(&mut self, bytes: &[u8], room: usize, mut each: impl FnMut(&str)) {
        let (mut room, mut left) = (room, bytes.len());
        let mut step = |part: &str, of: usize| {
            each(part);
            self.seen += of as u64;
            self.text += part.len() as u64;
        };
        for chunk in bytes.utf8_chunks() {
            let (valid, invalid) = (chunk.valid(), chunk.invalid());
            left -= valid.len() + invalid.len();
            let fits = &valid[..valid.floor_char_boundary(room)];
            step(fits, fits.len());
            room -= fits.len();
            if fits.len() < valid.len() || room < REPLACEMENT.len() {
                return;
            }
            // The rest of a character may still be written.
            if left == 0 && is_beginning(invalid) {
                return;
            }
            if !invalid.is_empty() {
                step(REPLACEMENT, invalid.len());
                room -= REPLACEMENT.len();
            }
        }
    }
}

/// Whether more bytes may make a character of these.
fn is_beginning(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests;
