use super::*;

const START: i64 = 1_700_000_000_000_000;

fn at(seconds: i64) -> DateTime {
    DateTime::from_micros(START + seconds * 1_000_000).unwrap()
}

fn bound(organization: i64, per_day: u64) -> Bound {
    Bound { mover: Mover::Organization(organization), per_day }
}

fn allowance(per_day: u64) -> (Allowance, Arc<Mutex<DateTime>>) {
    let now = Arc::new(Mutex::new(at(0)));
    (Allowance { bounds: [bound(1, per_day)].into(), clock: Clock::Fixed(now.clone()), moved: Arc::default() }, now)
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
    allowance.add(0);
    assert_eq!(allowance.moved.lock().unwrap()[&Mover::Organization(1)].bytes, 0.0);
}

#[test]
fn who_has_nothing_left_to_forget_is_forgotten_when_there_are_many() {
    let (allowance, now) = allowance(86_400);
    for organization in 0..=i64::try_from(SWEEP_AT).unwrap() {
        Allowance { bounds: [bound(organization, 86_400)].into(), ..allowance.clone() }.add(1);
    }
    *now.lock().unwrap() = at(2);
    allowance.add(1);
    assert_eq!(allowance.moved.lock().unwrap().len(), 1);
}

#[test]
fn nothing_may_be_nothing_and_others_are_others() {
    let (none, _) = allowance(0);
    assert_eq!(none.check().unwrap_err().retry_after, DAY);
    let (one, _) = allowance(10);
    one.add(11);
    assert!(one.check().is_err());
    Allowance { bounds: [bound(2, 10)].into(), ..one }.check().unwrap();
}

#[test]
fn what_is_moved_counts_for_each_and_the_least_bound_holds() {
    let (all, _) = allowance(1000);
    let ada = Bound { mover: Mover::Principal("user:ada".to_owned()), per_day: 100 };
    let both = Allowance { bounds: [bound(1, 1000), ada].into(), ..all.clone() };
    both.add(100);
    all.check().unwrap();
    let refused = both.check().unwrap_err().to_string();
    assert!(refused.starts_with("you have moved the 100 bytes"), "{refused}");
    all.add(900);
    assert!(all.check().unwrap_err().to_string().starts_with("the organization has moved the 1000 bytes"));
}
