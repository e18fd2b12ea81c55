use bencher_init::{PROTOCOL_VERSION, config::Token};
use proptest::prelude::*;

use super::*;
use crate::sandbox::firecracker::collect::Files;

const PATIENCE: Patience =
    Patience { boot: Duration::from_secs(60), timeout: Duration::from_secs(10), grace: Duration::from_secs(1) };

fn hello(version: u16) -> Event {
    Event::Guest(FromGuest::Hello { version, token: Token([0; 16]), init_ns: 50, ready_ns: 80 })
}

fn started(run: u32) -> Event {
    Event::Guest(FromGuest::Started { run, at_ns: 0 })
}

fn ended(run: u32, exit: GuestExit, wall: Duration) -> Event {
    Event::Guest(FromGuest::Ended { run, exit, wall_ns: u64::try_from(wall.as_nanos()).unwrap(), oom_killed: false })
}

fn deliveries(run: u32) -> [Event; 4] {
    [
        Event::Parcel(Parcel::Stdout(CapturedStream { bytes: "out".into(), total: 3 })),
        Event::Parcel(Parcel::Stderr(CapturedStream::default())),
        Event::Parcel(Parcel::Files(Files::default())),
        Event::Guest(FromGuest::Delivered { run }),
    ]
}

/// A conversation and a clock that only the test moves.
struct Talk {
    conversation: Conversation,
    now: Instant,
}

impl Talk {
    fn new() -> Self {
        let now = Instant::now();
        Self { conversation: Conversation::new(PATIENCE, now), now }
    }

    fn on(&mut self, event: Event) -> Option<Order> {
        self.conversation.on(event, self.now)
    }

    fn after(&mut self, pause: Duration, event: Event) -> Option<Order> {
        self.now += pause;
        self.on(event)
    }

    fn greeted() -> Self {
        let mut talk = Self::new();
        let order = talk.on(hello(PROTOCOL_VERSION));
        assert!(matches!(order, Some(Order::Greeted { init_ready }) if init_ready.as_nanos() == 30), "{order:?}");
        talk
    }

    fn running() -> Self {
        let mut talk = Self::greeted();
        assert_eq!(talk.conversation.begin(talk.now), Some((0, ToGuest::Run { run: 0 })));
        assert!(talk.on(started(0)).is_none());
        talk
    }

    fn deliver(&mut self, run: u32) -> RunEnd {
        let mut last = None;
        for event in deliveries(run) {
            assert!(last.is_none());
            last = self.on(event);
        }
        done(last)
    }
}

fn done(order: Option<Order>) -> RunEnd {
    match order {
        Some(Order::Done(end)) => *end,
        other => panic!("not done: {other:?}"),
    }
}

