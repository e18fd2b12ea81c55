//! The network: connections that keep the order of messages, and may end at any moment with messages under way.

use std::collections::VecDeque;

use bencher_types::wire::channel::{FromRunner, ToRunner};
use rand::Rng as _;

use super::{ConnectionIndex, Happening, Millis, World};
use crate::queue::{Queue, RunnerIndex};

/// The longest a message is under way while nothing is wrong.
const LATENCY: Millis = 40;
/// How long an attempt to connect takes to fail.
const KNOCK: Millis = 3_000;

/// A connection between one runner and the server.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) runner: RunnerIndex,
    pub(super) to_server: VecDeque<FromRunner>,
    pub(super) to_runner: VecDeque<ToRunner>,
    /// When the last message of each direction arrives: none overtakes another.
    server_hears_at: Millis,
    runner_hears_at: Millis,
    /// Whether either end still takes it for open.
    pub(super) open_at_server: bool,
    pub(super) open_at_runner: bool,
    /// Nothing gets through any more.
    pub(super) cut: bool,
}

impl<Q: Queue> World<Q> {
    /// A runner dials: the attempt arrives after the wait.
    pub(super) fn dial(&mut self, runner: RunnerIndex, wait: Millis) {
        let dial = self.runners[runner].dial();
        let latency = self.rng.random_range(1..=LATENCY);
        self.enter(self.now + wait + latency, Happening::Knock { runner, dial });
    }

    pub(super) fn knock(&mut self, runner: RunnerIndex, dial: u64) {
        if !self.runners[runner].dials(dial) {
            return;
        }
        if !self.server.up || self.server.fails(self.now) {
            self.soon(KNOCK, Happening::Refused { runner, dial });
            return;
        }
        let index = self.connections.len();
        self.connections.push(Connection {
            runner,
            to_server: VecDeque::new(),
            to_runner: VecDeque::new(),
            server_hears_at: self.now,
            runner_hears_at: self.now,
            open_at_server: true,
            open_at_runner: false,
            cut: false,
        });
        self.note(|_| format!("connection {index} of runner {runner} reaches the server"));
        self.open_session(index);
        self.soon(LATENCY, Happening::Accepted { connection: index, dial });
    }

    pub(super) fn send_to_server(&mut self, index: ConnectionIndex, message: FromRunner) {
        let latency = self.rng.random_range(0..=LATENCY);
        let connection = &mut self.connections[index];
        if connection.cut {
            return;
        }
        if !connection.open_at_server {
            // The other end is gone and says so.
            self.soon(LATENCY, Happening::RunnerLoses(index));
            return;
        }
        connection.to_server.push_back(message);
        connection.server_hears_at = connection.server_hears_at.max(self.now + latency);
        let at = connection.server_hears_at;
        self.enter(at, Happening::ToServer(index));
    }

    pub(super) fn send_to_runner(&mut self, index: ConnectionIndex, message: ToRunner) {
        let latency = self.rng.random_range(0..=LATENCY);
        let connection = &mut self.connections[index];
        if connection.cut {
            return;
        }
        connection.to_runner.push_back(message);
        connection.runner_hears_at = connection.runner_hears_at.max(self.now + latency);
        let at = connection.runner_hears_at;
        self.enter(at, Happening::ToRunner(index));
    }

    pub(super) fn ping(&mut self, index: ConnectionIndex) {
        if !self.connections[index].cut {
            self.soon(LATENCY, Happening::Ping(index));
        }
    }

    pub(super) fn ping_arrives(&mut self, index: ConnectionIndex) {
        let connection = &self.connections[index];
        if connection.open_at_server && !connection.cut && self.server.up {
            self.tick_session(index);
            self.soon(LATENCY, Happening::Pong(index));
        }
    }

    /// The server closes its end: the runner hears of it after what was sent before.
    pub(super) fn close_at_server(&mut self, index: ConnectionIndex) {
        let connection = &mut self.connections[index];
        if !std::mem::replace(&mut connection.open_at_server, false) {
            return;
        }
        connection.to_server.clear();
        if !connection.cut {
            let at = connection.runner_hears_at.max(self.now) + 1;
            self.enter(at, Happening::RunnerLoses(index));
        }
    }

    /// The runner closes its end.
    pub(super) fn close_at_runner(&mut self, index: ConnectionIndex) {
        let connection = &mut self.connections[index];
        if !std::mem::replace(&mut connection.open_at_runner, false) {
            return;
        }
        connection.to_runner.clear();
        if !connection.cut {
            let at = connection.server_hears_at.max(self.now) + 1;
            self.enter(at, Happening::ServerLoses(index));
        }
    }

    /// Nothing gets through any more; of what is under way, only the first part arrives. Each end learns of it some time later.
    pub(super) fn cut(&mut self, index: ConnectionIndex, silence: Millis) {
        let connection = &mut self.connections[index];
        if connection.cut {
            return;
        }
        connection.cut = true;
        let kept = self.rng.random_range(0..=connection.to_server.len());
        connection.to_server.truncate(kept);
        let kept = self.rng.random_range(0..=connection.to_runner.len());
        connection.to_runner.truncate(kept);
        let last = connection.server_hears_at.max(connection.runner_hears_at).max(self.now);
        for end in [Happening::ServerLoses(index), Happening::RunnerLoses(index)] {
            let at = last + 1 + self.rng.random_range(0..=silence);
            self.enter(at, end);
        }
    }

    /// Connections that both ends still use.
    pub(super) fn live(&self) -> Vec<ConnectionIndex> {
        let live = |connection: &Connection| !connection.cut && connection.open_at_server && connection.open_at_runner;
        self.connections.iter().enumerate().filter(|(_, connection)| live(connection)).map(|(index, _)| index).collect()
    }
}
