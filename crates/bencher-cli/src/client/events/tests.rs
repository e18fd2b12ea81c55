use std::time::Duration;

use super::{Reader, ServerEvent};

fn read(chunks: &[&[u8]]) -> (Vec<ServerEvent>, Option<Duration>) {
    let mut reader = Reader::default();
    for chunk in chunks {
        reader.read(chunk);
    }
    (reader.events.into(), reader.retry)
}

fn event(name: &str, id: Option<&str>, data: &str) -> ServerEvent {
    ServerEvent { name: name.to_owned(), id: id.map(str::to_owned), data: data.to_owned() }
}

#[test]
fn events_have_a_name_an_id_and_data() {
    let (events, retry) =
        read(&[b"retry: 1000\n\nevent: job\nid: 7\ndata: {\"a\": 1}\n\n: comment\n\ndata\n\nid\ndata:x\ndata: y\n\n"]);
    assert_eq!(
        events,
        [event("job", Some("7"), "{\"a\": 1}"), event("message", Some("7"), ""), event("message", Some(""), "x\ny")]
    );
    assert_eq!(retry, Some(Duration::from_secs(1)));
}

#[test]
fn an_event_that_is_cut_off_is_none() {
    assert_eq!(read(&[b"event: job\ndata: 1\n"]).0, []);
    assert_eq!(read(&[b"event: job\n\n"]).0, [], "one without data, too");
}

#[test]
fn every_end_of_line_is_one() {
    for text in ["event: a\ndata: 1\n\n", "event: a\r\ndata: 1\r\n\r\n", "event: a\rdata: 1\r\r"] {
        assert_eq!(read(&[text.as_bytes()]).0, [event("a", None, "1")], "{text:?}");
    }
}

#[test]
fn it_does_not_matter_how_the_bytes_come() {
    let text = "event: job\r\nid: 1\ndata: é\r\n\r\n:\n\ndata:a\rdata: b\r\rid\nevent\ndata:\n\n";
    let whole = read(&[text.as_bytes()]);
    assert_eq!(whole.0.len(), 3);
    for at in 0..=text.len() {
        let (one, other) = text.as_bytes().split_at(at);
        assert_eq!(read(&[one, other]), whole, "cut at {at}");
    }
}
