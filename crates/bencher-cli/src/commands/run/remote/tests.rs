use super::*;

#[test]
fn the_tail_of_a_text_starts_at_a_character() {
    assert_eq!(last("abc", 10), "abc");
    assert_eq!(last("abcdef", 2), "ef");
    assert_eq!(last("aé", 1), "");
    assert_eq!(last("éa", 2), "a");
}
