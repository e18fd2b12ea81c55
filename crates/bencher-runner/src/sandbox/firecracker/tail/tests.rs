use std::io::Cursor;

use super::*;

#[tokio::test]
async fn a_flood_is_read_and_only_its_end_is_kept() {
    let flood = b"noise\n".repeat(1_000_000);
    let mut tail = Tail::of(Cursor::new([flood.as_slice(), b"\x1b[31mlast\n words \n\n"].concat()));
    (&mut tail.task).await.unwrap();
    assert!(tail.text().len() <= limits::KEPT_TAIL);
    assert_eq!(last_words(&[&tail]).0, "noise | noise | noise | [31mlast | words");
}
