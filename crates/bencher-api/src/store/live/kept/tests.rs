use bencher_types::wire::live::OutputStream;
use proptest::prelude::*;

use super::*;

fn piece(sequence: u32, length: usize) -> OutputPiece {
    let text = "x".repeat(length);
    OutputPiece { sequence, warmup: false, iteration: 0, stream: OutputStream::Stdout, offset: 0, text }
}

/// Takes pieces of these numbers and lengths one after the other, and says which were kept.
fn check(pieces: &[(u32, usize)], expected: &[u32]) {
    let mut kept = Kept::default();
    let taken: Vec<u32> =
        pieces.iter().filter(|(number, length)| kept.takes(&piece(*number, *length))).map(|(n, _)| *n).collect();
    assert_eq!(taken, expected, "{pieces:?}");
}

#[test]
fn what_is_repeated_or_late_is_passed_over() {
    check(&[(0, 1), (1, 1), (1, 1), (0, 1), (5, 1), (3, 1), (6, 1)], &[0, 1, 5, 6]);
}

#[test]
fn nothing_is_kept_beyond_the_bounds() {
    check(&[(0, 0), (1, MAX_PIECE_BYTES + 1), (2, MAX_PIECE_BYTES), (MAX_PIECES, 1), (MAX_PIECES - 1, 1)], &[2, MAX_PIECES - 1]);
    let full = u32::try_from(MAX_LIVE_BYTES / MAX_PIECE_BYTES as u64).unwrap();
    let many: Vec<_> = (0..=full).map(|number| (number, MAX_PIECE_BYTES)).collect();
    check(&many, &(0..full).collect::<Vec<_>>());
    let mut kept = Kept::default();
    assert!(!kept.takes(&OutputPiece { offset: u64::MAX, ..piece(0, 1) }));
}

proptest! {
    /// However the pieces of a stream arrive, what is kept of them is in their order, each once, and every one is what it was.
    #[test]
    fn what_is_kept_is_always_in_order(arriving in prop::collection::vec((0_u32..40, 1_usize..200), 0..200)) {
        let mut kept = Kept::default();
        let mut taken: Vec<u32> = Vec::new();
        let mut bytes = 0;
        for (number, length) in arriving {
            if kept.takes(&piece(number, length)) {
                taken.push(number);
                bytes += length as u64;
            }
        }
        prop_assert!(taken.is_sorted_by(|one, next| one < next), "{:?}", taken);
        prop_assert_eq!(kept, Kept { last: taken.last().copied(), bytes });
    }
}
