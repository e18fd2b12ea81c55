use uuid::Uuid;

use super::Message;

#[test]
fn a_server_hears_what_others_say_and_not_itself() {
    let (one, other) = (Uuid::new_v4(), Uuid::new_v4());
    for message in [Message::Wake, Message::Rates("0:1f:2 3:a:1".to_owned())] {
        let text = message.write(one);
        assert_eq!(Message::read(&text, other), Some(message));
        assert_eq!(Message::read(&text, one), None);
    }
}

#[test]
fn what_is_not_understood_is_passed_over() {
    let server = Uuid::new_v4();
    let other = Uuid::new_v4();
    for text in [String::new(), "wake".to_owned(), format!("{other} sing a song"), format!("{other} ")] {
        assert_eq!(Message::read(&text, server), None, "{text}");
    }
}
