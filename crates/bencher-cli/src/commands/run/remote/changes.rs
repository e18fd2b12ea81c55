//! Waiting for a job to change: by the server's events where it has them, else by looking now and then.

use std::time::Duration;

use bencher_types::{
    JobStatus,
    wire::{
        event::{JOB, JobChanged},
        job::Job,
    },
};
use tokio::time::{Instant, sleep, timeout_at};

use super::JobRef;
use crate::{
    client::{Client, Events, NoEvents},
    limits,
};

/// Tells when it is worth another look at a job.
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
        // What a waiting job waits for changes without an event.
        let patience = match known.status {
            JobStatus::Pending => limits::PENDING_JOB_LOOK,
            _ => limits::JOB_LOOK,
        };
        let until = Instant::now() + patience;
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
                    self.last = event.id.or(self.last.take());
                    // The stream is good: should it break, there is no reason to be slow at first.
                    self.pause = limits::FIRST_JOB_POLL.min(self.interval);
                    let changed = (event.name == JOB).then(|| serde_json::from_str::<JobChanged>(&event.data).ok()).flatten();
                    if changed.is_some_and(|now| now.status != known.status || Some(now.attempt) != known.attempt) {
                        return;
                    }
                }
                Ok(None) => {
                    let asked = stream.retry().unwrap_or_default().min(limits::MAX_STREAM_RETRY);
                    self.stream = None;
                    // A server that is about to be replaced says how long that takes.
                    self.pause = self.pause.max(asked);
                    break;
                }
                Err(_) => return,
            }
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(self.interval.max(limits::FIRST_JOB_POLL));
    }
}
