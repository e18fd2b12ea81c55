use super::{Counted, Exchange, read};
use crate::limits;

#[test]
fn what_was_counted_is_told_once() {
    let exchange = Exchange::default();
    for _ in 0..3 {
        exchange.note(2, u128::MAX);
    }
    let texts = exchange.take();
    assert_eq!(texts.len(), 1);
    assert_eq!(read(&texts[0]).collect::<Vec<_>>(), [Counted { counter: 2, key: u128::MAX, number: 3 }]);
    assert!(exchange.take().is_empty());
}

#[test]
fn many_subjects_are_told_in_texts_that_fit() {
    let exchange = Exchange::default();
    let number = u128::try_from(limits::MAX_RATES_EXCHANGED).unwrap();
    for key in 0..2 * number {
        exchange.note(11, u128::MAX - key);
    }
    let texts = exchange.take();
    // PostgreSQL takes less than 8000 bytes, and the name of the server comes with it.
    assert!(texts.iter().all(|text| text.len() < 7900), "{:?}", texts.iter().map(String::len).max());
    assert_eq!(texts.iter().flat_map(|text| read(text)).count(), limits::MAX_RATES_EXCHANGED);
}

#[test]
fn what_is_not_understood_is_passed_over() {
    assert_eq!(read("").count(), 0);
    assert_eq!(read("x 1 1:z:1 1:1:-1 1:2:3").collect::<Vec<_>>(), [Counted { counter: 1, key: 2, number: 3 }]);
}
