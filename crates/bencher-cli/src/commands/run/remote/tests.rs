use super::*;

#[test]
fn the_tail_of_a_text_starts_at_a_character() {
    assert_eq!(tail("abc", 10), "abc");
    assert_eq!(tail("abcdef", 2), "ef");
    assert_eq!(tail("aé", 1), "");
    assert_eq!(tail("éa", 2), "a");
}
