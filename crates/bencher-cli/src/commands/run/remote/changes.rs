//! Waiting for a job to change: by the server's events where it has them, else by looking now and then.

use std::time::Duration;

use bencher_types::{
    JobStatus,
    wire::{
        event::{JOB, JobChanged, OPEN, OUTPUT, RESET},
        job::Job,
        live::JobPrinted,
    },
};
use tokio::time::{Instant, sleep, timeout_at};

use super::JobRef;
use crate::{
    client::{Client, Events, NoEvents, ServerEvent},
    limits,
};

/// What was told of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It may be another than it was: it is worth another look.
    Job,
    /// What it prints from here on is told; what it printed before was not.
    Began,
    Printed(Box<JobPrinted>),
}

/// Tells when it is worth another look at a job, and what it prints.
pub(crate) struct Changes<'a> {
    client: &'a Client,
    path: [String; 6],
    stream: Option<Events>,
    /// The id of the last event.
    last: Option<String>,
    /// The server may have events.
    has_events: bool,
    /// The longest pause between two looks where there are no events.
    interval: Duration,
    /// The next pause where there are none.
    pause: Duration,
}

impl<'a> Changes<'a> {
    pub(crate) fn new(client: &'a Client, job: &JobRef, interval: Duration) -> Self {
        let segments = ["v0", "projects", &job.project, "jobs", &job.job.to_string(), "events"].map(str::to_owned);
        let pause = limits::FIRST_JOB_POLL.min(interval);
        Self { client, path: segments, stream: None, last: None, has_events: true, interval, pause }
    }

    /// Waits until the job may be another than this. May be called off and called again.
    pub(crate) async fn wait(&mut self, known: &Job) {
        let until = look_again(known);
        while self.next(known, until).await != Change::Job {}
    }

    /// Whether changes are told of at present, and so what the job prints.
    pub(crate) const fn are_told(&self) -> bool {
        self.stream.is_some()
    }

    /// Waits until the job may be another than this, or prints something; the former at the latest at that time.
    pub(crate) async fn next(&mut self, known: &Job, until: Instant) -> Change {
        while self.has_events {
            if self.stream.is_none() {
                match self.client.events(&self.path, self.last.as_deref()).await {
                    Ok(stream) => self.stream = Some(stream),
                    Err(NoEvents::NotHere) => self.has_events = false,
                    Err(NoEvents::NotNow) => break,
                }
            }
            let Some(stream) = &mut self.stream else { break };
            match timeout_at(until, stream.next()).await {
                Ok(Some(event)) => {
                    self.last = event.id.clone().or(self.last.take());
                    // The stream is good: should it break, there is no reason to be slow at first.
                    self.pause = limits::FIRST_JOB_POLL.min(self.interval);
                    if let Some(change) = read(&event, known) {
                        return change;
                    }
                }
                Ok(None) => {
                    let asked = stream.retry().unwrap_or_default().min(limits::MAX_STREAM_RETRY);
                    self.stream = None;
                    // A server that is about to be replaced says how long that takes.
                    self.pause = self.pause.max(asked);
                    break;
                }
                Err(_) => return Change::Job,
            }
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(self.interval.max(limits::FIRST_JOB_POLL));
        Change::Job
    }
}

/// When a job is looked at again, whatever is told of it until then.
pub(crate) fn look_again(known: &Job) -> Instant {
    // What a waiting job waits for changes without an event.
    Instant::now()
        + match known.status {
            JobStatus::Pending => limits::PENDING_JOB_LOOK,
            _ => limits::JOB_LOOK,
        }
}

/// What an event says; `None` where that is nothing new, or of a later time.
fn read(event: &ServerEvent, known: &Job) -> Option<Change> {
    match event.name.as_str() {
        OPEN | RESET => Some(Change::Began),
        OUTPUT => Some(Change::Printed(serde_json::from_str(&event.data).ok()?)),
        JOB => {
            let now: JobChanged = serde_json::from_str(&event.data).ok()?;
            (now.status != known.status || Some(now.attempt) != known.attempt).then_some(Change::Job)
        }
        _ => None,
    }
}
