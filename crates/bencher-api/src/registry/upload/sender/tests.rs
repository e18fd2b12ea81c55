use super::Senders;

#[test]
fn each_caller_has_so_many_and_no_more() {
    let senders = Senders::new(2);
    let first = senders.admit("user:1").expect("the first");
    let _second = senders.admit("user:1").expect("the second");
    assert_eq!(senders.admit("user:1").err(), Some(2));
    let _other = senders.admit("user:2").expect("the first of another");
    drop(first);
    let _third = senders.admit("user:1").expect("one has ended");
}

#[test]
fn who_has_ended_is_forgotten() {
    let senders = Senders::new(1);
    drop(senders.admit("user:1").expect("the first"));
    assert!(senders.sending.lock().unwrap().is_empty());
    let none = Senders::new(0);
    assert_eq!(none.admit("user:1").err(), Some(0));
}
