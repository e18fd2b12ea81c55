//! Reads a transcript and does what each line says, with a real daemon at the other end.

use std::collections::BTreeMap;

use bencher_runner::job::outcome::JobOutcome;
use bencher_types::JobUuid;
use serde_json::Value;

use super::wire::{Channel, Received, Wire};
use crate::{
    daemon::{Runner, printed, spool_files},
    world::{self, KEY},
};

/// Which messages of a working runner the server answers by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    Nothing,
    /// As a v0.6 server: every sign of life with an `ack` of the job.
    SignsOfLife,
}

struct Play {
    wire: Wire,
    channel: Option<Channel>,
    runner: Option<Runner>,
    data: tempfile::TempDir,
    jobs: BTreeMap<String, JobUuid>,
    /// The job that was handed out last.
    current: Option<JobUuid>,
    answers: Answers,
    /// Signs of life that were not answered.
    owed: usize,
}

pub(crate) async fn play(name: &str, text: &str) {
    let wire = Wire::listen().await;
    let data = tempfile::tempdir().expect("a folder");
    let runner = Runner::start(wire.addr, data.path());
    let mut play = Play {
        wire,
        channel: None,
        runner: Some(runner),
        data,
        jobs: BTreeMap::new(),
        current: None,
        answers: Answers::Nothing,
        owed: 0,
    };
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            play.line(&format!("{name}, line {}: {line}", number + 1), line).await;
        }
    }
    if let Some(runner) = play.runner {
        runner.kill().await;
    }
}

impl Play {
    async fn line(&mut self, at: &str, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "version" => rest.clone_into(&mut self.wire.version.lock().expect("nobody panics with it")),
            "answers" if rest == "signs-of-life" => self.answers = Answers::SignsOfLife,
            "answers" if rest == "nothing" => self.answers = Answers::Nothing,
            "connects" => {
                self.owed = 0;
                self.channel = Some(self.wire.asked().await.open(KEY).await);
            }
            "connects-to-nobody" => self.wire.asked().await.open_and_leave().await,
            "connects-to-babble" => self.wire.asked().await.open_and_babble().await,
            "connects-and-is-told" => self.wire.asked().await.answer(&rest.replace("\\r\\n", "\r\n")).await,
            ">" => {
                let text = self.fill(rest);
                self.channel(at).send(&text).await;
            }
            "slowly" => {
                let text = self.fill(rest);
                self.channel(at).send_slowly(&text).await;
            }
            "binary" => self.channel(at).send_binary(rest).await,
            "job" => self.hand_out(at, rest).await,
            "late-acks" => self.late_acks(at).await,
            "<" => self.expect(at, rest).await,
            "heartbeat" => self.heartbeat(at).await,
            "ping" => self.ping(at).await,
            "close" => {
                let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
                let channel = self.channel.take().unwrap_or_else(|| panic!("{at}: there is no connection"));
                channel.close(code.parse().expect("a code"), reason).await;
            }
            "cut" => self.channel = None,
            "started" => {
                let expected = self.jobs[rest];
                assert_eq!(self.runner(at).started().await, expected, "{at}");
            }
            "prints" => self.runner(at).finish(printed(rest)),
            "fails" => {
                let error = rest.to_owned();
                self.runner(at).finish(JobOutcome::failed(bencher_types::JobFailure::User, error));
            }
            "spooled" => assert_eq!(spool_files(self.data.path()).to_string(), rest, "{at}"),
            "stop" => self.runner(at).stop().await,
            "ended" => self.runner.take().unwrap_or_else(|| panic!("{at}: it has ended already")).ended().await,
            _ => panic!("{at}: this is no line of a transcript"),
        }
    }

    fn channel(&mut self, at: &str) -> &mut Channel {
        self.channel.as_mut().unwrap_or_else(|| panic!("{at}: there is no connection"))
    }

    fn runner(&mut self, at: &str) -> &mut Runner {
        self.runner.as_mut().unwrap_or_else(|| panic!("{at}: the runner has ended"))
    }

    /// `$A` is the UUID of job A, `$random` one that nobody knows.
    fn fill(&self, text: &str) -> String {
        let mut text = text.replace("$random", &JobUuid::random().to_string());
        for (name, job) in &self.jobs {
            text = text.replace(&format!("${name}"), &job.to_string());
        }
        text
    }

    /// Hands out a job as a v0.6 server does.
    async fn hand_out(&mut self, at: &str, name: &str) {
        let (uuid, mut job) = world::job(None);
        job["event"] = "job".into();
        self.jobs.insert(name.to_owned(), uuid);
        self.current = Some(uuid);
        self.owed = 0;
        self.channel(at).send(&job.to_string()).await;
    }

    /// Answers every sign of life that was not answered yet, each with an `ack` that names the job.
    async fn late_acks(&mut self, at: &str) {
        for _ in 0..std::mem::take(&mut self.owed) {
            self.ack(at).await;
        }
    }

    async fn ack(&mut self, at: &str) {
        let job = self.current.unwrap_or_else(|| panic!("{at}: there is no job"));
        self.channel(at).send(&format!(r#"{{"event":"ack","job":"{job}"}}"#)).await;
    }

    /// The next message, and what it is a sign of.
    async fn receive(&mut self, at: &str) -> Value {
        let received = self.channel(at).receive().await;
        let Received::Text(text) = &received else { panic!("{at}: received {received:?}") };
        let message: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{at}: received {text}: {error}"));
        if matches!(message["event"].as_str(), Some("running" | "heartbeat")) {
            match self.answers {
                Answers::Nothing => self.owed += 1,
                Answers::SignsOfLife => self.ack(at).await,
            }
        }
        message
    }

    /// The next message that is no heartbeat has every member that `expected` has; `null` means that it is absent.
    async fn expect(&mut self, at: &str, expected: &str) {
        let expected: Value = serde_json::from_str(&self.fill(expected)).unwrap_or_else(|error| panic!("{at}: {error}"));
        let message = loop {
            let message = self.receive(at).await;
            if message["event"] != "heartbeat" {
                break message;
            }
        };
        for (name, value) in expected.as_object().expect("an object") {
            assert_eq!(&message[name], value, "{at}: received {message}");
        }
    }

    async fn heartbeat(&mut self, at: &str) {
        while self.receive(at).await["event"] != "heartbeat" {}
    }

    /// The runner has taken everything that was sent before.
    async fn ping(&mut self, at: &str) {
        self.channel(at).ping().await;
        loop {
            match self.channel(at).receive().await {
                Received::Pong => return,
                Received::Text(text) if text.contains(r#""event":"heartbeat""#) => self.owed += 1,
                received => panic!("{at}: received {received:?}"),
            }
        }
    }
}
