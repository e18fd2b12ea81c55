use proptest::prelude::*;

use super::*;

/// Everything that is told of a stream which arrives in these parts.
fn told(parts: &[&[u8]], room: usize) -> Vec<Piece> {
    let (mut follower, mut stream, mut pieces) = (Follower::default(), Vec::new(), Vec::new());
    for part in parts {
        stream.extend_from_slice(part);
        let from = usize::try_from(follower.seen()).unwrap();
        pieces.extend(follower.take(&stream[from..], room));
    }
    pieces
}

fn piece(offset: u64, text: &str) -> Piece {
    Piece { offset, text: text.to_owned() }
}

#[test]
fn a_character_that_arrives_in_two_halves_is_told_once_it_is_whole() {
    assert_eq!(told(&[b"a\xe2\x82", b"\xacb"], 100), [piece(0, "a"), piece(1, "\u{20ac}b")]);
    assert_eq!(told(&[b"\xe2"], 100), []);
}

#[test]
fn what_is_no_text_is_replaced_as_in_the_delivery() {
    assert_eq!(told(&[b"a\xffb", b"\xe2\x28c"], 100), [piece(0, "a\u{fffd}b"), piece(5, "\u{fffd}(c")]);
}

#[test]
fn a_piece_is_never_longer_than_there_is_room() {
    assert_eq!(told(&["\u{20ac}\u{20ac}".as_bytes(), b"", b""], 4), [piece(0, "\u{20ac}"), piece(3, "\u{20ac}")]);
}

#[test]
fn what_is_left_out_is_counted() {
    let mut follower = Follower::default();
    assert_eq!(follower.take(b"ab", 1), Some(piece(0, "a")));
    assert!(follower.skip(b"b\xff\xe2"));
    assert!(!follower.skip(b"\xe2"), "the rest of it may still come");
    assert_eq!((follower.seen(), follower.take(b"\xe2\x82\xac", 9)), (3, Some(piece(5, "\u{20ac}"))));
}

proptest! {
    /// However a stream arrives and whatever of it is left out, each piece is that part of the text of the whole.
    #[test]
    fn pieces_are_parts_of_the_whole_text(
        stream in prop::collection::vec(prop_oneof![Just(0xe2_u8), Just(0x82), Just(0xac), Just(b'a'), any::<u8>()], 0..200),
        steps in prop::collection::vec((1_usize..20, 0_usize..12, any::<bool>()), 1..60),
    ) {
        let whole = String::from_utf8_lossy(&stream).into_owned();
        let (mut follower, mut arrived, mut end, mut has_skipped) = (Follower::default(), 0, 0, false);
        for (more, room, skips) in steps {
            arrived = stream.len().min(arrived + more);
            let new = &stream[usize::try_from(follower.seen()).unwrap()..arrived];
            if skips {
                has_skipped |= follower.skip(new);
            } else if let Some(Piece { offset, text }) = follower.take(new, room) {
                let offset = usize::try_from(offset).unwrap();
                prop_assert!(text.len() <= room);
                let follows = if has_skipped { offset >= end } else { offset == end };
                prop_assert!(follows, "a gap where nothing was left out, or a repetition");
                end = offset + text.len();
                has_skipped = false;
                prop_assert_eq!(whole.get(offset..end), Some(text.as_str()));
            }
        }
    }
}
