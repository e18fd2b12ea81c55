use std::os::unix::fs::FileExt as _;

use super::*;

fn sum(size: u64, pieces: &[(u64, &[u8])]) -> Digest {
    let file = tempfile::tempfile().unwrap();
    file.set_len(size).unwrap();
    for (at, bytes) in pieces {
        file.write_all_at(bytes, *at).unwrap();
    }
    of_file(&file).unwrap()
}

#[test]
fn holes_and_zeros_are_the_same() {
    assert_eq!(sum(1 << 30, &[(500_000_000, b"x")]), sum(1 << 30, &[(500_000_000, b"x"), (0, &[0; 300_000])]));
    assert_eq!(sum(100_000, &[]), sum(100_000, &[(0, &[0; 100_000])]));
}

#[test]
fn every_change_shows() {
    let one = sum(1 << 20, &[(70_000, b"x")]);
    let others =
        [(1 << 20, 70_001, b"x"), (1 << 20, 70_000 - 65_536, b"x"), (1 << 20, 70_000, b"y"), ((1 << 20) + 1, 70_000, b"x")];
    for (size, at, byte) in others {
        assert_ne!(sum(size, &[(at, byte)]), one, "{size} {at}");
    }
    assert_ne!(sum(1000, &[(999, b"x")]), sum(1000, &[]));
}
