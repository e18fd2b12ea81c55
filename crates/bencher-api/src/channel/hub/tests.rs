use std::time::Duration;

use bencher_types::{JobUuid, RunnerUuid};
use uuid::Uuid;

use super::{CloseReason, Hub, Nudge, Registration};

fn nudges(session: &mut Registration) -> Vec<Nudge> {
    std::iter::from_fn(|| session.nudges.try_recv().ok()).collect()
}

#[test]
fn every_session_hears_of_new_work_and_of_cancels() {
    let hub = Hub::default();
    let mut sessions = [hub.register(RunnerUuid::random()), hub.register(RunnerUuid::random())];
    let job = JobUuid::random();
    hub.wake();
    hub.cancel(job);
    for session in &mut sessions {
        assert_eq!(nudges(session), [Nudge::Wake, Nudge::Cancel(job)]);
    }
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
    assert!(hub.sessions().is_empty());
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
