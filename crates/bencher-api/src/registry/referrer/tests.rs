use super::fitting;
use crate::limits;

#[test]
fn a_page_has_so_many_entries_and_bytes_and_one_entry_at_least() {
    let limit = i64::try_from(limits::MAX_MANIFEST_BYTES).unwrap();
    let most = usize::try_from(limits::REFERRERS_PER_PAGE).unwrap();
    for (sizes, expected) in [
        (vec![], 0),
        (vec![limit], 1),
        (vec![limit + 1], 1),
        (vec![limit - 1, 1, 1], 2),
        (vec![1; most], most),
        (vec![1; most + 1], most),
        (vec![i64::MAX, i64::MAX], 1),
    ] {
        assert_eq!(fitting(sizes.iter().copied()), expected, "{sizes:?}");
    }
}
