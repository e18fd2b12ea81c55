use std::time::Duration;

use bencher_types::{JobUuid, RunnerUuid};
use proptest::prelude::*;
use uuid::Uuid;

use super::{CloseReason, Hub, Nudge, Registration};

fn nudges(session: &mut Registration) -> Vec<Nudge> {
    std::iter::from_fn(|| session.nudges.try_recv().ok()).collect()
}

#[test]
fn every_session_hears_of_cancels() {
    let hub = Hub::default();
    let mut sessions = [hub.register(RunnerUuid::random()), hub.register(RunnerUuid::random())];
    let job = JobUuid::random();
    hub.cancel(job);
    for session in &mut sessions {
        assert_eq!(nudges(session), [Nudge::Cancel(job)]);
    }
}

/// Sessions that wait for a job, the longest first.
fn waiting(hub: &Hub, number: usize) -> Vec<Registration> {
    let sessions: Vec<Registration> = (0..number).map(|_| hub.register(RunnerUuid::random())).collect();
    for session in &sessions {
        assert!(session.look().is_none());
    }
    sessions
}

/// Which of them were woken.
fn woken(sessions: &mut [Registration]) -> Vec<usize> {
    let mut found = Vec::new();
    for (number, session) in sessions.iter_mut().enumerate() {
        found.extend(nudges(session).iter().map(|nudge| (number, assert_eq!(*nudge, Nudge::Wake)).0));
    }
    found
}

#[test]
fn work_wakes_who_waits_longest_and_then_one_after_the_other() {
    let hub = Hub::default();
    let mut sessions = waiting(&hub, 3);
    hub.wake();
    assert_eq!(woken(&mut sessions), [0]);
    let turn = sessions[0].look().unwrap();
    assert_eq!(woken(&mut sessions), [0; 0], "it is still looking");
    drop(turn);
    assert_eq!(woken(&mut sessions), [1]);
    drop(sessions[1].look());
    assert_eq!(woken(&mut sessions), [2]);
    drop(sessions[2].look());
    assert_eq!(woken(&mut sessions), [0; 0], "everybody has looked");
}

#[test]
fn where_there_is_nothing_nobody_else_looks() {
    let hub = Hub::default();
    let mut sessions = waiting(&hub, 2);
    hub.wake();
    assert_eq!(woken(&mut sessions), [0]);
    sessions[0].look().unwrap().end();
    assert_eq!(woken(&mut sessions), [0; 0]);
}

#[test]
fn work_that_comes_while_a_session_looks_wakes_it_again() {
    let hub = Hub::default();
    let mut sessions = waiting(&hub, 1);
    hub.wake();
    let turn = sessions[0].look().unwrap();
    hub.wake();
    turn.end();
    assert_eq!(woken(&mut sessions), [0, 0]);
    assert!(sessions[0].look().is_some());
}

#[test]
fn a_turn_is_not_lost_with_who_has_it() {
    let hub = Hub::default();
    let mut sessions = waiting(&hub, 4);
    hub.wake();
    // It ends before it has looked.
    drop(sessions.remove(0));
    assert_eq!(woken(&mut sessions), [0]);
    // Its runner connects again.
    let runner = sessions[0].runner;
    let again = hub.register(runner);
    assert_eq!(woken(&mut sessions[1..]), [0]);
    // It has got a job meanwhile.
    sessions[1].rest();
    assert_eq!(woken(&mut sessions[2..]), [0]);
    drop(again);
}

#[test]
fn who_waits_no_longer_is_not_woken() {
    let hub = Hub::default();
    let mut sessions = waiting(&hub, 2);
    sessions[0].rest();
    hub.wake();
    assert_eq!(woken(&mut sessions), [1]);
    assert!(sessions[0].look().is_none());
}

#[test]
fn a_runner_has_one_session_and_the_newest_wins() {
    let hub = Hub::default();
    let runner = RunnerUuid::random();
    let mut old = hub.register(runner);
    let mut new = hub.register(runner);
    assert_eq!(nudges(&mut old), [Nudge::Close(CloseReason::Replaced)]);
    assert!(old.is_replaced() && !new.is_replaced());
    drop(old);
    hub.close_runner(runner);
    assert_eq!(nudges(&mut new), [Nudge::Close(CloseReason::KeyChanged)]);
}

#[test]
fn a_session_that_ended_is_forgotten() {
    let hub = Hub::default();
    let runner = RunnerUuid::random();
    drop(hub.register(runner));
    assert!(hub.sessions().by_runner.is_empty());
    hub.close_runner(runner);
}

