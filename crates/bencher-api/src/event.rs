//! Following what changes: from now on, or from where one was cut off.
//!
//! Knows no HTTP. Whoever asks for a topic must be allowed to see it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bencher_types::{ProjectUuid, UserUuid};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{
    app::App,
    limits,
    store::{
        StoreError,
        event::{Logged, Topic},
    },
};

/// Who follows something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Follower {
    User(UserUuid),
    /// Whoever has a key of the project.
    Project(ProjectUuid),
    /// Nobody in particular, by [`crate::rate::address_key`].
    Address(u128),
}

/// Everybody who follows something at this server. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Streams {
    taken: Arc<Mutex<HashMap<Follower, usize>>>,
}

/// The right to one stream; given back when this is dropped.
#[derive(Debug)]
pub struct Seat {
    streams: Streams,
    follower: Follower,
}

/// There are as many streams as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooManyStreams {
    #[error("you follow {} streams of events already, which is the most: end one first", limits::EVENT_STREAMS_EACH)]
    OfFollower,
    #[error("this server has {} streams of events, which is the most: try again later", limits::EVENT_STREAMS)]
    OfServer,
}

impl Streams {
    /// Takes a place for one more stream.
    ///
    /// # Errors
    /// There are too many.
    pub fn seat(&self, follower: Follower) -> Result<Seat, TooManyStreams> {
        let mut taken = self.taken();
        if taken.values().sum::<usize>() >= limits::EVENT_STREAMS {
            return Err(TooManyStreams::OfServer);
        }
        let number = taken.entry(follower).or_default();
        if *number >= limits::EVENT_STREAMS_EACH {
            return Err(TooManyStreams::OfFollower);
        }
        *number += 1;
        Ok(Seat { streams: self.clone(), follower })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Follower, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.streams.taken();
        if let Some(number) = taken.get_mut(&self.follower) {
            *number -= 1;
            if *number == 0 {
                taken.remove(&self.follower);
            }
        }
    }
}

/// How a feed begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// With what changes from now on; the number is that of the last change before.
    Fresh(i64),
    /// With what changed since the client was cut off.
    Resumed,
    /// As [`Self::Fresh`], because what changed since is not known any more: the client has to look for itself.
    Reset(i64),
}

/// The changes of a topic, in order, each once.
#[derive(Debug)]
pub struct Feed {
    topic: Topic,
    /// The last change that was given or passed over.
    last: i64,
    waiting: VecDeque<Arc<Logged>>,
    /// Not everything since `last` comes by the receiver: it has to be read.
    is_behind: bool,
    changes: Receiver<Arc<Logged>>,
}

impl Feed {
    /// Begins after a change that the client had last, or now.
    ///
    /// # Errors
    /// The database failed.
    pub async fn open(app: &App, topic: Topic, after: Option<i64>) -> Result<(Self, Opening), StoreError> {
        // First this: what is committed after the look at the log must come one way or the other.
        let changes = app.bus.subscribe();
        let ends = app.store.log_ends().await?;
        let (last, is_behind, opening) = match after {
            None => (ends.last, false, Opening::Fresh(ends.last)),
            Some(id) if ends.reach_back_to(id) => (id, true, Opening::Resumed),
            Some(_) => (ends.last, false, Opening::Reset(ends.last)),
        };
        Ok((Self { topic, last, waiting: VecDeque::new(), is_behind, changes }, opening))
    }

    /// What is followed.
    #[must_use]
    pub const fn topic(&self) -> Topic {
        self.topic
    }

    /// Whether nothing has changed since.
    ///
    /// # Errors
    /// The database failed.
    pub async fn is_caught_up(&self, app: &App) -> Result<bool, StoreError> {
        let part = app.store.logged_after(self.last, Some(self.topic)).await?;
        Ok(self.waiting.is_empty() && part.changes.is_empty())
    }

    /// The next change, when there is one. May be called off and called again.
    ///
    /// # Errors
    /// The database failed; to be tried again.
    pub async fn next(&mut self, app: &App) -> Result<Arc<Logged>, StoreError> {
        loop {
            if let Some(change) = self.waiting.pop_front() {
                self.last = change.id;
                return Ok(change);
            }
            if self.is_behind {
                let part = app.store.logged_after(self.last, Some(self.topic)).await?;
                self.waiting = part.changes.into_iter().map(Arc::new).collect();
                // What was passed over as unreadable is not looked at again.
                if self.waiting.is_empty() {
                    self.last = part.up_to;
                }
                self.is_behind = part.is_full;
                continue;
            }
            match self.changes.recv().await {
                Ok(change) if change.id > self.last => {
                    if self.topic.has(&change.change) {
                        self.waiting.push_back(change);
                    } else {
                        self.last = change.id;
                    }
                }
                // It was read from the log before.
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => self.is_behind = true,
                // The bus lives as long as the server.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests;
