use axum::body::{Body as AxumBody, BodyDataStream};
use futures::{StreamExt as _, TryStreamExt as _, channel::mpsc};

use super::*;

const SHORT: Duration = Duration::from_millis(30);
/// Only a test that fails waits for it.
const LONG: Duration = Duration::from_secs(60);

type Sender = mpsc::UnboundedSender<io::Result<Bytes>>;

fn body(time: Duration) -> (Sender, BodyDataStream, Received) {
    let (sender, receiver) = mpsc::unbounded();
    let (paced, received) = Paced::new(AxumBody::from_stream(receiver), time);
    (sender, AxumBody::new(paced).into_data_stream(), received)
}

#[tokio::test]
async fn a_body_that_arrives_in_time_is_whole() {
    let (sender, stream, received) = body(LONG);
    for _ in 0..3 {
        sender.unbounded_send(Ok(Bytes::from_static(b"shop"))).unwrap();
    }
    assert!(!received.is_complete());
    drop(sender);
    let whole: Vec<u8> = stream.map_ok(|bytes| bytes.to_vec()).try_concat().await.unwrap();
    assert_eq!(whole, b"shopshopshop");
    assert!(received.is_complete());
}

#[tokio::test]
async fn a_byte_now_and_then_does_not_keep_a_body_open() {
    let (sender, mut stream, received) = body(SHORT);
    let dripping = tokio::spawn(async move {
        while sender.unbounded_send(Ok(Bytes::from_static(b"x"))).is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    });
    let failed = async {
        loop {
            match stream.next().await.expect("it does not end") {
                Ok(_) => {}
                Err(error) => break error,
            }
        }
    };
    let error = tokio::time::timeout(LONG, failed).await.expect("it fails by itself");
    assert!(error.to_string().contains("too slowly") || format!("{error:?}").contains("too slowly"), "{error:?}");
    assert!(!received.is_complete());
    drop(stream);
    dripping.await.unwrap();
}

#[tokio::test]
async fn what_arrives_fast_enough_gets_more_time() {
    let (paced, _) = Paced::new(AxumBody::empty(), LONG);
    let mut paced = Paced { due: Some(Box::pin(sleep(LONG))), ..paced };
    paced.body = AxumBody::from(vec![0; limits::MIN_BODY_BYTES_PER_STALL]);
    let frame = std::future::poll_fn(|context| Pin::new(&mut paced).poll_frame(context)).await;
    assert!(frame.is_some_and(|frame| frame.is_ok()));
    assert!(paced.due.is_none(), "the time begins anew");
}
