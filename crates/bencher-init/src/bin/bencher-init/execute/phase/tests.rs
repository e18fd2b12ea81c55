use proptest::prelude::*;

use super::*;

const GRACE: Duration = Duration::from_secs(2);
const EVENTS: [Event; 5] = [Event::MainEnded, Event::NobodyLeft, Event::Stop, Event::HostGone, Event::TimeIsUp];

/// Events, each a second after the one before, and the actions that follow.
fn check(events: &[Event], expected: &[Action]) {
    let mut phase = Phase::Running;
    let actions: Vec<Action> =
        events.iter().zip(1..).map(|(event, second)| phase.apply(*event, Moment(second * 1_000_000_000), GRACE)).collect();
    assert_eq!(actions, expected, "{events:?}");
}

#[test]
fn a_benchmark_that_ends_with_all_its_processes_is_sent_nothing() {
    check(&[Event::MainEnded, Event::NobodyLeft], &[Action::None, Action::None]);
}

#[test]
fn what_lingers_is_killed_when_its_time_is_up() {
    check(&[Event::MainEnded, Event::TimeIsUp, Event::NobodyLeft], &[Action::None, Action::Kill, Action::None]);
}

#[test]
fn what_lingers_is_killed_at_once_by_a_stop() {
    check(&[Event::MainEnded, Event::Stop], &[Action::None, Action::Kill]);
}

#[test]
fn a_stop_is_asked_for_once_and_then_enforced() {
    let events = [Event::Stop, Event::Stop, Event::MainEnded, Event::TimeIsUp, Event::Stop, Event::NobodyLeft];
    check(&events, &[Action::Terminate, Action::None, Action::None, Action::Kill, Action::None, Action::None]);
}

#[test]
fn without_a_host_there_is_no_grace() {
    check(&[Event::HostGone], &[Action::Kill]);
    check(&[Event::Stop, Event::HostGone], &[Action::Terminate, Action::Kill]);
}

#[test]
fn what_does_not_even_die_is_given_up() {
    check(&[Event::HostGone, Event::TimeIsUp], &[Action::Kill, Action::GiveUp]);
}

#[test]
fn only_the_benchmark_itself_has_no_deadline() {
    let mut phase = Phase::Running;
    assert_eq!(phase.deadline(), None);
    let now = Moment(5);
    let _ = phase.apply(Event::MainEnded, now, GRACE);
    assert_eq!(phase.deadline(), Some(now.after(GRACE)));
    let _ = phase.apply(Event::TimeIsUp, now, GRACE);
    assert_eq!(phase.deadline(), Some(now.after(limits::KILL_WAIT)));
}

proptest! {
    #[test]
    fn any_events_lead_to_an_end_and_no_signal_follows_it(picks in prop::collection::vec(0..EVENTS.len(), 0..40)) {
        let mut phase = Phase::Running;
        let mut kills = 0;
        for (pick, second) in picks.into_iter().zip(0..) {
            let was_over = phase == Phase::Over;
            let action = phase.apply(EVENTS[pick], Moment(second), GRACE);
            kills += u32::from(action == Action::Kill);
            prop_assert!(!was_over || (phase == Phase::Over && action == Action::None));
        }
        prop_assert!(kills <= 1);
        // Whatever happened, once time is all that passes it ends within two deadlines.
        if phase != Phase::Running && phase != Phase::Over {
            let actions = [(); 2].map(|()| phase.apply(Event::TimeIsUp, Moment(100), GRACE));
            prop_assert_eq!(actions[1], Action::GiveUp);
        }
    }
}
