//! Both kinds of server as the other end, random delays and cuts between: a result is forgotten only after it was stored, and
//! every result is stored in the end.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use bencher_types::{
    JobUuid,
    wire::channel::{FromRunner, ToRunner},
};
use proptest::prelude::*;

use super::{AckPolicy, Input, Machine, Output, Parcel, ParcelId, SETTINGS, ack, claimed_job};
use crate::channel::backoff::Problem;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ours,
    /// Acknowledges everything during a job, on the connection that the job was claimed on.
    V06 {
        /// It stops listening to a job that it canceled.
        stops_after_cancel: bool,
    },
}

#[derive(Clone, Debug)]
enum Step {
    /// The server reads one message.
    Serve,
    /// The runner reads one message.
    Receive,
    Tick,
    Cut,
    Connect,
    FinishJob,
    /// Somebody cancels the job.
    Cancel,
}

enum Up {
    Message(FromRunner),
    Result(JobUuid),
}

struct World {
    kind: Kind,
    /// What the runner was told about the server.
    told: AckPolicy,
    machine: Machine,
    now: std::time::Instant,
    wants_connection: bool,
    connected: bool,
    up: VecDeque<Up>,
    down: VecDeque<ToRunner>,
    /// The job whose messages a v0.6 server answers on this connection.
    serving: Option<JobUuid>,
    canceled: bool,
    running: Option<JobUuid>,
    spool: Vec<(ParcelId, JobUuid)>,
    stored: BTreeSet<JobUuid>,
    finished: BTreeSet<JobUuid>,
    next_id: u64,
}

impl World {
    fn new(kind: Kind, told: AckPolicy) -> Self {
        Self {
            kind,
            told,
            machine: Machine::new(SETTINGS, []),
            now: crate::clock::now(),
            wants_connection: true,
            connected: false,
            up: VecDeque::new(),
            down: VecDeque::new(),
            serving: None,
            canceled: false,
            running: None,
            spool: Vec::new(),
            stored: BTreeSet::new(),
            finished: BTreeSet::new(),
            next_id: 0,
        }
    }

    fn input(&mut self, input: Input) {
        for output in self.machine.on(self.now, input) {
            match output {
                Output::Connect(_) => self.wants_connection = true,
                Output::Disconnect => self.cut(),
                Output::Send(message) => self.up.push_back(Up::Message(message)),
                Output::Deliver(id) => {
                    let job = self.spool.iter().find(|(other, _)| *other == id).expect("a delivered parcel is in the spool").1;
                    self.up.push_back(Up::Result(job));
                }
                Output::Forget(id) => {
                    let at = self.spool.iter().position(|(other, _)| *other == id).expect("forgotten once");
                    let (_, job) = self.spool.remove(at);
                    assert!(self.stored.contains(&job), "forgot a result that the server never stored");
                }
                Output::Start(job) => {
                    assert!(self.running.is_none() && self.spool.is_empty(), "one thing at a time");
                    self.running = Some(job.uuid);
                }
                Output::Ping | Output::Cancel => {}
                other @ (Output::CutDown(_) | Output::Reject { .. } | Output::Exit) => panic!("{other:?} is not called for here"),
            }
        }
    }

    fn cut(&mut self) {
        self.connected = false;
        self.up.clear();
        self.down.clear();
        self.serving = None;
    }

    fn serve(&mut self) {
        let Some(message) = self.up.pop_front() else { return };
        match message {
            Up::Message(FromRunner::Ready { .. }) => {
                let job = claimed_job();
                self.serving = Some(job.uuid);
                self.canceled = false;
                self.down.push_back(ToRunner::Job(Box::new(job)));
            }
            Up::Message(_) => {
                if let (Kind::V06 { stops_after_cancel }, Some(job)) = (self.kind, self.serving) {
                    if self.canceled {
                        self.down.push_back(ToRunner::Cancel);
                        if stops_after_cancel {
                            self.serving = None;
                        }
                    } else {
                        self.down.push_back(ack(job));
                    }
                }
            }
            Up::Result(job) => {
                self.stored.insert(job);
                self.serving = None;
                self.down.push_back(ack(job));
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Serve => self.serve(),
            Step::Receive => {
                if let Some(frame) = self.down.pop_front() {
                    self.input(Input::Frame(frame));
                }
            }
            Step::Tick => {
                if let Some(deadline) = self.machine.deadline() {
                    self.now = deadline;
                    self.input(Input::Tick);
                }
            }
            Step::Cut => {
                if self.connected {
                    self.cut();
                    self.input(Input::Disconnected);
                } else if self.wants_connection {
                    self.wants_connection = false;
                    self.input(Input::ConnectFailed(Problem::Unreachable));
                }
            }
            Step::Connect => {
                if !self.connected && self.wants_connection {
                    (self.connected, self.wants_connection) = (true, false);
                    self.input(Input::Connected(self.told));
                }
            }
            Step::FinishJob => {
                if let Some(job) = self.running.take() {
                    self.next_id += 1;
                    let id = ParcelId(self.next_id);
                    self.spool.push((id, job));
                    self.finished.insert(job);
                    self.input(Input::Finished(Parcel { id, job, bytes: 1000 }));
                }
            }
            Step::Cancel => {
                if self.running.is_some() && !self.canceled {
                    self.canceled = true;
                    if self.kind == Kind::Ours && self.connected {
                        self.down.push_back(ToRunner::Cancel);
                    }
                }
            }
        }
    }

    /// From here on the network holds and everybody gets to do something: all that is done must arrive.
    fn settle(&mut self) {
        self.step(&Step::FinishJob);
        for _ in 0..100 {
            self.step(&Step::Connect);
            let idle = |world: &Self| world.up.is_empty() && world.down.is_empty();
            while !self.spool.is_empty() && !idle(self) {
                self.step(&Step::Serve);
                self.step(&Step::Receive);
            }
            if self.spool.is_empty() {
                return;
            }
            self.now += Duration::from_secs(1);
            self.step(&Step::Tick);
        }
        panic!("a result was not delivered although the server is there");
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Serve),
        6 => Just(Step::Receive),
        5 => Just(Step::Tick),
        1 => Just(Step::Cut),
        4 => Just(Step::Connect),
        2 => Just(Step::FinishJob),
        1 => Just(Step::Cancel),
    ];
    prop::collection::vec(step, 0..120)
}

fn servers() -> impl Strategy<Value = (Kind, AckPolicy)> {
    prop_oneof![
        Just((Kind::Ours, AckPolicy::TerminalOnly)),
        // A server of ours whose version could not be asked for.
        Just((Kind::Ours, AckPolicy::Everything)),
        Just((Kind::V06 { stops_after_cancel: false }, AckPolicy::Everything)),
        Just((Kind::V06 { stops_after_cancel: true }, AckPolicy::Everything)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_result_is_ever_lost((kind, told) in servers(), steps in steps()) {
        let mut world = World::new(kind, told);
        for step in &steps {
            world.step(step);
        }
        world.settle();
        prop_assert!(world.finished.is_subset(&world.stored));
    }
}