fn failed_with(order: Option<Order>) -> Failure {
    match order {
        Some(Order::Failed(failure)) => failure,
        other => panic!("not failed: {other:?}"),
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn iterations_follow_each_other_in_one_guest() {
    let mut talk = Talk::running();
    assert!(talk.after(SECOND * 2, ended(0, GuestExit::Code(3), SECOND)).is_none());
    let end = talk.deliver(0);
    assert_eq!((end.exit, end.ended, end.wall), (Exit::Code(3), Ended::Exited, SECOND));
    assert_eq!(&end.parcels.stdout.unwrap().bytes[..], b"out");
    assert!(talk.conversation.is_idle() && talk.conversation.deadline().is_none());
    assert_eq!(talk.conversation.begin(talk.now), Some((1, ToGuest::Run { run: 1 })));
    assert_eq!(talk.conversation.begin(talk.now), None);
}

#[test]
fn what_is_delivered_before_the_news_of_the_end_counts() {
    let mut talk = Talk::running();
    let [stdout, stderr, files, delivered] = deliveries(0);
    assert!(talk.on(stdout).is_none() && talk.on(files).is_none());
    assert!(talk.on(ended(0, GuestExit::Signal(11), SECOND)).is_none());
    assert!(talk.on(delivered).is_none());
    assert_eq!(done(talk.on(stderr)).exit, Exit::Signal(11));
}

#[test]
fn a_guest_cannot_claim_more_time_than_passed() {
    let mut talk = Talk::running();
    let _ = talk.after(SECOND, ended(0, GuestExit::Code(0), SECOND * 1000));
    assert_eq!(talk.deliver(0).wall, SECOND);
}

#[test]
fn a_benchmark_over_its_time_is_stopped_and_its_output_is_kept() {
    let mut talk = Talk::running();
    assert_eq!(talk.conversation.deadline(), Some(talk.now + PATIENCE.timeout));
    assert!(matches!(talk.after(PATIENCE.timeout, Event::Late), Some(Order::Tell(ToGuest::Stop))));
    assert!(talk.after(SECOND, ended(0, GuestExit::Signal(15), SECOND * 11)).is_none());
    let end = talk.deliver(0);
    assert_eq!((end.exit, end.ended, end.warning), (Exit::Signal(15), Ended::TimedOut, None));
}

#[test]
fn a_benchmark_that_ended_just_in_time_did_not_time_out() {
    let mut talk = Talk::running();
    let _ = talk.after(PATIENCE.timeout, Event::Late);
    let _ = talk.after(SECOND, ended(0, GuestExit::Code(0), PATIENCE.timeout - SECOND / 2));
    assert_eq!(talk.deliver(0).ended, Ended::Exited);
}

#[test]
fn a_guest_that_does_not_stop_has_its_keys_pressed_and_is_given_up() {
    for event in [Event::Cancel, Event::Late] {
        let mut talk = Talk::running();
        let ended = if matches!(event, Event::Cancel) { Ended::Canceled } else { Ended::TimedOut };
        assert!(matches!(talk.after(PATIENCE.timeout, event), Some(Order::Tell(ToGuest::Stop))));
        assert!(talk.on(Event::Cancel).is_none());
        assert!(matches!(talk.on(Event::Late), Some(Order::PressCtrlAltDel)));
        let end = done(talk.after(SECOND, Event::Late));
        assert_eq!((end.exit, end.ended, end.wall), (Exit::Signal(9), ended, PATIENCE.timeout + SECOND));
        assert!(end.warning.unwrap().contains("output is lost"));
        assert!(!talk.conversation.is_idle());
    }
}

#[test]
fn a_cancel_between_the_order_and_the_start_stops_it() {
    let mut talk = Talk::greeted();
    let _ = talk.conversation.begin(talk.now);
    assert!(matches!(talk.on(Event::Cancel), Some(Order::Tell(ToGuest::Stop))));
    assert!(talk.on(started(0)).is_none());
    assert!(talk.on(ended(0, GuestExit::Signal(15), SECOND)).is_none());
    assert_eq!(talk.deliver(0).ended, Ended::Canceled);
}

#[test]
fn a_guest_that_reboots_under_its_benchmark_is_the_benchmarks_fault() {
    for event in [Event::MachineEnded, Event::ControlClosed] {
        let mut talk = Talk::running();
        assert!(matches!(failed_with(talk.on(event)), Failure::BenchmarkEndedMachine));
    }
}

#[test]
fn a_benchmark_may_end_its_machine_before_the_guest_can_say_that_it_started() {
    for event in [Event::MachineEnded, Event::ControlClosed] {
        let mut talk = Talk::greeted();
        let _ = talk.conversation.begin(talk.now);
        assert!(matches!(failed_with(talk.on(event)), Failure::BenchmarkEndedMachine));
    }
}

#[test]
fn a_guest_that_is_gone_before_or_after_its_benchmark_is_not() {
    let mut talk = Talk::new();
    assert!(matches!(failed_with(talk.on(Event::MachineEnded)), Failure::MachineEnded { .. }));
    let mut talk = Talk::greeted();
    assert!(matches!(failed_with(talk.on(Event::MachineEnded)), Failure::MachineEnded { .. }));
    let mut talk = Talk::running();
    let _ = talk.on(ended(0, GuestExit::Code(0), SECOND));
    assert!(matches!(failed_with(talk.on(Event::MachineEnded)), Failure::MachineEnded { .. }));
}

#[test]
fn silence_has_an_end_at_every_step() {
    let mut talk = Talk::new();
    assert!(matches!(failed_with(talk.on(Event::Late)), Failure::Silent { step: "the start of the guest", .. }));
    let mut talk = Talk::greeted();
    let _ = talk.conversation.begin(talk.now);
    assert!(matches!(failed_with(talk.on(Event::Late)), Failure::Silent { step: "the start of the benchmark", .. }));
    let mut talk = Talk::running();
    let _ = talk.on(ended(0, GuestExit::Code(0), SECOND));
    assert!(matches!(failed_with(talk.on(Event::Late)), Failure::Silent { step: "the delivery of the results", .. }));
}

#[test]
fn lies_end_the_conversation() {
    let check = |event: Event, expected: &str| {
        let mut talk = Talk::running();
        match failed_with(talk.on(event)) {
            Failure::Lie(lie) => assert_eq!(lie.to_string(), expected),
            other => panic!("{other:?}"),
        }
        assert!(talk.on(Event::MachineEnded).is_none());
    };
    check(started(0), "it said `started` while the benchmark ran");
    check(hello(PROTOCOL_VERSION), "it said `hello` while the benchmark ran");
    check(Event::Guest(FromGuest::Delivered { run: 0 }), "it said `delivered` while the benchmark ran");
    check(ended(7, GuestExit::Code(0), SECOND), "it spoke of run 7 in run 0");
    for said in [256, -1, i32::MIN] {
        let expected = format!("it says the benchmark ended with {said}, which is neither an exit code nor a signal");
        check(ended(0, GuestExit::Code(said), SECOND), &expected);
        check(ended(0, GuestExit::Signal(said), SECOND), &expected);
    }
}

#[test]
fn a_guest_of_another_version_is_told_apart() {
    let mut talk = Talk::new();
    let Failure::Guest(failure) = failed_with(talk.on(hello(9))) else { panic!() };
    let expected = format!("version {} of the guest's protocol, the guest 9", bencher_init::PROTOCOL_VERSION);
    assert!(failure.to_string().contains(&expected), "{failure}");
}

#[test]
fn a_stopped_benchmark_is_reported_as_that_whatever_its_guest_does_then() {
    let broken = || Event::ParcelBroken(Lie::Digest { what: "the standard output" });
    for event in [Event::MachineEnded, Event::ControlClosed, Event::Late, broken()] {
        let mut talk = Talk::running();
        let _ = talk.after(PATIENCE.timeout, Event::Late);
        let _ = talk.on(ended(0, GuestExit::Signal(9), PATIENCE.timeout));
        let [stdout, ..] = deliveries(0);
        assert!(talk.on(stdout).is_none());
        let end = done(talk.on(event));
        assert_eq!((end.exit, end.ended), (Exit::Signal(9), Ended::TimedOut));
        assert!(end.parcels.stdout.is_some() && end.warning.is_some());
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    let run = 0..3_u32;
    let exit = prop_oneof![any::<i32>().prop_map(GuestExit::Code), (0..70).prop_map(GuestExit::Signal)];
    prop_oneof![
        (0..3_u16).prop_map(hello),
        run.clone().prop_map(started),
        (run.clone(), exit, any::<u64>()).prop_map(|(run, exit, wall_ns)| {
            Event::Guest(FromGuest::Ended { run, exit, wall_ns, oom_killed: wall_ns % 2 == 0 })
        }),
        run.prop_map(|run| Event::Guest(FromGuest::Delivered { run })),
        Just(()).prop_map(|()| Event::Guest(FromGuest::Failed { failure: GuestFailure::NoCommand })),
        (0..3_usize).prop_map(|which| deliveries(0).into_iter().nth(which).unwrap()),
        Just(()).prop_map(|()| Event::ControlClosed),
        Just(()).prop_map(|()| Event::ParcelBroken(Lie::Long { what: "a file" })),
        Just(()).prop_map(|()| Event::Cancel),
        Just(()).prop_map(|()| Event::Late),
        Just(()).prop_map(|()| Event::MachineEnded),
    ]
}

proptest! {
    #[test]
    fn whatever_a_guest_says_the_conversation_stays_bounded(
        // The usual beginning, so that the later states are seen as well; then anything.
        usual in 0..6_usize,
        events in proptest::collection::vec((0..20_u64, any_event()), 0..30),
    ) {
        let mut talk = Talk::new();
        let polite = [hello(PROTOCOL_VERSION), started(0), ended(0, GuestExit::Code(0), SECOND)];
        let polite = polite.into_iter().take(usual).map(|event| (1, event));
        let (mut over, mut stops, mut runs, mut began) = (false, 0, 0, talk.now);
        for (pause, event) in polite.chain(events) {
            if talk.conversation.begin(talk.now).is_some() {
                (stops, began) = (0, talk.now);
                runs += 1;
            }
            match talk.after(Duration::from_secs(pause), event) {
                Some(order) if over => prop_assert!(false, "an order after the end: {order:?}"),
                Some(Order::Tell(ToGuest::Stop)) => stops += 1,
                Some(Order::Tell(order)) => prop_assert!(false, "an order nobody asked for: {order:?}"),
                Some(Order::Done(end)) => {
                    prop_assert!(runs > 0 && end.wall <= talk.now - began);
                    prop_assert!((0..=255).contains(&end.exit.code()));
                    let Parcels { stdout, stderr, files } = &end.parcels;
                    prop_assert!(end.ended != Ended::Exited || (stdout.is_some() && stderr.is_some() && files.is_some()));
                }
                Some(Order::Failed(_) | Order::Greeted { .. } | Order::PressCtrlAltDel) | None => {}
            }
            prop_assert!(stops <= 1);
            over = talk.conversation.deadline().is_none() && !talk.conversation.is_idle();
        }
        // With a guest that says nothing more it ends after a few deadlines, from wherever it is.
        for _ in 0..4 {
            let Some(deadline) = talk.conversation.deadline() else { break };
            talk.now = talk.now.max(deadline);
            let _ = talk.on(Event::Late);
        }
        prop_assert!(talk.conversation.deadline().is_none());
    }
}