#[test]
fn a_session_ends_when_the_log_says_that_there_is_a_newer_one() {
    let hub = Hub::default();
    let runner = RunnerUuid::random();
    let mut session = hub.register(runner);
    hub.heard_of_session(runner, Some(session.session()));
    assert_eq!(nudges(&mut session), []);
    hub.heard_of_session(RunnerUuid::random(), Some(Uuid::new_v4()));
    assert_eq!(nudges(&mut session), [], "another runner's");
    hub.heard_of_session(runner, Some(Uuid::new_v4()));
    assert_eq!(nudges(&mut session), [Nudge::Close(CloseReason::Replaced)]);
    hub.heard_of_session(runner, None);
    assert_eq!(nudges(&mut session), [Nudge::Close(CloseReason::KeyChanged)]);
}

#[test]
fn a_session_does_not_end_for_what_was_logged_before_it() {
    let hub = Hub::default();
    let runner = RunnerUuid::random();
    let mut session = hub.register(runner);
    hub.heard_of_session(runner, Some(Uuid::new_v4()));
    hub.heard_of_session(runner, None);
    assert_eq!(nudges(&mut session), []);
}

#[tokio::test]
async fn sessions_are_closed_one_after_the_other_and_waited_for() {
    let hub = Hub::default();
    let mut sessions: Vec<Registration> = (0..10).map(|_| hub.register(RunnerUuid::random())).collect();
    let began = tokio::time::Instant::now();
    let stopping = tokio::spawn({
        let hub = hub.clone();
        async move { hub.shut_down(Duration::from_secs(10)).await }
    });
    for session in &mut sessions {
        assert_eq!(session.nudges.recv().await, Some(Nudge::Close(CloseReason::ShuttingDown)));
    }
    assert!(began.elapsed() >= Duration::from_millis(90), "{:?}", began.elapsed());
    assert!(!stopping.is_finished());
    let mut late = hub.register(RunnerUuid::random());
    assert_eq!(nudges(&mut late), [Nudge::Close(CloseReason::ShuttingDown)]);
    drop(sessions);
    drop(late);
    stopping.await.unwrap();
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A job comes that only runners of this kind can take.
    Job(u8),
    /// A runner of this kind connects and asks for a job.
    Connect(u8),
    /// One of the sessions does what it was told, if it was.
    Act(usize),
    Disconnect(usize),
    /// Its time to wait is over; it asks again when it is told something, or never.
    GiveUp(usize),
}

/// What the server does with a session that looks.
fn look(session: &Registration, kind: u8, jobs: &mut Vec<u8>) {
    let turn = session.look();
    if let Some(found) = jobs.iter().position(|job| *job == kind) {
        jobs.remove(found);
        session.rest();
    } else if let Some(turn) = turn
        && jobs.is_empty()
    {
        turn.end();
    }
}

proptest! {
    #[test]
    fn no_job_waits_while_a_runner_that_could_take_it_does(
        steps in prop::collection::vec(
            prop_oneof![
                (0..3_u8).prop_map(Step::Job),
                (0..3_u8).prop_map(Step::Connect),
                (0..8_usize).prop_map(Step::Act),
                (0..8_usize).prop_map(Step::Disconnect),
                (0..8_usize).prop_map(Step::GiveUp),
            ],
            0..60,
        ),
    ) {
        let hub = Hub::default();
        // Each with its kind and whether it waits.
        let mut sessions: Vec<(Registration, u8, bool)> = Vec::new();
        let mut jobs = Vec::new();
        let act = |(session, kind, waits): &mut (Registration, u8, bool), jobs: &mut Vec<u8>| {
            let woken = session.nudges.try_recv().is_ok();
            if woken && *waits {
                let before = jobs.len();
                look(session, *kind, jobs);
                *waits = jobs.len() == before;
            } else if woken {
                session.rest();
            }
            woken
        };
        for step in steps {
            match step {
                Step::Job(kind) => {
                    jobs.push(kind);
                    hub.wake_here();
                }
                Step::Connect(kind) => {
                    let session = hub.register(RunnerUuid::random());
                    let before = jobs.len();
                    look(&session, kind, &mut jobs);
                    sessions.push((session, kind, jobs.len() == before));
                }
                Step::Act(number) => {
                    if let Some(session) = sessions.get_mut(number) {
                        act(session, &mut jobs);
                    }
                }
                Step::Disconnect(number) if number < sessions.len() => drop(sessions.remove(number)),
                Step::GiveUp(number) if number < sessions.len() => sessions[number].2 = false,
                Step::Disconnect(_) | Step::GiveUp(_) => {}
            }
        }
        while sessions.iter_mut().any(|session| act(session, &mut jobs)) {}
        for job in jobs {
            prop_assert!(!sessions.iter().any(|(_, kind, waits)| *waits && *kind == job), "a job of {job} waits beside its runner");
        }
    }
}
