//! Which pieces of what a job prints are kept while it runs. Pure: knows no database.
//!
//! What is kept of an attempt is in order whatever was dropped, repeated or reordered on the way: a piece that comes after a later one is
//! passed over, so that nobody who follows ever has to go back.

use bencher_types::wire::live::{MAX_LIVE_BYTES, MAX_PIECE_BYTES, MAX_PIECES, OutputPiece};

/// What is kept of an attempt already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// The number of the last piece.
    pub(super) last: Option<u32>,
    /// Bytes of text of all of them.
    pub(super) bytes: u64,
}

impl Kept {
    /// Whether a piece is kept too; it then counts.
    pub(super) fn takes(&mut self, piece: &OutputPiece) -> bool {
        let bytes = self.bytes.saturating_add(piece.text.len() as u64);
        let is_next = self.last.is_none_or(|last| piece.sequence > last) && piece.sequence < MAX_PIECES;
        let fits = !piece.text.is_empty() && piece.text.len() <= MAX_PIECE_BYTES && bytes <= MAX_LIVE_BYTES;
        // Nothing has so much output; the column has no room for more.
        let is_somewhere = i64::try_from(piece.end()).is_ok();
        let takes = is_next && fits && is_somewhere;
        if takes {
            *self = Self { last: Some(piece.sequence), bytes };
        }
        takes
    }
}

#[cfg(test)]
mod tests;
