use std::io::Write as _;

use proptest::prelude::*;

use super::*;

#[test]
fn everything_is_counted_and_the_beginning_kept() {
    let mut captured = Captured::default();
    captured.add(b"hello ", 8);
    captured.add(b"world", 8);
    captured.add(b"!", 8);
    assert_eq!((captured.total, captured.kept()), (12, 8));
    assert_eq!(captured.chunks.concat(), b"hello wo");
    assert_eq!(captured.sha256(), Sha256::of(b"hello wo"));
}

#[test]
fn nothing_may_be_kept() {
    let mut captured = Captured::default();
    captured.add(b"hello", 0);
    assert_eq!((captured.total, captured.kept()), (5, 0));
}

#[test]
fn what_a_pipe_holds_after_its_writers_end_is_read() {
    let (reader, mut writer) = io::pipe().unwrap();
    let mut capture = Capture::new(reader.into(), 1 << 20).unwrap();
    let all: Vec<u8> = (0..251).cycle().take(limits::PIPE_SIZE).collect();
    writer.write_all(&all).unwrap();
    drop(writer);
    capture.read_rest(&mut vec![0; 999]);
    assert!(capture.pipe().is_none());
    assert!(capture.captured.chunks.concat() == all);
}

#[test]
fn an_empty_pipe_is_not_waited_for() {
    let (reader, writer) = io::pipe().unwrap();
    let mut capture = Capture::new(reader.into(), 10).unwrap();
    capture.read_some(&mut [0; 16]);
    capture.read_rest(&mut [0; 16]);
    assert!(capture.pipe().is_some());
    drop(writer);
}

proptest! {
    #[test]
    fn parts_together_are_the_beginning(
        sizes in prop::collection::vec(0_usize..400_000, 0..8),
        max in 0_u64..1_500_000,
    ) {
        let mut captured = Captured::default();
        let mut all = Vec::new();
        for (size, byte) in sizes.into_iter().zip(0..) {
            let bytes = vec![byte; size];
            captured.add(&bytes, max);
            all.extend(bytes);
        }
        prop_assert_eq!(captured.total, all.len() as u64);
        all.truncate(usize::try_from(max).unwrap());
        prop_assert!(captured.chunks.concat() == all);
        prop_assert_eq!(captured.kept(), all.len() as u64);
    }
}
