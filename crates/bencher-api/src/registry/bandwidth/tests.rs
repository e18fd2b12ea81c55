use super::*;

const START: i64 = 1_700_000_000_000_000;

fn at(seconds: i64) -> DateTime {
    DateTime::from_micros(START + seconds * 1_000_000).unwrap()
}

fn allowance(per_day: u64) -> (Allowance, Arc<Mutex<DateTime>>) {
    let now = Arc::new(Mutex::new(at(0)));
    (Allowance { organization: 1, per_day, clock: Clock::Fixed(now.clone()), moved: Arc::default() }, now)
}

#[test]
fn what_was_moved_is_forgotten_at_the_pace_of_a_day() {
    let (allowance, now) = allowance(86_400);
    allowance.check().unwrap();
    allowance.add(80_000);
    allowance.check().unwrap();
    // What is under way is finished, however large.
    allowance.add(20_000);
    let wait = allowance.check().unwrap_err().retry_after.as_secs();
    assert!((13_600..13_700).contains(&wait), "{wait}");
    *now.lock().unwrap() = at(i64::try_from(wait).unwrap() + 1);
    allowance.check().unwrap();
    *now.lock().unwrap() = at(200_000);
    assert_eq!(allowance.add(0), 0.0);
    assert!(allowance.moved.lock().unwrap().is_empty(), "nothing is kept of who has nothing left to forget");
}

#[test]
fn nothing_may_be_nothing_and_others_are_others() {
    let (none, _) = allowance(0);
    assert_eq!(none.check().unwrap_err().retry_after, DAY);
    let (one, _) = allowance(10);
    one.add(11);
    assert!(one.check().is_err());
    Allowance { organization: 2, ..one }.check().unwrap();
}
