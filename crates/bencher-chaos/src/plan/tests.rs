use std::time::Duration;

use super::{Deed, Lives, tasks};

#[test]
fn a_number_decides_the_jobs() {
    assert_eq!(tasks(7, 50), tasks(7, 50));
    assert_ne!(tasks(7, 50), tasks(8, 50));
    assert_eq!(tasks(7, 20), tasks(7, 50)[..20], "more jobs do not change the first ones");
}

#[test]
fn jobs_of_each_kind_are_among_many() {
    let tasks = tasks(1, 100);
    assert!(tasks.iter().any(|task| task.deed == Deed::Fails));
    assert!(tasks.iter().any(|task| matches!(task.deed, Deed::Canceled { .. })));
    assert!(tasks.iter().any(|task| matches!(task.deed, Deed::Measures { iterations: 2, .. })));
}

#[test]
fn each_program_has_its_own_lives() {
    let lives = |program| {
        let mut lives = Lives::of(3, program, Duration::from_secs(4));
        (0..20).map(|_| lives.next()).collect::<Vec<_>>()
    };
    assert_eq!(lives(0), lives(0));
    assert_ne!(lives(0), lives(1));
    assert!(lives(0).iter().all(|life| life.alive < Duration::from_secs(6) && life.away < Duration::from_secs(4)));
}
