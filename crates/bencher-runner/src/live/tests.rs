use super::*;

fn tell(ear: &Ear, length: usize) {
    ear.tell(OutputStream::Stdout, 0, "x".repeat(length));
}

/// What the next message has, whether it is time for it or not: the numbers of its pieces, and their bytes.
fn message(printed: &Printed) -> Vec<(u32, usize)> {
    let pieces = printed.queue.state().take_message();
    pieces.iter().map(|piece| (piece.sequence, piece.text.len())).collect()
}

#[tokio::test]
async fn pieces_are_numbered_and_say_which_run_they_are_of() {
    let (live, mut printed) = live();
    live.begin(Run::Warmup(1));
    let warmup = live.ear();
    warmup.tell(OutputStream::Stderr, 7, "warm".to_owned());
    live.begin(Run::Iteration(0));
    live.ear().tell(OutputStream::Stdout, 0, "hot".to_owned());
    warmup.tell(OutputStream::Stdout, 11, "late".to_owned());
    let [first, second] = &printed.next().await[..] else { panic!("two pieces") };
    assert_eq!((first.sequence, first.warmup, first.iteration, first.offset), (0, true, 1, 7));
    assert_eq!((second.sequence, second.warmup, second.iteration, second.text.as_str()), (1, false, 0, "hot"));
}

#[tokio::test]
async fn at_most_one_message_is_sent_in_an_interval() {
    let (live, mut printed) = live();
    live.begin(Run::Iteration(0));
    let began = Instant::now();
    for _ in 0..3 {
        tell(&live.ear(), 1);
        printed.next().await;
    }
    assert!(began.elapsed() >= 2 * limits::LIVE_INTERVAL);
}

#[test]
fn a_flood_is_left_out_and_delays_nobody() {
    let (live, printed) = live();
    live.begin(Run::Iteration(0));
    for _ in 0..100 {
        tell(&live.ear(), MAX_PIECE_BYTES);
    }
    tell(&live.ear(), MAX_PIECE_BYTES + 1);
    assert_eq!(message(&printed), [(0, MAX_PIECE_BYTES), (1, MAX_PIECE_BYTES)]);
    tell(&live.ear(), 5);
    assert_eq!(message(&printed), [(2, MAX_PIECE_BYTES), (3, MAX_PIECE_BYTES)]);
    assert_eq!(message(&printed), [(4, 5)], "what was left out has no number");
}

#[test]
fn an_attempt_tells_no_more_than_the_server_keeps() {
    let (live, printed) = live();
    live.begin(Run::Iteration(0));
    let mut bytes = 0;
    for _ in 0..2 * MAX_LIVE_BYTES / MAX_PIECE_BYTES as u64 {
        tell(&live.ear(), MAX_PIECE_BYTES);
        bytes += message(&printed).iter().map(|(_, length)| *length as u64).sum::<u64>();
    }
    assert_eq!(bytes, MAX_LIVE_BYTES);
}
