use proptest::prelude::*;

use super::{Wanted, chunk, wanted};

#[test]
fn a_download_may_ask_for_a_part() {
    for (header, expected) in [
        ("bytes=0-3", Wanted::Part(0..4)),
        ("bytes=4-", Wanted::Part(4..10)),
        ("bytes=-3", Wanted::Part(7..10)),
        ("bytes=-30", Wanted::Part(0..10)),
        ("bytes=8-100", Wanted::Part(8..10)),
        ("bytes=10-", Wanted::Unsatisfiable),
        ("bytes=-0", Wanted::Unsatisfiable),
        ("bytes=3-2", Wanted::Unsatisfiable),
        ("bytes=0-1,4-5", Wanted::All),
        ("bytes=+1-2", Wanted::All),
        ("lines=0-3", Wanted::All),
        ("bytes=", Wanted::All),
    ] {
        assert_eq!(wanted(Some(header), 10), expected, "{header}");
    }
    assert_eq!(wanted(None, 10), Wanted::All);
    assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Unsatisfiable);
}

#[test]
fn a_chunk_says_where_it_begins_and_ends() {
    for (header, expected) in [
        ("0-0", Some((0, 1))),
        ("10-19", Some((10, 10))),
        ("bytes 10-19/100", Some((10, 10))),
        ("bytes=10-19", Some((10, 10))),
        ("bytes 10-19/*", Some((10, 10))),
        ("19-10", None),
        ("10", None),
        ("-10", None),
        ("10-", None),
        ("a-b", None),
        ("0-18446744073709551615", None),
    ] {
        assert_eq!(chunk(header), expected, "{header}");
    }
}

proptest! {
    #[test]
    fn a_part_is_never_empty_and_never_beyond_the_end(header in "(bytes=)?[0-9]{0,20}-?[0-9]{0,20}", size: u64) {
        if let Wanted::Part(part) = wanted(Some(&header), size) {
            prop_assert!(part.start < part.end && part.end <= size);
        }
    }

    #[test]
    fn a_chunk_that_is_written_is_read(start in 0_u64..1 << 40, length in 1_u64..1 << 40) {
        prop_assert_eq!(chunk(&format!("{start}-{}", start + length - 1)), Some((start, length)));
    }

    #[test]
    fn no_header_is_too_odd_for_the_parsers(header in "\\PC{0,40}", size: u64) {
        let _ = (wanted(Some(&header), size), chunk(&header));
    }
}
