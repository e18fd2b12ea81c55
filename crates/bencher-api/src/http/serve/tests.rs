use super::*;

fn server(trusted: &str) -> Server {
    serde_json::from_value(serde_json::json!({
        "bind_address": "127.0.0.1:1", "request_body_max_bytes": 1, "trusted_proxies": [trusted],
    }))
    .unwrap()
}

fn peer(address: &str) -> SocketAddr {
    SocketAddr::new(address.parse().unwrap(), 1)
}

#[tokio::test]
async fn an_address_has_its_share_of_the_connections_and_no_more() {
    let (seats, server) = (Seats::with(4, 2), server("10.0.0.0/8"));
    let first = seats.seat(seats.place().await, peer("192.0.2.1"), &server).expect("there is a seat");
    let _second = seats.seat(seats.place().await, peer("192.0.2.1"), &server).expect("there is a seat");
    assert!(seats.seat(seats.place().await, peer("192.0.2.1"), &server).is_none());
    assert!(seats.seat(seats.place().await, peer("192.0.2.2"), &server).is_some(), "others have theirs");
    drop(first);
    assert!(seats.seat(seats.place().await, peer("192.0.2.1"), &server).is_some());
}

#[tokio::test]
async fn a_trusted_proxy_may_have_all_connections() {
    let (seats, server) = (Seats::with(4, 1), server("10.0.0.0/8"));
    let mut taken = Vec::new();
    for _ in 0..4 {
        taken.push(seats.seat(seats.place().await, peer("10.0.0.1"), &server).expect("there is a seat"));
    }
    assert_eq!(seats.places.available_permits(), 0);
    drop(taken);
    assert_eq!(seats.places.available_permits(), 4);
}

#[tokio::test]
async fn addresses_without_connections_are_forgotten() {
    let (seats, server) = (Seats::with(4, 2), server("10.0.0.0/8"));
    let seat = seats.seat(seats.place().await, peer("192.0.2.1"), &server);
    assert_eq!(seats.taken.lock().unwrap().len(), 1);
    drop(seat);
    assert!(seats.taken.lock().unwrap().is_empty());
}

#[test]
fn the_answer_to_plain_http_is_whole() {
    let text = std::str::from_utf8(NOT_HTTPS).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.ends_with(&format!("content-length: {}", body.len())), "{} bytes: {head}", body.len());
}
