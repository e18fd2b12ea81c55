use bencher_types::{JobUuid, RunnerUuid};

use super::{CloseReason, Hub, Nudge};

#[test]
fn every_session_hears_of_new_work_and_of_cancels() {
    let hub = Hub::default();
    let mut sessions = [hub.register(RunnerUuid::random()), hub.register(RunnerUuid::random())];
    let job = JobUuid::random();
    hub.wake();
    hub.cancel(job);
    for session in &mut sessions {
        assert_eq!(session.nudges.try_recv(), Ok(Nudge::Wake));
        assert_eq!(session.nudges.try_recv(), Ok(Nudge::Cancel(job)));
    }
}

#[test]
fn a_runner_has_one_session_and_the_newest_wins() {
    let hub = Hub::default();
    let runner = RunnerUuid::random();
    let mut old = hub.register(runner);
    let mut new = hub.register(runner);
    assert_eq!(old.nudges.try_recv(), Ok(Nudge::Close(CloseReason::Replaced)));
    assert!(old.is_replaced() && !new.is_replaced());
    drop(old);
    hub.close_runner(runner);
    assert_eq!(new.nudges.try_recv(), Ok(Nudge::Close(CloseReason::KeyChanged)));
}

#[test]
fn a_session_that_ended_is_forgotten() {
    let hub = Hub::default();
    let runner = RunnerUuid::random();
    drop(hub.register(runner));
    assert!(hub.sessions().is_empty());
    hub.close_runner(runner);
}
