use super::{Follower, Streams, TooManyStreams};
use crate::limits;

#[test]
fn each_follower_has_so_many_streams_and_a_place_is_given_back() {
    let streams = Streams::default();
    let (one, other) = (Follower::Address(1), Follower::Address(2));
    let mut seats: Vec<_> = (0..limits::EVENT_STREAMS_EACH).map(|_| streams.seat(one).unwrap()).collect();
    assert_eq!(streams.seat(one).unwrap_err(), TooManyStreams::OfFollower);
    streams.seat(other).unwrap();
    seats.pop();
    seats.push(streams.seat(one).unwrap());
    drop(seats);
    assert!(streams.taken().is_empty());
}

#[test]
fn all_together_have_so_many_streams() {
    let streams = Streams::default();
    let seats: Vec<_> =
        (0..limits::EVENT_STREAMS).map(|number| streams.seat(Follower::Address(number as u128)).unwrap()).collect();
    assert_eq!(streams.seat(Follower::Address(u128::MAX)).unwrap_err(), TooManyStreams::OfServer);
    drop(seats);
    streams.seat(Follower::Address(u128::MAX)).unwrap();
}
